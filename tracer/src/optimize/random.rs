//! Random loops, recorded as the recorder does it, behave the same before and behind the optimizer.

use proptest::prelude::*;
use proptest::sample::select;
use scaly_interp::machine::{FloatOp, IntCompare, IntKind, IntMemory, IntOp, IntUnary};
use scaly_interp::program::{Class, FunctionId, LoopId, Pc};
use scaly_interp::routine::Routine;

use super::evaluate::{Run, SLOTS, TREE_EXIT, TREE_WRITES, World, bits, run};
use super::testing::{AllLive, record};
use super::{Liveness, finish};
use crate::region::{Op as Common, Type};
use crate::trace::{Const, End, ExitKind, Inst, Op, Ref, Root, Slot, SlotState, Snapshot, SnapshotId, Trace, TraceId};

/// One instruction of the bytecode, more or less. Words are in slots 0 to 3 and 10 to 13, floats in 4 to 6; slot 7 holds
/// bits that are only moved. Slots 8 and 9 are arrays that may overlap. Frames of calls begin at 16.
#[derive(Clone, Copy, Debug)]
enum Step {
    Int(IntOp, Slot, Slot, Slot),
    IntImm(IntOp, Slot, Slot, i64),
    Unary(IntUnary, Slot, Slot),
    Compare(IntCompare, Slot, Slot, Slot),
    Branch(IntCompare, Slot, Slot),
    /// Index, length.
    Check(Slot, Slot),
    BranchImm(IntCompare, Slot, i64),
    Move(Slot, Slot),
    Swap(Slot, Slot),
    Const(Slot, i64),
    Float(FloatOp, Slot, Slot, Slot),
    FromInt(Slot, Slot),
    Load(IntMemory, Slot, Slot, Slot, u32),
    Store(IntMemory, Slot, Slot, u32, Slot),
    LoadFloat(Slot, Slot, Slot, u32),
    StoreFloat(Slot, Slot, u32, Slot),
    Function(Option<Slot>),
    /// The function whose id is here.
    Value(Slot),
    Routine(Routine, Slot),
    Tree,
}

/// What makes it a loop: slot 10 counts, slot 11 has the trips or the limit. Nothing else writes them then.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Any,
    Counted,
    /// Only checks end it.
    Endless(i64),
    /// A guard at the begin of each iteration.
    While(IntCompare, i64),
    /// At its end.
    Repeat(IntCompare, i64),
    /// The guard compares the limit with the counter.
    Down(IntCompare, i64),
    /// What is added does not change: slot 13, a length too.
    Sieve(IntCompare),
}

fn shapes() -> impl Strategy<Value = Shape> {
    use IntCompare::{LeS, LeU, LtS, LtU};
    let up = || (select(&[LtS, LeS, LtU, LeU][..]), select(&[1i64, 2, 5][..]));
    prop_oneof![
        Just(Shape::Any),
        Just(Shape::Counted),
        select(&[1i64, -1][..]).prop_map(Shape::Endless),
        up().prop_map(|(op, step)| Shape::While(op, step)),
        up().prop_map(|(op, step)| Shape::Repeat(op, step)),
        up().prop_map(|(op, step)| Shape::Down(op, -step)),
        up().prop_map(|(op, _)| Shape::Sieve(op)),
    ]
}

fn shaped_steps() -> impl Strategy<Value = (Shape, Vec<Step>)> {
    shapes().prop_flat_map(|shape| (Just(shape), steps(matches!(shape, Shape::Any))))
}

