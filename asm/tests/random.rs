//! Random traces against the model: many values alive, loops with phis of all kinds, side traces, inner trees.

mod common;

use common::model::{Ended, MEMORIES, Model};
use common::*;
use scaly_asm::{Features, Options, X64};
use scaly_interp::interpreter::State;
use scaly_interp::machine::{FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntOp, IntUnary};
use scaly_interp::program::{Class, FunctionId, LoopId, Pc};
use scaly_interp::tier::Position;
use scaly_tracer::backend::{Backend, Left, code};
use scaly_tracer::region::{Op as Common, Type};
use scaly_tracer::trace::{Const, End, ExitId, ExitKind, Frame, Op, Ref, Root, Slot, SnapshotId, Trace, TraceId};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % limit
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn word(&mut self) -> i64 {
        let wide = (self.below(1 << 30) as i64) << 34 ^ self.below(1 << 30) as i64;
        match self.below(4) {
            0 => self.below(10) as i64,
            1 => -(self.below(300) as i64),
            2 => wide >> 31,
            _ => wide,
        }
    }
}

/// Slots that values are loaded from: words, then doubles, then singles.
const EACH: usize = 6;
/// Slots that stores of slots and exits write.
const WRITTEN: Slot = 30;
/// Slots of the memory that loads and stores work on: words, then doubles, then singles.
const MEMORY: Slot = 100;
const MEMORY_EACH: usize = 16;
/// Where the frames of inner trees and callees begin.
const INNER: Slot = 200;
/// The slot that limits how often a loop runs.
const BUDGET: Slot = 59;

const TYPES: [Type; 3] = [Type::Word, Type::Float, Type::Single];

fn file(ty: Type) -> usize {
    match ty {
        Type::Word => 0,
        Type::Float => 1,
        Type::Single => 2,
        Type::Cond => 3,
    }
}

struct Generator<'a> {
    random: &'a mut Random,
    make: Make,
    /// By type, conditions last.
    values: [Vec<Ref>; 4],
    /// The trees and functions that may be called.
    inner: Vec<TraceId>,
    functions: bool,
}

impl<'a> Generator<'a> {
    fn new(random: &'a mut Random, root: Root) -> Self {
        Generator { random, make: Make::new(root), values: Default::default(), inner: Vec::new(), functions: false }
    }

    fn add(&mut self, ty: Type, value: Ref) -> Ref {
        self.values[file(ty)].push(value);
        value
    }

    fn slots(&mut self) {
        for (file, ty) in TYPES.into_iter().enumerate() {
            for i in 0..EACH {
                if !self.random.chance(4) {
                    let value = self.make.slot((file * EACH + i) as Slot, ty);
                    self.add(ty, value);
                }
            }
        }
    }

    fn constant(&mut self, ty: Type) -> Ref {
        let word = self.random.word();
        self.make.constant(match ty {
            Type::Word => Const::Word(word),
            Type::Float => Const::Float(if word & 1 == 0 { (word as f64).to_bits() } else { word as u64 }),
            Type::Single => Const::Single(if word & 1 == 0 { (word as f32).to_bits() } else { word as u32 }),
            Type::Cond => Const::Cond(word & 1 == 0),
        })
    }

    fn value(&mut self, ty: Type) -> Ref {
        if self.values[file(ty)].is_empty() || self.random.chance(8) {
            return self.constant(ty);
        }
        // Recent ones more often, old ones too: long lives.
        let all = &self.values[file(ty)];
        let count = all.len();
        let from = if self.random.chance(3) { 0 } else { count.saturating_sub(4) };
        let at = from + self.random.below(count - from);
        self.values[file(ty)][at]
    }

    fn emit(&mut self, op: Common) {
        let (types, result) = op.shape().unwrap();
        let mut operands = [Ref::NONE; 2];
        for (i, &ty) in types.iter().enumerate() {
            operands[i] = self.value(ty);
        }
        let value = self.make.common(op, operands[0], operands[1]);
        if let Some(ty) = result {
            self.add(ty, value);
        }
    }

