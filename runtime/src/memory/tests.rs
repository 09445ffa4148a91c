//! Regions against a model, their bounds on memory, their errors.

use std::ptr::NonNull;
use std::sync::Arc;

use super::*;

/// A source, a pool and a stack that go together.
pub(super) struct World {
    stack: Option<RegionStack>,
    pool: NonNull<PagePool>,
    source: Arc<PageSource>,
}

impl World {
    pub(super) fn new(options: MemoryOptions) -> World {
        let source = PageSource::new(options);
        let pool = NonNull::from(Box::leak(Box::new(PagePool::new(&source))));
        // SAFETY: the pool is freed after the stack.
        let stack = unsafe { RegionStack::new(pool) };
        World { stack: Some(stack), pool, source }
    }

    pub(super) fn stack(&mut self) -> &mut RegionStack {
        self.stack.as_mut().unwrap()
    }

    pub(super) fn enter(&mut self) -> NonNull<Region> {
        self.stack().enter().unwrap()
    }

    pub(super) fn trim(&mut self) {
        // SAFETY: nobody else holds a reference to the pool now.
        unsafe { self.pool.as_mut().trim() };
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stack = None;
        // SAFETY: leaked above; the stack, its only user, is gone.
        unsafe {
            self.pool.as_mut().trim();
            assert!(self.source.mode() == RegionMode::Guard || self.source.held() == 0, "{} held", self.source.held());
            drop(Box::from_raw(self.pool.as_ptr()));
        }
        assert_eq!(self.source.held(), 0);
    }
}

fn reuse() -> World {
    World::new(MemoryOptions::default())
}

fn guarded() -> World {
    World::new(MemoryOptions { mode: RegionMode::Guard, limit: None })
}

fn limited(limit: u64) -> World {
    World::new(MemoryOptions { mode: RegionMode::Reuse, limit: Some(limit) })
}

/// A small generator, so that runs repeat.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

#[test]
fn nothing_is_acquired_before_the_first_block() {
    let mut world = reuse();
    for _ in 0..1000 {
        let region = world.enter();
        // SAFETY: entered above.
        unsafe { reset(region.as_ptr()) };
    }
    assert_eq!(world.source.held(), 0);
    assert_eq!(world.stack().depth(), 1000);
}

#[test]
fn overwriting_with_strings_of_all_lengths_is_constant() {
    let mut world = reuse();
    let region = world.enter().as_ptr();
    let mut random = Lcg(1);
    let mut chunks_after_warm_up = (0, 0);
    // SAFETY: one live block at a time, built before the old one is freed as `set s:` does.
    unsafe {
        let mut old = std::ptr::null_mut();
        for i in 0..1_000_000 {
            let fresh = alloc(region, 1 + random.below(1000)).unwrap().as_ptr();
            free(region, old);
            old = fresh;
            if i == 10_000 {
                chunks_after_warm_up = (*region).chunks();
            }
        }
        assert_eq!((*region).chunks(), chunks_after_warm_up);
        assert!(chunks_after_warm_up.1 <= 32 * 1024, "{chunks_after_warm_up:?}");
    }
}

#[test]
fn a_loop_body_reset_each_time_is_constant() {
    let mut world = reuse();
    let outer = world.enter().as_ptr();
    let body = world.enter().as_ptr();
    let mut random = Lcg(2);
    // SAFETY: blocks of the body are dropped with its reset.
    unsafe {
        alloc(outer, 100).unwrap();
        for i in 0..100_000 {
            for _ in 0..random.below(20) {
                alloc_zeroed(body, random.below(3000)).unwrap();
            }
            if random.below(50) == 0 {
                alloc(body, 40_000 + random.below(600_000)).unwrap();
            }
            reset(body);
            // A block of some 600,000 bytes and 60,000 in small ones are live at most; the rest is what the pool keeps.
            assert!(i % 1000 != 0 || world.source.held() < 12 << 20, "{}", world.source.held());
        }
    }
}

#[test]
fn an_array_that_grows_keeps_its_elements_and_gives_back_what_it_outgrew() {
    for mut world in [reuse(), guarded()] {
        let region = world.enter().as_ptr();
        let mut base = std::ptr::null_mut::<u8>();
        let count = 3_000_000u64;
        // SAFETY: one array, written within its capacity.
        unsafe {
            for i in 0..count {
                base = grow(region, base, 8 * i, 8 * i + 8).unwrap().as_ptr();
                base.cast::<u64>().add(i as usize).write(i);
            }
            for i in 0..count {
                assert_eq!(base.cast::<u64>().add(i as usize).read(), i);
            }
            assert!(capacity(base) >= 8 * count);
            if world.source.mode() == RegionMode::Reuse {
                assert!(world.source.held() < 2 * 8 * count + (2 << 20), "{}", world.source.held());
            }
        }
    }
}