fn steps(any: bool) -> impl Strategy<Value = Vec<Step>> {
    let word = || select(&[0u32, 1, 2, 3, 10, 11, 12, 13][..]);
    let target = move || select(if any { &[0u32, 1, 2, 3, 10, 11][..] } else { &[0u32, 1, 2, 3][..] });
    let float = || 4u32..7;
    let array = || 8u32..10;
    // Few, so that accesses meet.
    let index = || select(&[0u32, 0, 0, 1, 10][..]);
    let offset = || select(&[0u32, 4, 8, 16][..]);
    let ints = || {
        use IntOp::*;
        select(&[Add, Add, Sub, Mul, And, Or, Xor, Shl, ShrS, ShrU, MinS, MaxS, DivS, RemS, DivU, RemU, MulHighU][..])
    };
    let compares = || {
        use IntCompare::*;
        select(&[Eq, Ne, LtS, LeS, LtU, LeU][..])
    };
    let number = || select(&[-8i64, -1, 0, 1, 2, 3, 8, 64, 255][..]);
    let memory = || {
        use IntMemory::*;
        select(&[I8, U8, I16, U16, I32, U32, I64, I64][..])
    };
    let unary = || {
        let mut all = vec![IntUnary::Neg, IntUnary::Not, IntUnary::AbsS, IntUnary::PopCount];
        all.extend(IntKind::ALL.map(IntUnary::Wrap));
        select(all)
    };
    let floats = || select(&[FloatOp::Add, FloatOp::Mul, FloatOp::Min, FloatOp::Max][..]);
    let moved = || prop_oneof![word(), 7u32..8];
    let moved_to = || prop_oneof![target(), 7u32..8];
    let length = || select(&[12u32, 13, 13, 11][..]);
    let routine = select(&[Routine::ArrayRepeat, Routine::MemoryEqual, Routine::Alloc, Routine::ConsolePrint][..]);
    let step = prop_oneof![
        4 => (ints(), target(), word(), word()).prop_map(|(op, d, a, b)| Step::Int(op, d, a, b)),
        6 => (ints(), target(), word(), number()).prop_map(|(op, d, a, c)| Step::IntImm(op, d, a, c)),
        2 => (unary(), target(), word()).prop_map(|(op, d, a)| Step::Unary(op, d, a)),
        2 => (compares(), target(), word(), word()).prop_map(|(op, d, a, b)| Step::Compare(op, d, a, b)),
        3 => (compares(), word(), word()).prop_map(|(op, a, b)| Step::Branch(op, a, b)),
        4 => (word(), length()).prop_map(|(i, n)| Step::Check(i, n)),
        3 => select(&[Step::Check(10, 13), Step::Check(10, 12)][..]),
        3 => (0u32..4, select(&[-2i64, -1, 1, 3][..])).prop_map(|(d, c)| Step::IntImm(IntOp::Add, d, 10, c)),
        2 => (0u32..4, select(&[-1i64, 2, 3][..])).prop_map(|(d, c)| Step::IntImm(IntOp::Mul, d, 10, c)),
        2 => (0u32..4, 0u32..4).prop_map(|(d, a)| Step::Int(IntOp::Add, d, 10, a)),
        1 => (0u32..4, word(), length()).prop_map(|(d, a, m)| Step::Int(IntOp::And, d, a, m)),
        1 => (0u32..4, word(), length()).prop_map(|(d, a, m)| Step::Int(IntOp::RemU, d, a, m)),
        3 => (compares(), word(), number()).prop_map(|(op, a, c)| Step::BranchImm(op, a, c)),
        2 => (moved_to(), moved()).prop_map(|(d, a)| Step::Move(d, a)),
        2 => (0u32..4, 0u32..4).prop_map(|(a, b)| Step::Swap(a, b)),
        1 => (target(), number()).prop_map(|(d, c)| Step::Const(d, c)),
        3 => (floats(), float(), float(), float()).prop_map(|(op, d, a, b)| Step::Float(op, d, a, b)),
        1 => (float(), word()).prop_map(|(d, a)| Step::FromInt(d, a)),
        4 => (memory(), target(), array(), index(), offset()).prop_map(|(k, d, b, i, o)| Step::Load(k, d, b, i, o)),
        4 => (memory(), array(), index(), offset(), word()).prop_map(|(k, b, i, o, v)| Step::Store(k, b, i, o, v)),
        2 => (7u32..8, array(), index(), offset()).prop_map(|(d, b, i, o)| Step::LoadFloat(d, b, i, o)),
        2 => (array(), index(), offset(), 4u32..8).prop_map(|(b, i, o, v)| Step::StoreFloat(b, i, o, v)),
        1 => prop_oneof![Just(None), word().prop_map(Some)].prop_map(Step::Function),
        1 => word().prop_map(Step::Value),
        1 => (routine, word()).prop_map(|(r, a)| Step::Routine(r, a)),
        1 => Just(Step::Tree),
    ];
    prop::collection::vec(step, 1..16)
}