    fn operation(&mut self) -> Common {
        let random = &mut *self.random;
        let int = [
            IntOp::Add,
            IntOp::Sub,
            IntOp::Mul,
            IntOp::DivS,
            IntOp::DivU,
            IntOp::RemS,
            IntOp::RemU,
            IntOp::And,
            IntOp::Or,
            IntOp::Xor,
            IntOp::Shl,
            IntOp::ShrS,
            IntOp::ShrU,
            IntOp::MinS,
            IntOp::MaxS,
            IntOp::MinU,
            IntOp::MaxU,
            IntOp::MulHighU,
        ];
        let unary = [IntUnary::Neg, IntUnary::Not, IntUnary::AbsS, IntUnary::PopCount, IntUnary::Wrap(IntKind::I32)];
        let float = [FloatOp::Add, FloatOp::Sub, FloatOp::Mul, FloatOp::Div, FloatOp::Min, FloatOp::Max];
        let float_unary = [
            FloatUnary::Neg,
            FloatUnary::Abs,
            FloatUnary::Sqrt,
            FloatUnary::Floor,
            FloatUnary::Ceil,
            FloatUnary::Round,
        ];
        let compare =
            [IntCompare::Eq, IntCompare::Ne, IntCompare::LtS, IntCompare::LeS, IntCompare::LtU, IntCompare::LeU];
        let float_compare = [FloatCompare::Eq, FloatCompare::Ne, FloatCompare::Lt, FloatCompare::Le];
        match random.below(20) {
            0..6 => Common::Int(random.pick(&int)),
            6 => Common::IntUnary(random.pick(&unary)),
            7 | 8 => Common::Float(random.pick(&float)),
            9 => Common::FloatUnary(random.pick(&float_unary)),
            10 => Common::Single(random.pick(&float)),
            11 => Common::SingleUnary(random.pick(&float_unary)),
            12 => Common::Compare(random.pick(&compare)),
            13 => Common::FloatCompare(random.pick(&float_compare)),
            14 => Common::CondWord,
            15 => Common::Not,
            16 => random.pick(&[Common::IntToFloat(true), Common::IntToSingle(false), Common::BitsSingle]),
            17 => random.pick(&[Common::SingleToFloat, Common::FloatToSingle]),
            18 => Common::FloatToInt(random.pick(&IntKind::ALL)),
            _ => random.pick(&[Common::FloatBits, Common::SingleBits]),
        }
    }

    /// An address of the memory in the frame.
    fn address(&mut self, ty: Type) -> Ref {
        let width = if ty == Type::Single { 4 } else { 8 };
        let first = MEMORY + (file(ty) * MEMORY_EACH) as Slot;
        let base = self.make.push(Op::SlotAddress(first), Ref::NONE, Ref::NONE);
        let (index, mask) = (self.value(Type::Word), self.make.word(7));
        let index = self.make.common(Common::Int(IntOp::And), index, mask);
        let offset = 8 * self.random.below(4) as u32;
        match self.random.below(5) {
            0 => base,
            1 => self.make.push(Op::SlotAddress(first), Ref::NONE, Ref::NONE),
            2 => {
                let at = self.make.word(3);
                self.make.common(Common::Element { stride: 8, offset }, base, at)
            }
            _ => self.make.common(Common::Element { stride: width, offset }, base, index),
        }
    }

    fn load(&mut self, ty: Type, address: Ref, wide: bool) -> Ref {
        let memory = if wide { MEMORIES[6] } else { self.random.pick(&MEMORIES) };
        let op = match ty {
            Type::Word => Common::LoadInt(memory, 16),
            Type::Float => Common::LoadFloat(16),
            _ => Common::LoadSingle(16),
        };
        self.make.common(op, address, Ref::NONE)
    }

    fn store(&mut self, ty: Type, address: Ref) {
        let memory = self.random.pick(&MEMORIES);
        let value = self.value(ty);
        let op = match ty {
            Type::Word => Common::StoreInt(memory, 16),
            Type::Float => Common::StoreFloat(16),
            _ => Common::StoreSingle(16),
        };
        self.make.common(op, address, value);
    }