#[test]
fn large_blocks_go_back_at_once() {
    let mut world = reuse();
    let region = world.enter().as_ptr();
    // SAFETY: freed once, not used after.
    unsafe {
        let block = alloc_zeroed(region, 100 << 20).unwrap();
        assert!(world.source.held() >= 100 << 20);
        assert!((0..100 << 20).step_by(4096).all(|at| block.add(at).read() == 0));
        free(region, block.as_ptr());
        assert!(world.source.held() <= 2 << 20);
        let small = alloc(region, 16).unwrap();
        alloc(region, 1 << 20).unwrap();
        // Freed in reverse, the chunk looks unused; the large block must go all the same.
        free(region, small.as_ptr());
        reset(region);
    }
    world.trim();
    assert!(world.source.held() <= 2 << 20);
}

#[test]
fn constants_and_null_are_never_freed() {
    let mut world = reuse();
    let region = world.enter().as_ptr();
    #[repr(C, align(16))]
    struct Constant(BlockHeader, [u8; 5]);
    let mut constant = Constant(BlockHeader { capacity: 0, reserved: 0 }, *b"hello");
    let base = constant.1.as_mut_ptr();
    // SAFETY: a constant in the shape that the module describes.
    unsafe {
        free(region, std::ptr::null_mut());
        free(region, base);
        assert_eq!((capacity(base), capacity(std::ptr::null())), (0, 0));
        let grown = grow(region, base, 5, 6).unwrap();
        assert_ne!(grown.as_ptr(), base);
        assert_eq!(std::slice::from_raw_parts(grown.as_ptr(), 5), b"hello");
    }
    assert_eq!(constant.1, *b"hello");
}

#[test]
fn requests_that_cannot_be_met_are_errors() {
    let mut world = limited(8 << 20);
    let region = world.enter().as_ptr();
    // SAFETY: blocks are not used.
    unsafe {
        for absurd in [u64::MAX, u64::MAX - 15, i64::MAX as u64, i64::MAX as u64 - 64] {
            assert!(matches!(alloc(region, absurd), Err(MemoryError::TooLarge { .. })), "{absurd}");
            assert!(matches!(alloc_zeroed(region, absurd), Err(MemoryError::TooLarge { .. })));
            let result = grow(region, std::ptr::null_mut(), 0, absurd);
            assert!(matches!(result, Err(MemoryError::TooLarge { .. })));
        }
        assert!(matches!(alloc(region, 9 << 20), Err(MemoryError::Limit { limit: 0x80_0000, .. })));
        let block = alloc(region, 3 << 20).unwrap().as_ptr();
        // Twice as much would pass the limit; what is needed doesn't.
        let block = grow(region, block, 3 << 20, 7 << 20).unwrap().as_ptr();
        assert!(matches!(grow(region, block, 7 << 20, 8 << 20), Err(MemoryError::Limit { .. })));
        assert!(capacity(block) >= 7 << 20);
        free(region, block);
        let mut small = 0;
        while alloc(region, 1000).is_ok() {
            small += 1;
        }
        assert!((6000..8400).contains(&small), "{small}");
        reset(region);
        // Caches are emptied before a request is refused.
        alloc(region, 5 << 20).unwrap();
    }
    let mut world = reuse();
    let region = world.enter().as_ptr();
    // SAFETY: not used.
    unsafe { assert!(matches!(alloc(region, 1 << 46), Err(MemoryError::OutOfMemory { .. }))) };
}

#[test]
fn guard_mode_poisons_what_is_freed_and_does_not_use_it_again() {
    let mut world = guarded();
    let region = world.enter().as_ptr();
    // SAFETY: the read after free stays within the region's mapping, which lives until its end.
    unsafe {
        let first = alloc(region, 40).unwrap();
        assert_eq!(first.read(), FRESH);
        free(region, first.as_ptr());
        assert_eq!(first.read(), POISON);
        assert_ne!(alloc(region, 40).unwrap(), first);
        assert_eq!(alloc_zeroed(region, 40).unwrap().read(), 0);
    }
}

#[test]
fn a_deep_recursion_with_small_temporaries_stays_small() {
    let mut world = reuse();
    for _ in 0..100_000 {
        let region = world.enter().as_ptr();
        // SAFETY: entered above.
        unsafe { alloc(region, 24).unwrap() };
    }
    assert!(world.source.held() < 60 << 20, "{}", world.source.held());
}