#[derive(Clone, Copy)]
enum Known {
    Memory(u32),
    Loaded(Ref, u32),
    Written(Ref),
}

/// Records without optimizing anything, and runs along.
struct Recording {
    trace: Trace,
    world: World,
    values: Vec<Option<Const>>,
    slots: Vec<Known>,
    pc: Pc,
}

impl Recording {
    fn new(world: World) -> Recording {
        Recording {
            trace: Trace::new(Root::Loop(LoopId(0))),
            world,
            values: Vec::new(),
            slots: vec![Known::Memory(0); SLOTS],
            pc: Pc(0),
        }
    }

    fn constant(&mut self, value: Const) -> Ref {
        let at = self.trace.constants.iter().position(|&c| c == value).unwrap_or(self.trace.constants.len());
        if at == self.trace.constants.len() {
            self.trace.constants.push(value);
        }
        Ref::constant(at)
    }

    fn push(&mut self, op: Op, a: Ref, b: Ref, snapshot: Option<SnapshotId>) -> Ref {
        self.trace.insts.push(Inst { op, a, b, snapshot, pc: self.pc });
        self.values.push(None);
        let at = self.trace.insts.len() - 1;
        let (world, values) = (self.world.clone(), std::mem::take(&mut self.values));
        let mut run = Run::start(&self.trace, world, values);
        assert_eq!(run.inst(at), None);
        (self.world, self.values) = run.values();
        Ref::instruction(at)
    }

    fn common(&mut self, op: Common, a: Ref, b: Ref) -> Ref {
        self.push(Op::Common(op), a, b, None)
    }

    fn read(&mut self, slot: Slot, ty: Type) -> Ref {
        let value = match self.slots[slot as usize] {
            Known::Memory(epoch) => {
                let value = self.push(Op::Slot { slot, ty, epoch }, Ref::NONE, Ref::NONE, None);
                self.slots[slot as usize] = Known::Loaded(value, epoch);
                return value;
            }
            Known::Loaded(value, _) | Known::Written(value) => value,
        };
        if self.trace.ty(value) == Some(ty) {
            return value;
        }
        self.common(Common::Reread(ty), value, Ref::NONE)
    }

    fn word(&mut self, slot: Slot) -> Ref {
        self.read(slot, Type::Word)
    }

    fn any(&mut self, slot: Slot) -> Ref {
        match self.slots[slot as usize] {
            Known::Loaded(value, _) | Known::Written(value) => value,
            Known::Memory(_) => self.word(slot),
        }
    }

    fn call(&mut self, op: Op, callee: Ref) {
        self.store_slots(16..18);
        let snapshot = self.snapshot(ExitKind::Resume);
        self.push(op, callee, Ref::NONE, Some(snapshot));
        let epoch = self.epoch();
        for slot in 16..SLOTS {
            self.slots[slot] = Known::Memory(epoch);
        }
        let value = self.word(16);
        self.write(3, value);
    }

    fn write(&mut self, slot: Slot, value: Ref) {
        self.slots[slot as usize] = Known::Written(value);
    }

    fn snapshot(&mut self, kind: ExitKind) -> SnapshotId {
        let slots: Vec<(Slot, Ref)> = (0..SLOTS as Slot)
            .filter_map(|slot| match self.slots[slot as usize] {
                Known::Written(value) | Known::Loaded(value, 1..) => Some((slot, value)),
                _ => None,
            })
            .collect();
        self.trace.snapshots.push(Snapshot { kind, pc: self.pc, frames: Vec::new(), slots });
        SnapshotId(self.trace.snapshots.len() as u32 - 1)
    }

