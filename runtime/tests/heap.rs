//! The host's allocator with a stretch, which there is one of in a process: all in one test.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};

use scaly_runtime::heap::{Heap, Stretch};

#[global_allocator]
static ALLOCATOR: Heap = Heap;

const BYTES: usize = 4 << 20;

/// A block and what it is filled with.
struct Block {
    start: *mut u8,
    layout: Layout,
    with: u8,
}

impl Block {
    fn new(bytes: usize, align: usize, with: u8) -> Block {
        let layout = Layout::from_size_align(bytes, align).unwrap();
        // SAFETY: the layout is not empty.
        let start = unsafe { if with & 1 == 0 { alloc(layout) } else { alloc_zeroed(layout) } };
        assert!(!start.is_null());
        assert_eq!(start as usize % align, 0);
        let mut block = Block { start, layout, with };
        if with & 1 == 1 {
            assert!(block.bytes().iter().all(|&b| b == 0), "{layout:?}");
        }
        block.bytes().fill(with);
        block
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the block is that large, and its own.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.layout.size()) }
    }

    fn resize(&mut self, bytes: usize) {
        // SAFETY: the block has this layout.
        self.start = unsafe { realloc(self.start, self.layout, bytes) };
        let kept = self.layout.size().min(bytes);
        self.layout = Layout::from_size_align(bytes, self.layout.align()).unwrap();
        let with = self.with;
        assert!(self.bytes()[..kept].iter().all(|&b| b == with), "{:?}", self.layout);
        self.bytes().fill(with);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let with = self.with;
        assert!(self.bytes().iter().all(|&b| b == with), "{:?} was somebody else's too", self.layout);
        // SAFETY: the block has this layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}

// SAFETY: nobody else has the block.
unsafe impl Send for Block {}

/// Makes, resizes and frees blocks of all sizes, and looks at their contents.
fn churn(blocks: &mut Vec<Block>, rounds: u32) {
    let mut seed = 1u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    for round in 0..rounds {
        let most = 2 << random(16);
        let bytes = 1 + random(most);
        match random(4) {
            0 if !blocks.is_empty() => drop(blocks.swap_remove(random(blocks.len()))),
            1 if !blocks.is_empty() => {
                let at = random(blocks.len());
                blocks[at].resize(bytes);
            }
            _ => blocks.push(Block::new(bytes, 1 << random(8), round as u8)),
        }
    }
}

#[test]
fn blocks_are_the_stretchs_or_the_systems_and_go_back_where_they_came_from() {
    let mut before: Vec<Block> = (0..50).map(|i| Block::new(100, 8, i)).collect();
    let stretch = Stretch::open(BYTES, false).expect("the first");
    assert!(Stretch::open(BYTES, false).is_none());

    let first = Block::new(40, 8, 2).start as usize;
    let inside = |block: &Block| (first..first + BYTES).contains(&(block.start as usize));
    // What is freed is used again, for the same size alone.
    assert!(first == Block::new(48, 8, 2).start as usize);
    assert!(first != Block::new(32, 8, 2).start as usize);
    assert!(inside(&Block::new(100_000, 8, 2)));
    assert!(!inside(&Block::new(16, 64, 2)), "the stretch promises 16 bytes of alignment");
    assert!(!inside(&Block::new(2 << 20, 8, 2)), "large blocks grow better as mappings");

    // Until there is no more room, and beyond.
    let mut blocks = Vec::new();
    churn(&mut blocks, 20_000);
    assert!(blocks.iter().any(inside) && blocks.iter().any(|b| b.layout.align() <= 16 && !inside(b)));
    before.truncate(20);

    // Another thread has no part in it, and may free what it is handed.
    let handed = blocks.split_off(blocks.len() / 2);
    let other = std::thread::spawn(move || {
        let mut handed = handed;
        handed.truncate(handed.len() / 2);
        handed.iter_mut().for_each(|block| block.resize(block.layout.size() * 3));
        let mut own = Vec::new();
        churn(&mut own, 2_000);
        assert!(!own.iter().any(|b| (first..first + BYTES).contains(&(b.start as usize))));
        handed
    });
    let handed = other.join().unwrap();

    // Nor has this one, later.
    drop(stretch);
    assert!(!inside(&Block::new(40, 8, 2)));
    blocks.iter_mut().for_each(|block| block.resize(block.layout.size() * 2));
    assert!(blocks.iter().any(|block| !inside(block)));
    drop((handed, blocks, before));
    assert!(Stretch::open(BYTES, false).is_none());
    assert!(!inside(&Block::new(40, 8, 2)));
}