/// Whether a read of the address ends the process that does it by a fault.
fn faults(address: *const u8) -> bool {
    // SAFETY: the child only reads and exits, without a lock or an allocation.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            libc::signal(libc::SIGSEGV, libc::SIG_DFL);
            libc::signal(libc::SIGBUS, libc::SIG_DFL);
            std::hint::black_box(address.read_volatile());
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        libc::WIFSIGNALED(status)
    }
}

#[test]
fn a_use_after_the_end_of_a_guarded_region_faults() {
    let mut world = guarded();
    let outer = world.enter().as_ptr();
    let inner = world.enter();
    // SAFETY: what is read afterwards is read by a child that may die of it.
    unsafe {
        let kept = alloc(outer, 40).unwrap();
        let left = alloc(inner.as_ptr(), 40).unwrap();
        assert!(!faults(left.as_ptr()));
        world.stack().exit_to(inner);
        assert!(faults(left.as_ptr()));
        let large = alloc(outer, 1 << 20).unwrap();
        let grown = grow(outer, large.as_ptr(), 1 << 20, 5 << 20).unwrap();
        assert!(faults(large.as_ptr()));
        assert!(!faults(grown.as_ptr()) && !faults(kept.as_ptr()));
        // New mappings don't take the addresses.
        for _ in 0..100 {
            alloc(outer, 20_000).unwrap();
        }
        assert!(faults(left.as_ptr()));
        reset(outer);
        assert!(faults(kept.as_ptr()) && faults(grown.as_ptr()));
    }
}

#[test]
#[should_panic(expected = "block freed twice")]
fn freeing_twice_is_noticed_in_guard_mode() {
    let mut world = guarded();
    let region = world.enter().as_ptr();
    // SAFETY: the second free is what is tested; the memory is still the region's.
    unsafe {
        let block = alloc(region, 40).unwrap().as_ptr();
        free(region, block);
        free(region, block);
    }
}

#[test]
fn leaving_an_outer_region_leaves_the_inner_ones() {
    let mut world = reuse();
    let outer = world.enter();
    let mut inner = Vec::new();
    for i in 0..10_000u64 {
        let region = world.enter();
        inner.push(region);
        // SAFETY: just entered.
        unsafe { alloc(region.as_ptr(), 1000 * (i % 100)).unwrap() };
    }
    // SAFETY: no block is used any more.
    unsafe {
        world.stack().exit_to(inner[5000]);
        assert_eq!(world.stack().depth(), 5001);
        assert_eq!(world.enter(), inner[5000]);
        assert_eq!(inner[5000].as_ref().chunks(), (0, 0));
        world.stack().exit_to(outer);
    }
    assert_eq!(world.stack().depth(), 0);
    world.trim();
    assert_eq!(world.source.held(), 0);
}

/// What a window saw last, word by word.
#[derive(Default)]
struct Seen(std::sync::Mutex<Option<Vec<u32>>>);

fn values(words: &[std::sync::atomic::AtomicU32]) -> Vec<u32> {
    words.iter().map(|word| word.load(std::sync::atomic::Ordering::Relaxed)).collect()
}

fn window() -> (Arc<Window>, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let last = seen.clone();
    (Arc::new(Window::new(move |words| *last.0.lock().unwrap() = Some(values(words)))), seen)
}

#[test]
fn a_window_shows_a_block_until_it_ends_in_whatever_way() {
    type End = fn(&mut World, NonNull<Region>, NonNull<u8>, u64);
    // SAFETY: the block is of the region, has so many bytes, and is not used afterwards.
    let ends: [(&str, End); 4] = unsafe {
        [
            ("free", |_, region, block, _| free(region.as_ptr(), block.as_ptr())),
            ("reset", |_, region, _, _| reset(region.as_ptr())),
            ("exit", |world, region, _, _| world.stack().exit_to(region)),
            ("grow", |_, region, block, bytes| {
                let moved = grow(region.as_ptr(), block.as_ptr(), bytes, 1 << 22).unwrap();
                assert_ne!(moved, block);
            }),
        ]
    };
    for (name, end) in ends {
        for make in [reuse, guarded] {
            for bytes in [4u64, 1000, MAX_SMALL, 1 << 20] {
                let mut world = make();
                let region = world.enter();
                let (window, seen) = window();
                assert_eq!(window.look(|_| ()), None);
                // SAFETY: the block has so many bytes.
                let block = unsafe {
                    let block = alloc_shown(region.as_ptr(), bytes, window.clone()).unwrap();
                    block.cast::<u32>().write(7);
                    block
                };
                let mut expected = vec![0; bytes as usize / 4];
                expected[0] = 7;
                assert_eq!(window.look(values).as_ref(), Some(&expected), "{name}");
                assert_eq!(*seen.0.lock().unwrap(), None);
                end(&mut world, region, block, bytes);
                assert_eq!(window.look(|_| ()), None, "{name}");
                assert_eq!(seen.0.lock().unwrap().as_ref(), Some(&expected), "{name}");
                assert_eq!(Arc::strong_count(&window), 1, "{name}");
            }
        }
    }
}