    /// Loads and stores at an address.
    fn access(&mut self) {
        let ty = self.random.pick(&TYPES);
        let address = self.address(ty);
        if self.random.chance(2) {
            self.store(ty, address);
        }
        if self.random.chance(2) {
            self.read_once(ty, address);
        } else {
            let value = self.load(ty, address, false);
            self.add(ty, value);
        }
    }

    /// A load that only one operation reads, soon, perhaps behind a store, perhaps with another one.
    fn read_once(&mut self, ty: Type, address: Ref) {
        let value = self.load(ty, address, true);
        let op = match ty {
            Type::Word => self.random.pick(&[
                Common::Int(IntOp::Add),
                Common::Int(IntOp::Sub),
                Common::Int(IntOp::Xor),
                Common::Int(IntOp::Mul),
                Common::Compare(IntCompare::LtS),
            ]),
            Type::Float => self.random.pick(&[Common::Float(FloatOp::Sub), Common::Float(FloatOp::Max)]),
            _ => self.random.pick(&[Common::Single(FloatOp::Div), Common::SingleCompare(FloatCompare::Lt)]),
        };
        if self.random.chance(3) {
            self.store(ty, address);
        }
        let other = if self.random.chance(3) {
            let address = self.address(ty);
            self.load(ty, address, true)
        } else {
            self.value(ty)
        };
        let (a, b) = if self.random.chance(3) { (value, other) } else { (other, value) };
        let result = self.make.common(op, a, b);
        if op.shape().unwrap().1 == Some(Type::Cond) {
            if self.random.chance(3) {
                self.store(ty, address);
            }
            let snapshot = self.snapshot(ExitKind::Resume);
            let expected = self.random.chance(2);
            self.make.guard(result, expected, snapshot);
            return;
        }
        self.add(ty, result);
    }

    fn snapshot(&mut self, kind: ExitKind) -> SnapshotId {
        let mut slots = Vec::new();
        for slot in 0..3 * EACH {
            if self.random.chance(5) {
                slots.push((slot as Slot, self.value(TYPES[slot / EACH])));
            }
        }
        for slot in WRITTEN..WRITTEN + 20 {
            if self.random.chance(3) {
                let ty = self.random.pick(&TYPES);
                slots.push((slot, self.value(ty)));
            }
        }
        let mut frames = Vec::new();
        if kind != ExitKind::Leave && self.random.chance(4) {
            frames.push(Frame { base: 54, return_pc: Pc(7) });
            if self.random.chance(2) {
                frames.push(Frame { base: 58, return_pc: Pc(2) });
            }
        }
        self.make.snapshot_in(kind, &slots, frames)
    }

    fn guard(&mut self) {
        let cond = self.value(Type::Cond);
        let kind = self.random.pick(&[ExitKind::Resume, ExitKind::Resume, ExitKind::Leave]);
        let snapshot = self.snapshot(kind);
        let expected = self.random.chance(2);
        self.make.guard(cond, expected, snapshot);
    }

    /// Addresses differ between the model's frame and the real one: only differences of them are values.
    fn body(&mut self, length: usize) {
        for _ in 0..length {
            match self.random.below(16) {
                0 => self.guard(),
                1 | 2 => self.access(),
                3 if self.random.chance(2) => {
                    let ty = self.random.pick(&TYPES);
                    let value = self.value(ty);
                    let slot = WRITTEN + self.random.below(20) as Slot;
                    self.make.push(Op::StoreSlot(slot), value, Ref::NONE);
                }
                3 => {
                    let slot = self.random.below(3 * EACH);
                    let ty = TYPES[slot / EACH];
                    let value = if self.random.chance(2) { self.value(ty) } else { self.make.slot(slot as Slot, ty) };
                    if self.random.chance(2) {
                        self.make.push(Op::StoreSlot(slot as Slot), value, Ref::NONE);
                    }
                    self.add(ty, value);
                }
                4 if !self.inner.is_empty() => self.call_tree(),
                5 if self.functions => self.call_function(),
                6 if self.random.chance(3) => {
                    self.make.push(Op::Count(LoopId(0)), Ref::NONE, Ref::NONE);
                }
                _ => {
                    let op = self.operation();
                    self.emit(op);
                }
            }
        }
    }

