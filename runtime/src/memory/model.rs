//! Random sequences of everything a program can do with regions, against a model that knows what each block holds.

use std::collections::BTreeMap;
use std::ptr::NonNull;

use proptest::prelude::*;

use super::tests::World;
use super::*;

#[derive(Clone, Debug)]
enum Action {
    Enter,
    /// Leaves the region with this number (modulo the depth) and all above.
    Exit(usize),
    Reset(usize),
    Alloc {
        region: usize,
        bytes: u64,
        zeroed: bool,
    },
    Free(usize),
    Grow {
        block: usize,
        more: u64,
    },
    Trim,
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..200,
        4 => 0u64..5000,
        2 => 20_000u64..70_000,
        1 => 200_000u64..600_000,
        1 => prop::sample::select(vec![0, 16, 17, 128, 129, MAX_SMALL - 1, MAX_SMALL, MAX_SMALL + 1, (256 << 10) - 64, 4 << 20]),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => Just(Action::Enter),
        1 => any::<usize>().prop_map(Action::Exit),
        1 => any::<usize>().prop_map(Action::Reset),
        8 => (any::<usize>(), size(), any::<bool>())
            .prop_map(|(region, bytes, zeroed)| Action::Alloc { region, bytes, zeroed }),
        5 => any::<usize>().prop_map(Action::Free),
        3 => (any::<usize>(), size()).prop_map(|(block, more)| Action::Grow { block, more }),
        1 => Just(Action::Trim),
    ]
}

struct Block {
    region: usize,
    base: NonNull<u8>,
    /// Bytes written, all with `fill` and their place mixed in.
    bytes: u64,
    fill: u8,
}

struct Model {
    world: World,
    regions: Vec<NonNull<Region>>,
    blocks: Vec<Block>,
    next_fill: u8,
}

fn pattern(fill: u8, at: u64) -> u8 {
    fill.wrapping_add((at as u8).wrapping_mul(31))
}

impl Model {
    fn fill(&mut self, region: usize, base: NonNull<u8>, bytes: u64) -> Block {
        self.next_fill = self.next_fill.wrapping_add(41);
        let fill = self.next_fill;
        for at in 0..bytes {
            // SAFETY: the block was made for so many bytes.
            unsafe { base.add(at as usize).write(pattern(fill, at)) };
        }
        Block { region, base, bytes, fill }
    }

    fn act(&mut self, action: &Action) {
        // SAFETY: regions and blocks are used as long as the model has them, and exactly then they live.
        unsafe {
            match *action {
                Action::Enter => {
                    let region = self.world.enter();
                    self.regions.push(region);
                }
                Action::Exit(at) if self.regions.len() > 1 => {
                    let at = 1 + at % (self.regions.len() - 1);
                    self.world.stack().exit_to(self.regions[at]);
                    self.regions.truncate(at);
                    self.blocks.retain(|block| block.region < at);
                    assert_eq!(self.world.stack().depth(), at);
                }
                Action::Reset(at) => {
                    let at = at % self.regions.len();
                    reset(self.regions[at].as_ptr());
                    self.blocks.retain(|block| block.region != at);
                }
                Action::Alloc { region, bytes, zeroed } => {
                    let at = region % self.regions.len();
                    let region = self.regions[at].as_ptr();
                    let base = if zeroed { alloc_zeroed(region, bytes) } else { alloc(region, bytes) }.unwrap();
                    if zeroed {
                        assert!((0..bytes as usize).all(|at| base.add(at).read() == 0));
                    }
                    let block = self.fill(at, base, bytes);
                    self.blocks.push(block);
                }
                Action::Free(at) if !self.blocks.is_empty() => {
                    let block = self.blocks.swap_remove(at % self.blocks.len());
                    self.check(&block);
                    free(self.regions[block.region].as_ptr(), block.base.as_ptr());
                }
                Action::Grow { block: at, more } if !self.blocks.is_empty() => {
                    let at = at % self.blocks.len();
                    let old = self.blocks.swap_remove(at);
                    let region = self.regions[old.region].as_ptr();
                    let base = grow(region, old.base.as_ptr(), old.bytes, old.bytes + more).unwrap();
                    let moved = Block { base, ..old };
                    self.check(&moved);
                    let block = self.fill(moved.region, base, moved.bytes + more);
                    self.blocks.push(block);
                }
                Action::Trim => self.world.trim(),
                Action::Exit(_) | Action::Free(_) | Action::Grow { .. } => {}
            }
        }
    }

    fn check(&self, block: &Block) {
        assert_eq!(block.base.as_ptr() as usize % 16, 0);
        // SAFETY: the block is live.
        unsafe {
            assert!(capacity(block.base.as_ptr()) >= block.bytes);
            for at in 0..block.bytes {
                assert_eq!(block.base.add(at as usize).read(), pattern(block.fill, at), "byte {at}");
            }
        }
    }

    fn check_all(&self) {
        let mut ends = BTreeMap::new();
        for block in &self.blocks {
            self.check(block);
            let at = block.base.as_ptr() as usize;
            // SAFETY: the block is live.
            let room = unsafe { capacity(block.base.as_ptr()) } as usize;
            assert!(ends.insert(at - BLOCK_HEADER as usize, at + room).is_none());
        }
        let mut last = 0;
        for (start, end) in ends {
            assert!(last <= start, "blocks overlap");
            last = end;
        }
    }
}

fn run(mode: RegionMode, actions: &[Action]) {
    let world = World::new(MemoryOptions { mode, limit: None });
    let mut model = Model { world, regions: Vec::new(), blocks: Vec::new(), next_fill: 0 };
    model.act(&Action::Enter);
    for action in actions {
        model.act(action);
        if model.blocks.len() < 6 {
            model.check_all();
        }
    }
    model.check_all();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn blocks_keep_their_contents_and_do_not_overlap(actions in prop::collection::vec(action(), 1..150)) {
        run(RegionMode::Reuse, &actions);
    }

    #[test]
    fn guarded_blocks_too(actions in prop::collection::vec(action(), 1..60)) {
        run(RegionMode::Guard, &actions);
    }
}