#[test]
fn a_block_does_not_end_while_somebody_looks() {
    let mut world = reuse();
    let region = world.enter();
    let (window, _) = window();
    // SAFETY: freed once, below.
    let block = unsafe { alloc_shown(region.as_ptr(), 1 << 20, window.clone()).unwrap() };
    let (started, begins) = std::sync::mpsc::channel();
    let looking = std::thread::spawn(move || {
        window.look(|words| {
            started.send(()).unwrap();
            // Unmapped memory would end the process.
            (0..200).map(|_| values(words).iter().sum::<u32>()).sum::<u32>()
        })
    });
    begins.recv().unwrap();
    // SAFETY: as above.
    unsafe { free(region.as_ptr(), block.as_ptr()) };
    world.trim();
    assert_eq!(looking.join().unwrap(), Some(0));
}

/// A block with a byte pattern of its own, and what is expected of it.
struct Filled {
    base: NonNull<u8>,
    bytes: u64,
    byte: u8,
}

impl Filled {
    /// # Safety
    /// As for [`alloc`].
    unsafe fn new(region: NonNull<Region>, bytes: u64, byte: u8) -> Filled {
        // SAFETY: by the caller's promise; the block has the room.
        unsafe {
            let base = alloc(region.as_ptr(), bytes).unwrap();
            base.write_bytes(byte, bytes as usize);
            Filled { base, bytes, byte }
        }
    }

    fn check(&self) {
        // SAFETY: the tests free what is filled when they are done with it.
        let contents = unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.bytes as usize) };
        assert!(contents.iter().all(|&byte| byte == self.byte));
    }
}

// SAFETY: an address; what is there is one thread's at a time.
unsafe impl Send for Filled {}

/// A stack of another thread, with its pool.
struct Helper {
    stack: RegionStack,
    annex: NonNull<Region>,
    pool: NonNull<PagePool>,
}

// SAFETY: the three go together.
unsafe impl Send for Helper {}

impl Helper {
    /// # Safety
    /// As for [`RegionStack::annex`].
    unsafe fn of(source: &Arc<PageSource>, region: NonNull<Region>) -> Helper {
        let pool = NonNull::from(Box::leak(Box::new(PagePool::new(source))));
        // SAFETY: the pool is freed after the stack, and by the caller's promise.
        unsafe {
            let mut stack = RegionStack::new(pool);
            Helper { annex: stack.annex(region).unwrap(), stack, pool }
        }
    }

    /// Frees a third of the blocks, makes others, and lets a third grow.
    fn work(&mut self, blocks: Vec<Filled>) -> Vec<Filled> {
        let annex = self.annex.as_ptr();
        let change = |(i, block): (usize, Filled)| {
            block.check();
            // SAFETY: the annex is one of the blocks' region; what is freed is not used any more.
            unsafe {
                let inner = self.stack.enter().unwrap();
                Filled::new(inner, 300, 1).check();
                self.stack.exit_to(inner);
                let Filled { base, bytes, byte } = block;
                match i % 3 {
                    0 => block,
                    1 => {
                        let base = grow(annex, base.as_ptr(), bytes, bytes + 5000).unwrap();
                        base.add(bytes as usize).write_bytes(byte, 5000);
                        Filled { base, bytes: bytes + 5000, byte }
                    }
                    _ => {
                        free(annex, base.as_ptr());
                        Filled::new(self.annex, SIZES[i % 6], 7 + i as u8)
                    }
                }
            }
        };
        blocks.into_iter().enumerate().map(change).collect()
    }

    /// # Safety
    /// As for [`RegionStack::join`].
    unsafe fn join(mut self) {
        // SAFETY: by the caller's promise; the pool was leaked for the stack.
        unsafe {
            self.stack.join();
            assert_eq!(self.stack.depth(), 0);
            drop(self.stack);
            drop(Box::from_raw(self.pool.as_ptr()));
        }
    }
}

const SIZES: [u64; 6] = [8, 100, 1000, MAX_SMALL, MAX_SMALL + 1, 600 << 10];