    /// Gives the inner frame values, calls, and leaves where the inner tree did not leave by its first exit.
    fn call_tree(&mut self) {
        let tree = self.random.pick(&self.inner.clone());
        for (file, ty) in TYPES.into_iter().enumerate() {
            let value = self.value(ty);
            let slot = INNER + (file * EACH + self.random.below(EACH)) as Slot;
            self.make.push(Op::StoreSlot(slot), value, Ref::NONE);
        }
        let budget = self.make.word(3);
        self.make.push(Op::StoreSlot(INNER + BUDGET), budget, Ref::NONE);
        let left = self.make.push(Op::CallTree { tree, slot: INNER }, Ref::NONE, Ref::NONE);
        let expected = self.make.word(i64::from(first_exit(tree).0));
        let same = self.make.common(Common::Compare(IntCompare::Eq), left, expected);
        let passed = self.make.snapshot(ExitKind::PassOn(left), &[]);
        self.make.guard(same, true, passed);
        for _ in 0..3 {
            let slot = self.random.below(EACH) as Slot + INNER;
            let value = self.make.push(Op::Slot { slot, ty: Type::Word, epoch: 1 }, Ref::NONE, Ref::NONE);
            self.add(Type::Word, value);
        }
    }

    fn call_function(&mut self) {
        let value = self.value(Type::Word);
        self.make.push(Op::StoreSlot(INNER), value, Ref::NONE);
        let snapshot = self.snapshot(ExitKind::Resume);
        let mut call = (Op::CallFunction { function: FunctionId(1), slot: INNER }, Ref::NONE);
        if self.random.chance(2) {
            // Function 1 all the same, by a value that is computed.
            let (zero, one, any) = (self.make.word(0), self.make.word(1), self.value(Type::Word));
            let none = self.make.common(Common::Int(IntOp::And), any, zero);
            let id = self.make.common(Common::Int(IntOp::Or), none, one);
            call = (Op::CallValue { class: Class::new(1, 1, false), slot: INNER }, id);
        }
        self.make.push_with(call.0, call.1, Ref::NONE, Some(snapshot));
        let value = self.make.push(Op::Slot { slot: INNER, ty: Type::Word, epoch: 1 }, Ref::NONE, Ref::NONE);
        self.add(Type::Word, value);
    }

    /// Takes one from the budget in memory; leaves when there is none.
    fn spend(&mut self, kind: ExitKind) {
        let budget = self.make.slot(BUDGET, Type::Word);
        let (zero, one) = (self.make.word(0), self.make.word(1));
        let more = self.make.common(Common::Compare(IntCompare::LtS), zero, budget);
        let exit = self.snapshot(kind);
        self.make.guard(more, true, exit);
        let less = self.make.common(Common::Int(IntOp::Sub), budget, one);
        self.make.push(Op::StoreSlot(BUDGET), less, Ref::NONE);
    }

    fn phis(&mut self, before: &[Vec<Ref>; 4]) {
        for ty in TYPES {
            let lefts = before[file(ty)].iter().filter(|value| !value.is_constant());
            let mut lefts: Vec<Ref> = lefts.copied().collect();
            lefts.sort_unstable();
            lefts.dedup();
            for left in lefts {
                if self.random.chance(2) {
                    let right = self.value(ty);
                    self.make.phi(left, right);
                }
            }
        }
    }