    fn guard(&mut self, op: IntCompare, a: Ref, b: Ref) {
        let cond = self.common(Common::Compare(op), a, b);
        let expected = self.values[cond.index()] == Some(Const::Cond(true));
        let snapshot = self.snapshot(ExitKind::Resume);
        self.push(Op::Guard { expected }, cond, Ref::NONE, Some(snapshot));
    }

    fn epoch(&mut self) -> u32 {
        self.trace.epochs += 1;
        self.trace.epochs
    }

    fn store_slots(&mut self, slots: std::ops::Range<Slot>) {
        for slot in slots {
            if let Known::Written(value) = self.slots[slot as usize] {
                self.push(Op::StoreSlot(slot), value, Ref::NONE, None);
            }
        }
    }

    fn element(&mut self, array: Slot, index: Slot) -> Ref {
        let (base, index) = (self.word(array), self.word(index));
        self.common(Common::Element { stride: 8, offset: 0 }, base, index)
    }

    fn float(&mut self, op: FloatOp, a: Ref, b: Ref) -> Ref {
        self.common(Common::Float(op), a, b)
    }

    /// Keeps it away from 0, infinity and NaN.
    fn bounded(&mut self, value: Ref) -> Ref {
        let (low, high) = (Const::Float(1e-9f64.to_bits()), Const::Float(1e9f64.to_bits()));
        let (low, high) = (self.constant(low), self.constant(high));
        let value = self.float(FloatOp::Min, high, value);
        self.float(FloatOp::Max, value, low)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Int(op, d, a, b) => {
                let (a, b) = (self.word(a), self.word(b));
                let value = self.common(Common::Int(op), a, b);
                self.write(d, value);
            }
            Step::IntImm(op, d, a, c) => {
                let (a, b) = (self.word(a), self.constant(Const::Word(c)));
                let value = self.common(Common::Int(op), a, b);
                self.write(d, value);
            }
            Step::Unary(op, d, a) => {
                let a = self.word(a);
                let value = self.common(Common::IntUnary(op), a, Ref::NONE);
                self.write(d, value);
            }
            Step::Compare(op, d, a, b) => {
                let (a, b) = (self.word(a), self.word(b));
                let cond = self.common(Common::Compare(op), a, b);
                let value = self.common(Common::CondWord, cond, Ref::NONE);
                self.write(d, value);
            }
            Step::Branch(op, a, b) => {
                let (a, b) = (self.word(a), self.word(b));
                self.guard(op, a, b);
            }
            Step::Check(index, length) => {
                let (a, b) = (self.word(index), self.word(length));
                self.guard(IntCompare::LtU, a, b);
            }
            Step::BranchImm(op, a, c) => {
                let (a, b) = (self.word(a), self.constant(Const::Word(c)));
                self.guard(op, a, b);
            }
            Step::Move(d, a) => {
                let value = self.any(a);
                self.write(d, value);
            }
            Step::Swap(a, b) => {
                let values = (self.any(a), self.any(b));
                self.write(b, values.0);
                self.write(a, values.1);
            }
            Step::Const(d, c) => {
                let value = self.constant(Const::Word(c));
                self.write(d, value);
            }
            Step::Float(op, d, a, b) => {
                let (a, b) = (self.read(a, Type::Float), self.read(b, Type::Float));
                let value = self.float(op, a, b);
                let value = self.bounded(value);
                self.write(d, value);
            }
            Step::FromInt(d, a) => {
                let a = self.word(a);
                let value = self.common(Common::IntToFloat(true), a, Ref::NONE);
                let value = self.bounded(value);
                self.write(d, value);
            }
            step => self.memory_step(step),
        }
    }

    fn memory_step(&mut self, step: Step) {
        let none = Ref::NONE;
        match step {
            Step::Load(kind, d, base, index, offset) => {
                let address = self.element(base, index);
                let value = self.common(Common::LoadInt(kind, offset), address, none);
                self.write(d, value);
            }
            Step::Store(kind, base, index, offset, from) => {
                let (address, value) = (self.element(base, index), self.word(from));
                self.common(Common::StoreInt(kind, offset), address, value);
            }
            Step::LoadFloat(d, base, index, offset) => {
                let address = self.element(base, index);
                let value = self.common(Common::LoadFloat(offset), address, none);
                self.write(d, value);
            }
            Step::StoreFloat(base, index, offset, from) => {
                let (address, value) = (self.element(base, index), self.read(from, Type::Float));
                self.common(Common::StoreFloat(offset), address, value);
            }
            Step::Function(argument) => {
                if let Some(argument) = argument {
                    let value = self.any(argument);
                    self.write(16, value);
                    self.write(17, value);
                }
                self.call(Op::CallFunction { function: FunctionId(1), slot: 16 }, none);
            }
            Step::Value(id) => {
                let id = self.word(id);
                self.call(Op::CallValue { class: Class::new(2, 1, false), slot: 16 }, id);
            }
            Step::Routine(routine, argument) => {
                let row = routine.signature();
                let value = self.any(argument);
                self.write(20, value);
                let snapshot = self.snapshot(ExitKind::Outcome);
                self.store_slots(20..20 + Slot::from(row.param_slots()));
                self.push(Op::Routine { routine, slot: 20 }, none, none, Some(snapshot));
                let epoch = self.epoch();
                for slot in 20..20 + Slot::from(row.result_slots()) {
                    self.slots[slot as usize] = Known::Memory(epoch);
                }
            }
            Step::Tree => {
                self.store_slots(0..SLOTS as Slot);
                let code = self.push(Op::CallTree { tree: TraceId(1), slot: 0 }, none, none, None);
                let wanted = self.constant(Const::Word(TREE_EXIT));
                let cond = self.common(Common::Compare(IntCompare::Eq), code, wanted);
                let (kind, slots) = (ExitKind::PassOn(code), vec![(0, code)]);
                self.trace.snapshots.push(Snapshot { kind, pc: self.pc, frames: Vec::new(), slots });
                let snapshot = SnapshotId(self.trace.snapshots.len() as u32 - 1);
                self.push(Op::Guard { expected: true }, cond, none, Some(snapshot));
                let epoch = self.epoch();
                for slot in TREE_WRITES {
                    self.slots[slot] = Known::Memory(epoch);
                }
            }
            _ => unreachable!("{step:?}"),
        }
    }

    fn close(mut self) -> Trace {
        self.pc = Pc(0);
        let snapshot = self.snapshot(ExitKind::Resume);
        self.trace.end = End::Loop(snapshot);
        for (slot, &known) in self.slots.iter().enumerate() {
            let state = match known {
                Known::Memory(0) | Known::Loaded(_, 0) => continue,
                Known::Memory(epoch) | Known::Loaded(_, epoch) => SlotState::Memory(epoch),
                Known::Written(value) => SlotState::Value(value),
            };
            self.trace.carried.push((slot as Slot, state));
        }
        self.trace
    }
}

