//! Routines that traces do themselves where they can: blocks are zero, nobody else's, and registers keep their values.

mod common;

use common::*;
use scaly_asm::{Options, X64};
use scaly_interp::interpreter::{self, State};
use scaly_interp::routine::Routine;
use scaly_interp::tier::Position;
use scaly_runtime::memory::{MemoryOptions, RegionMode, capacity};
use scaly_tracer::backend::{Backend, Left};
use scaly_tracer::region::Type;
use scaly_tracer::trace::{End, ExitKind, Op, Ref, Trace, TraceId};

/// Runs a routine on slot 10, with values in most registers.
fn trace(routine: Routine, bytes: Option<i64>) -> Trace {
    let mut make = Make::root();
    let words: Vec<Ref> = (20..28).map(|slot| make.slot(slot, Type::Word)).collect();
    let floats: Vec<Ref> = (28..41).map(|slot| make.slot(slot, Type::Float)).collect();
    let zero = make.word(0);
    (20..41).for_each(|slot| {
        make.push(Op::StoreSlot(slot), zero, Ref::NONE);
    });
    if let Some(bytes) = bytes {
        let bytes = make.word(bytes);
        make.push(Op::StoreSlot(11), bytes, Ref::NONE);
    }
    let slots: Vec<(u32, Ref)> = (20..).zip(words.into_iter().chain(floats)).collect();
    let refused = make.snapshot(ExitKind::Outcome, &slots);
    make.push_with(Op::Routine { routine, slot: 10 }, Ref::NONE, Ref::NONE, Some(refused));
    let done = make.snapshot(ExitKind::Leave, &slots);
    make.end(End::Leave(done))
}

struct Run<'a> {
    backend: &'a X64,
    state: &'a mut State,
    at: Position,
}

const ENTER: TraceId = TraceId(0);
const RESET: TraceId = TraceId(1);
const EXIT: TraceId = TraceId(2);
const FREE: TraceId = TraceId(3);
const ALLOC: u32 = 10;

impl Run<'_> {
    fn assemble(&self) {
        assemble(self.backend, ENTER, &trace(Routine::RegionEnter, None));
        assemble(self.backend, RESET, &trace(Routine::RegionReset, None));
        assemble(self.backend, EXIT, &trace(Routine::RegionExit, None));
        assemble(self.backend, FREE, &trace(Routine::Free, None));
        for bytes in 0..=200 {
            assemble(self.backend, TraceId(ALLOC + bytes), &trace(Routine::Alloc, Some(i64::from(bytes))));
        }
    }

    /// What slot 10 holds behind it; none if it has left because of the outcome.
    fn run(&mut self, id: TraceId, a: u64, b: u64) -> Option<u64> {
        let frame = frame(self.at);
        frame.iter_mut().enumerate().for_each(|(i, slot)| *slot = 0x4000_0000_0000_0000 + i as u64);
        frame[10] = a;
        frame[11] = b;
        let Left::Exit { exit, .. } = self.backend.enter(id, self.state, self.at) else { panic!() };
        for (i, slot) in frame.iter().enumerate().take(41).skip(20) {
            assert_eq!(*slot, 0x4000_0000_0000_0000 + i as u64, "slot {i}");
        }
        (exit.0 != first_exit(id).0).then_some(frame[10])
    }

    fn alloc(&mut self, region: u64, bytes: u64) -> Option<Block> {
        let base = self.run(TraceId(ALLOC + bytes as u32), region, 0)?;
        let block = Block { region, base, bytes };
        if bytes == 0 {
            assert_eq!(base, 0);
            return Some(block);
        }
        // SAFETY: a live block, if all is well.
        assert!(unsafe { capacity(base as *const u8) } >= bytes);
        assert!(base.is_multiple_of(16));
        assert!(block.contents().iter().all(|&byte| byte == 0), "{bytes} bytes");
        block.contents().fill(block.pattern());
        Some(block)
    }
}

#[derive(Clone, Copy, PartialEq)]
struct Block {
    region: u64,
    base: u64,
    bytes: u64,
}

impl Block {
    fn contents(&self) -> &'static mut [u8] {
        if self.bytes == 0 {
            return &mut [];
        }
        // SAFETY: tests look only at live blocks.
        unsafe { std::slice::from_raw_parts_mut(self.base as *mut u8, self.bytes as usize) }
    }

    fn pattern(&self) -> u8 {
        (self.base >> 4) as u8 | 1
    }
}

fn with_run(mode: RegionMode, limit: Option<u64>, registers: Option<u64>, body: impl FnOnce(&mut Run<'_>)) {
    let options = Options { registers, ..Options::default() };
    let limits = interpreter::Options { memory: MemoryOptions { mode, limit }, ..interpreter::Options::default() };
    with_limits(options, limits, |backend, state, at| {
        let mut run = Run { backend, state, at };
        run.assemble();
        body(&mut run);
    });
}

#[test]
fn regions_and_blocks_are_made_and_given_back() {
    for (mode, registers) in [(RegionMode::Reuse, None), (RegionMode::Guard, None), (RegionMode::Reuse, Some(5))] {
        with_run(mode, None, registers, |run| {
            let mut random = 1u64;
            let mut below = |limit: u64| {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (random >> 33) % limit
            };
            let mut regions: Vec<u64> = Vec::new();
            let mut blocks: Vec<Block> = Vec::new();
            let mut most = 0;
            for _ in 0..20_000 {
                match below(120) {
                    0 => regions.push(run.run(ENTER, 0, 0).unwrap()),
                    _ if regions.is_empty() => {}
                    1 => {
                        // All above go too.
                        let at = regions.len() - 1 - below(regions.len().min(2) as u64) as usize;
                        run.run(EXIT, regions[at], 0);
                        for region in regions.drain(at..) {
                            blocks.retain(|block| block.region != region);
                        }
                    }
                    2 => {
                        let region = regions[below(regions.len() as u64) as usize];
                        run.run(RESET, region, 0);
                        blocks.retain(|block| block.region != region);
                    }
                    3..70 => {
                        let region = regions[below(regions.len() as u64) as usize];
                        blocks.push(run.alloc(region, below(201)).unwrap());
                    }
                    newest if !blocks.is_empty() => {
                        let at = if newest < 95 { blocks.len() - 1 } else { below(blocks.len() as u64) as usize };
                        let block = blocks.remove(at);
                        run.run(FREE, block.region, block.base);
                    }
                    _ => {}
                }
                most = most.max(blocks.len());
                if let Some(block) = blocks.get(below(blocks.len().max(1) as u64) as usize) {
                    assert!(block.contents().iter().all(|&byte| byte == block.pattern()));
                }
            }
            assert!(most > 30, "{most}");
        });
    }
}

#[test]
fn a_block_that_is_refused_leaves() {
    with_run(RegionMode::Reuse, Some(8 << 20), None, |run| {
        let region = run.run(ENTER, 0, 0).unwrap();
        let made = (0..200_000).take_while(|_| run.alloc(region, 100).is_some()).count();
        assert!((10_000..200_000).contains(&made), "{made}");
        run.run(RESET, region, 0);
        assert!(run.alloc(region, 100).is_some());
    });
}