    /// A loop's root: peeled, or not.
    fn root(mut self, length: usize) -> Trace {
        let leave = self.snapshot(ExitKind::Leave);
        let _ = leave;
        self.slots();
        if self.random.chance(4) {
            self.spend(ExitKind::Leave);
            self.body(length);
            let snapshot = self.snapshot(ExitKind::Resume);
            return self.make.end(End::Loop(snapshot));
        }
        self.body(length / 3);
        let before = self.values.clone();
        self.make.push(Op::Loop, Ref::NONE, Ref::NONE);
        self.spend(ExitKind::Leave);
        self.body(length);
        self.phis(&before);
        let snapshot = self.snapshot(ExitKind::Resume);
        self.make.end(End::Loop(snapshot))
    }

    fn function(mut self, length: usize) -> Trace {
        for slot in 0..4 {
            let value = self.make.slot(slot, Type::Word);
            self.add(Type::Word, value);
        }
        for _ in 0..length {
            let op = self.operation();
            self.emit(op);
        }
        if self.random.chance(3) {
            self.guard();
        }
        let value = self.value(Type::Word);
        self.make.push(Op::StoreSlot(0), value, Ref::NONE);
        self.make.end(End::Return)
    }

    fn side(mut self, parent: &Trace, exit: SnapshotId, tree: TraceId, length: usize) -> Trace {
        let snapshot = parent.snapshot(exit);
        if let ExitKind::PassOn(_) = snapshot.kind {
            let value = self.make.push(Op::Inherit { index: 0, ty: Type::Word }, Ref::NONE, Ref::NONE);
            self.add(Type::Word, value);
        } else {
            for (index, &(_, value)) in snapshot.slots.iter().enumerate() {
                if !self.random.chance(5) {
                    let ty = parent.ty(value).unwrap();
                    let inherit = Op::Inherit { index: index as u32, ty };
                    let value = self.make.push(inherit, Ref::NONE, Ref::NONE);
                    self.add(ty, value);
                }
            }
        }
        if self.random.chance(2) {
            self.slots();
        }
        self.spend(ExitKind::Resume);
        self.body(length);
        let link = self.random.chance(2);
        let snapshot = self.snapshot(if link { ExitKind::Resume } else { ExitKind::Leave });
        self.make.end(if link { End::Link(tree, snapshot) } else { End::Leave(snapshot) })
    }
}

/// A world of traces: a callee, an inner tree, an outer tree with side traces.
struct Case<'a> {
    backend: &'a X64,
    model: Model,
    random: Random,
    next: u32,
}