/// The instructions of a loop of a shape.
fn whole(shape: Shape, steps: &[Step]) -> Vec<Step> {
    let count = |step| Step::IntImm(IntOp::Add, 10, 10, step);
    let (before, behind) = match shape {
        Shape::Any => (vec![], vec![]),
        Shape::Counted => {
            (vec![], vec![Step::BranchImm(IntCompare::Ne, 11, 0), Step::IntImm(IntOp::Sub, 11, 11, 1), count(1)])
        }
        Shape::Endless(step) => (vec![], vec![count(step)]),
        Shape::While(op, step) => (vec![Step::Branch(op, 10, 11)], vec![count(step)]),
        Shape::Repeat(op, step) => (vec![], vec![count(step), Step::Branch(op, 10, 11)]),
        Shape::Down(op, step) => (vec![Step::Branch(op, 11, 10)], vec![count(step)]),
        Shape::Sieve(op) => (vec![Step::Branch(op, 10, 11)], vec![Step::Int(IntOp::Add, 10, 10, 13)]),
    };
    before.into_iter().chain(steps.iter().copied()).chain(behind).collect()
}

fn recorded(steps: &[Step], world: &World) -> Trace {
    let mut recording = Recording::new(world.clone());
    for (i, &step) in steps.iter().enumerate() {
        recording.pc = Pc(i as u32 + 1);
        recording.step(step);
    }
    recording.close()
}