/// Threads free blocks of one region and make others in it, each in its annex, and the region has them all.
#[test]
fn annexes_work_on_one_region_from_several_threads() {
    for mut world in [reuse(), guarded()] {
        let region = world.enter();
        for round in 0..3 {
            // SAFETY: the region is entered and used by its annexes only until they are joined.
            unsafe {
                let old = (0..240).map(|i| Filled::new(region, SIZES[i % 6], i as u8));
                let mut parts: Vec<Vec<Filled>> = (0..4).map(|_| Vec::new()).collect();
                old.enumerate().for_each(|(i, block)| parts[i % 4].push(block));
                let source = world.stack().source();
                let mut helpers: Vec<_> = parts.iter().map(|_| Helper::of(&source, region)).collect();
                let all: Vec<Filled> = std::thread::scope(|scope| {
                    let work = |(helper, part)| scope.spawn(move || Helper::work(helper, part));
                    let threads: Vec<_> = helpers.iter_mut().zip(parts).map(work).collect();
                    threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
                });
                helpers.into_iter().for_each(|helper| helper.join());
                all.iter().for_each(Filled::check);
                // What the threads had is the region's own now.
                for block in all.iter().skip(round) {
                    free(region.as_ptr(), block.base.as_ptr());
                }
                let new: Vec<_> = (0..100).map(|i| Filled::new(region, SIZES[i % 5], 99)).collect();
                new.iter().for_each(Filled::check);
                reset(region.as_ptr());
            }
        }
    }
}

/// What is made in annexes and freed in the region, time and again, takes no more memory each time.
#[test]
fn annexes_use_what_their_region_has_freed() {
    let mut world = reuse();
    let region = world.enter();
    let source = world.stack().source();
    let mut held = Vec::new();
    for _ in 0..300 {
        // SAFETY: one thread; the region is used by its annexes only until they are joined, and what is freed no more.
        unsafe {
            let mut helpers: Vec<_> = (0..3).map(|_| Helper::of(&source, region)).collect();
            // The third has nothing to do.
            let make =
                |helper: &mut Helper| (0..400).map(|i| Filled::new(helper.annex, SIZES[i % 4], i as u8)).collect();
            let all: Vec<Vec<Filled>> = helpers.iter_mut().take(2).map(make).collect();
            helpers.into_iter().for_each(|helper| helper.join());
            all.iter().flatten().for_each(Filled::check);
            all.iter().flatten().for_each(|block| free(region.as_ptr(), block.base.as_ptr()));
        }
        held.push(source.held());
    }
    assert!(held[299] <= held[9], "{held:?}");
}

#[test]
fn what_a_loop_reset_is_not_kept() {
    let mut world = reuse();
    let region = world.enter();
    // SAFETY: one thread; the annex is joined before the region is used again.
    unsafe {
        let helper = Helper::of(&world.stack().source(), region);
        Filled::new(helper.annex, 500, 3).check();
        reset(helper.annex.as_ptr());
        helper.join();
        assert_eq!(region.as_ref().chunks(), (0, 0));
    }
}

#[test]
fn the_regions_of_another_stack_come_on_top() {
    for rest in [0, 40] {
        let mut world = reuse();
        let region = world.enter();
        // SAFETY: one thread; what is freed is not used any more.
        unsafe {
            // Headers above the top, which were in use before.
            let above: Vec<_> = (0..rest).map(|_| world.enter()).collect();
            above.first().into_iter().for_each(|&first| world.stack().exit_to(first));
            let Helper { mut stack, annex, pool } = Helper::of(&world.stack().source(), region);
            let inner: Vec<_> = (0..40).map(|_| stack.enter().unwrap()).collect();
            let blocks = [Filled::new(annex, 100, 1), Filled::new(inner[30], 9000, 2)];
            world.stack().append(stack);
            drop(Box::from_raw(pool.as_ptr()));
            assert_eq!(world.stack().depth(), 42);
            assert_eq!(world.stack().find(annex.addr().get()), Some((annex, 40)));
            blocks.iter().for_each(Filled::check);
            // All of them go on as the stack's own.
            let newest = world.enter();
            Filled::new(newest, 100, 4).check();
            world.stack().exit_to(inner[31]);
            Filled::new(inner[30], MAX_SMALL + 1, 5).check();
            blocks.iter().for_each(Filled::check);
            world.stack().exit_to(inner[0]);
            blocks[0].check();
            for _ in 0..100 {
                world.enter();
            }
            world.stack().exit_all();
        }
    }
}