impl Case<'_> {
    fn id(&mut self) -> TraceId {
        self.next += 1;
        TraceId(self.next)
    }

    fn add(&mut self, id: TraceId, trace: Trace) {
        assemble(self.backend, id, &trace);
        self.model.traces.insert(id, trace);
    }

    fn function(&mut self) {
        let id = self.id();
        let trace = Generator::new(&mut self.random, Root::Function(FunctionId(1))).function(12);
        self.add(id, trace);
        if !self.random.chance(8) {
            self.backend.publish(FunctionId(1), Some(id));
            self.model.functions.insert(1, id);
        }
    }

    fn tree(&mut self, length: usize, inner: &[TraceId], functions: bool) -> TraceId {
        let root = self.id();
        let mut generator = Generator::new(&mut self.random, Root::Loop(LoopId(0)));
        generator.inner = inner.to_vec();
        generator.functions = functions;
        let trace = generator.root(length);
        self.add(root, trace);
        let mut traces = vec![root];
        for _ in 0..self.random.below(5) {
            let parent = self.random.pick(&traces);
            let trace = self.model.traces[&parent].clone();
            let used: Vec<SnapshotId> = trace.insts.iter().filter_map(|inst| inst.snapshot).collect();
            if used.is_empty() {
                continue;
            }
            let exit = self.random.pick(&used);
            let number = first_exit(parent).0 + exit.0;
            if self.model.links.contains_key(&number) {
                continue;
            }
            let id = self.id();
            let mut generator = Generator::new(&mut self.random, Root::Side(ExitId(number)));
            generator.inner = inner.to_vec();
            generator.functions = functions;
            let side = generator.side(&trace, exit, root, length / 2);
            self.add(id, side);
            self.backend.link(ExitId(number), id);
            self.model.links.insert(number, id);
            traces.push(id);
        }
        root
    }

    fn compare(&mut self, root: TraceId, state: &mut State, at: Position, seed: u64) -> bool {
        let real = frame(at);
        for (i, slot) in real.iter_mut().enumerate() {
            let word = self.random.word();
            let float = (word as f64 / 8.0).to_bits();
            *slot = match i {
                i if (EACH..2 * EACH).contains(&i) => float,
                i if (2 * EACH..3 * EACH).contains(&i) => u64::from((word as f32 / 8.0).to_bits()),
                i if i >= MEMORY as usize + MEMORY_EACH => 0,
                _ => word as u64,
            };
        }
        real[BUDGET as usize] = self.random.below(8) as u64;
        let mut model: Vec<u64> = real.to_vec();
        self.model.fuel = 20_000;
        let Ok(expected) = self.model.run(root, &mut model, 0) else { return false };
        let found = match self.backend.enter(root, state, at) {
            Left::Exit { exit, root, via } => Ended {
                code: exit.0,
                root: (root.base() as usize - at.base() as usize) / 8,
                via: via.map_or(0, |via| via.0),
            },
            Left::Returned => Ended { code: code::RETURNED, root: 0, via: 0 },
            Left::Abandoned => Ended { code: code::ABANDONED, root: 0, via: 0 },
        };
        assert_eq!(found, expected, "seed {seed}");
        let shift = (at.base() as u64).wrapping_sub(model.as_ptr() as u64);
        let addresses = model.as_ptr() as u64..model.as_ptr().wrapping_add(SLOTS) as u64;
        for (slot, (&found, &expected)) in real.iter().zip(&model).enumerate() {
            let expected = if addresses.contains(&expected) { expected.wrapping_add(shift) } else { expected };
            let nan =
                |bits: u64| f64::from_bits(bits).is_nan() || bits >> 32 == 0 && f32::from_bits(bits as u32).is_nan();
            assert!(
                found == expected || nan(found) && nan(expected),
                "seed {seed}, slot {slot}: {found:#x}, not {expected:#x}"
            );
        }
        true
    }
}

/// Runs cases by their seeds; gives how many came to an end.
fn check(seeds: std::ops::Range<u64>, options: impl Fn(u64) -> Options) -> usize {
    let mut ended = 0;
    for seed in seeds {
        with_backend(options(seed), |backend, state, at| {
            let mut case =
                Case { backend, model: Model::default(), random: Random(seed.wrapping_mul(0x9e37_79b9)), next: 0 };
            case.function();
            let inner = case.tree(15, &[], false);
            let middle = case.tree(15, &[inner], false);
            let length = 10 + case.random.below(70);
            let outer = case.tree(length, &[inner, middle], true);
            for _ in 0..6 {
                ended += usize::from(case.compare(outer, state, at, seed));
            }
        });
    }
    ended
}

/// The seeds of a test; other ones than its own, as `SEEDS=5000..9000`, for a longer search.
fn seeds(own: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("SEEDS") else { return own };
    let (first, end) = range.split_once("..").expect("SEEDS=first..end");
    first.parse().unwrap()..end.parse().unwrap()
}

#[test]
fn random_traces_do_what_the_model_does() {
    let seeds = seeds(0..400);
    let runs = 6 * (seeds.end - seeds.start) as usize;
    let ended = check(seeds, |_| Options { spills: 2000, ..Options::default() });
    assert!(ended > runs / 2, "{ended} of {runs} runs came to an end");
}

#[test]
fn so_they_do_with_other_registers_or_none() {
    let options = |seed: u64| Options {
        spills: 2000,
        registers: Some(seed),
        features: if seed.is_multiple_of(2) { Features::Baseline } else { Features::Detected },
        ..Options::default()
    };
    let seeds = seeds(1000..1600);
    let runs = 6 * (seeds.end - seeds.start) as usize;
    let ended = check(seeds, options);
    assert!(ended > runs / 2, "{ended} of {runs} runs came to an end");
}