fn worlds() -> impl Strategy<Value = World> {
    let word = || select(&[0u64, 1, 2, 3, 7, 100, u64::MAX, 1 << 63][..]);
    let float = || select(&[1.0f64, 2.5, 0.5][..]);
    let near = select(&[0x1000u64, 0x1008, 0x1004, 0x9000][..]);
    let count = || prop_oneof![8 => 0u64..12, 1 => select(&[u64::MAX, 1 << 63, (1 << 63) - 2][..])];
    let counts = (count(), count(), count(), count());
    let parts = (prop::collection::vec(word(), SLOTS), prop::collection::vec(float(), 3), near, counts);
    parts.prop_map(|(words, floats, near, counts)| {
        let mut slots: [u64; SLOTS] = words.try_into().unwrap();
        for (slot, float) in slots[4..7].iter_mut().zip(floats) {
            *slot = float.to_bits();
        }
        (slots[8], slots[9]) = (0x1000, near);
        (slots[10], slots[11], slots[12], slots[13]) = counts;
        World::new(slots)
    })
}

/// Slots that may be read behind exits, a bit each.
struct Few(u32);

impl Liveness for Few {
    fn live(&self, _: Pc, slot: u16) -> bool {
        self.0 >> slot & 1 == 1
    }
}

/// Everything that goes on behind an exit sees the same.
fn same(raw: &Trace, finished: &Trace, world: &World, budget: u32, live: &Few) -> Result<(), TestCaseError> {
    let (mut there, mut optimized) = run(finished, world.clone(), budget);
    // A poll, and a check that was hoisted, leave at the header; the latter when the first iteration is complete.
    let budget = if there.pc == Pc(0) {
        there.iterations = there.iterations.max(1);
        there.iterations
    } else {
        budget
    };
    let (here, mut plain) = run(raw, world.clone(), budget);
    prop_assert_eq!((here.pc, here.kind, here.iterations), (there.pc, there.kind, there.iterations));
    // The header of the call's frame and what lies behind its result is garbage.
    for world in [&mut plain, &mut optimized] {
        world.slots[14..16].fill(0);
        for slot in (0..SLOTS).filter(|&slot| !live.live(Pc(0), slot as u16)) {
            world.slots[slot] = 0;
        }
    }
    prop_assert_eq!(plain.slots, optimized.slots);
    prop_assert_eq!(plain.memory(), optimized.memory());
    prop_assert_eq!(plain.log, optimized.log);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, max_shrink_iters: 20000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_loops_do_the_same(
        (shape, steps) in shaped_steps(),
        world in worlds(),
        budget in 1u32..12,
        live in prop_oneof![Just(u32::MAX), any::<u32>()],
    ) {
        let steps = whole(shape, &steps);
        // A tree that is called reads them all.
        let trees = steps.iter().any(|step| matches!(step, Step::Tree));
        let live = Few(if trees { u32::MAX } else { live });
        let raw = recorded(&steps, &world);
        let finished = finish(record(&raw), &live, true).trace;
        prop_assert_eq!(finished.verify(), Ok(()));
        same(&raw, &finished, &world, budget, &live).map_err(|error| {
            TestCaseError::fail(format!("{error}\nrecorded\n{raw}\nfinished\n{finished}"))
        })?;
    }
}

/// What is compared is not always nothing.
#[test]
fn loops_are_really_run() {
    let steps = [Step::IntImm(IntOp::Add, 0, 0, 1), Step::BranchImm(IntCompare::LtS, 0, 4)];
    let world = World::new([0; SLOTS]);
    let raw = recorded(&steps, &world);
    let finished = finish(record(&raw), &AllLive, true).trace;
    let (exit, after) = run(&finished, world, 100);
    assert_eq!((exit.pc, exit.iterations, after.slots[0]), (Pc(2), 3, 4), "{finished}");
    assert_eq!(bits(Const::Word(1)), 1);
}
