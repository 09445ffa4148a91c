//! Each operation against the interpreter's machine, on edge values: operands in registers, in spill slots, constant, used
//! again or not, with and without the extensions of newer processors.

mod common;

use common::operations::{WORDS, comparisons, evaluated as expected, operations, same, values};
use common::*;
use scaly_asm::{Features, Options, X64};
use scaly_interp::interpreter::State;
use scaly_interp::machine::IntOp;
use scaly_interp::tier::Position;
use scaly_tracer::backend::{Backend, Left};
use scaly_tracer::region::{Op as Common, Type};
use scaly_tracer::trace::{Const, End, ExitKind, Op, Ref, Slot, Trace, TraceId};

fn constant(ty: Type, bits: u64) -> Const {
    match ty {
        Type::Word => Const::Word(bits as i64),
        Type::Float => Const::Float(bits),
        Type::Single => Const::Single(bits as u32),
        Type::Cond => unreachable!(),
    }
}

/// Slots: 0 and 1 the operands, 2 the result, 3 and 4 the operands again, 5 up what occupies registers.
const RESULT: Slot = 2;

/// What is made of an operation.
#[derive(Clone, Copy)]
struct Shape {
    /// The operands that are constants.
    constants: [Option<u64>; 2],
    /// They are needed behind the operation.
    kept: bool,
    /// Both are the first.
    twice: bool,
    /// Their slots are written before the operation, so that they cannot stay there.
    moved: bool,
}

fn trace(op: Common, shape: Shape) -> Trace {
    let (types, result) = op.shape().unwrap();
    let mut make = Make::root();
    let mut operands = [Ref::NONE; 2];
    for (i, &ty) in types.iter().enumerate() {
        operands[i] = match shape.constants[i] {
            Some(bits) => make.constant(constant(ty, bits)),
            None if i == 1 && shape.twice => operands[0],
            None => make.slot(i as Slot, ty),
        };
    }
    if shape.moved {
        let zero = make.word(0);
        (0..2).for_each(|slot| {
            make.push(Op::StoreSlot(slot), zero, Ref::NONE);
        });
    }
    let mut value = make.common(op, operands[0], operands[1]);
    if result == Some(Type::Cond) {
        value = make.common(Common::CondWord, value, Ref::NONE);
    }
    let mut slots = vec![(RESULT, value)];
    if shape.kept {
        slots.extend(operands.iter().take(types.len()).enumerate().map(|(i, &r)| (3 + i as Slot, r)));
    }
    let snapshot = make.snapshot(ExitKind::Leave, &slots);
    make.end(End::Leave(snapshot))
}

struct Run<'a> {
    backend: &'a X64,
    state: &'a mut State,
    at: Position,
    next: u32,
}

impl Run<'_> {
    fn assemble(&mut self, trace: &Trace) -> TraceId {
        let id = TraceId(self.next);
        self.next += 1;
        assemble(self.backend, id, trace);
        id
    }

    fn enter(&mut self, id: TraceId, a: u64, b: u64) -> u32 {
        let frame = frame(self.at);
        frame[0] = a;
        frame[1] = b;
        frame[2..5].fill(0x5ca1_ab1e_0000_dead);
        match self.backend.enter(id, self.state, self.at) {
            Left::Exit { exit, .. } => exit.0 - first_exit(id).0,
            left => panic!("{left:?}"),
        }
    }

    fn check(&mut self, op: Common, shape: Shape, a: &[u64], b: &[u64]) {
        let (types, result) = op.shape().unwrap();
        let trace = trace(op, shape);
        let id = self.assemble(&trace);
        let result = result.unwrap();
        for &a in a {
            for &b in b {
                let second = if shape.twice { a } else { b };
                self.enter(id, a, b);
                let expected = expected(op, a, second);
                let frame = frame(self.at);
                let found = frame[RESULT as usize];
                assert!(same(result, found, expected), "{op:?} of {a:#x}, {second:#x}: {found:#x}, not {expected:#x}");
                if shape.kept {
                    assert_eq!(frame[3], a, "{op:?}");
                    if types.len() == 2 {
                        assert_eq!(frame[4], second, "{op:?}");
                    }
                }
            }
        }
        self.backend.free(id);
    }
}

fn with_run(options: Options, body: impl FnOnce(&mut Run<'_>)) {
    with_backend(options, |backend, state, at| body(&mut Run { backend, state, at, next: 0 }));
}

fn check_all(options: Options) {
    with_run(options, |run| {
        for op in operations() {
            let types = op.shape().unwrap().0;
            let a = values(types[0]);
            let b = types.get(1).map_or(vec![0], |&ty| values(ty));
            for (kept, moved) in [(false, false), (false, true), (true, false), (true, true)] {
                let none = Shape { constants: [None; 2], kept, twice: false, moved };
                run.check(op, none, &a, &b);
                if types.len() == 2 && types[0] == types[1] {
                    run.check(op, Shape { twice: true, ..none }, &a, &[0]);
                }
            }
            for (i, &bits) in a.iter().enumerate() {
                let shape = Shape { constants: [Some(bits), None], kept: false, twice: false, moved: i % 2 == 0 };
                run.check(op, shape, &[bits], &b);
            }
            for (i, &bits) in b.iter().enumerate().filter(|_| types.len() == 2) {
                let shape = Shape { constants: [None, Some(bits)], kept: i % 3 == 0, twice: false, moved: i % 2 == 0 };
                run.check(op, shape, &a, &[bits]);
            }
        }
    });
}

#[test]
fn operations_give_what_the_interpreter_gives() {
    check_all(Options::default());
}

#[test]
fn constants_divide() {
    with_run(Options::default(), |run| {
        let mut divisors: Vec<u64> = (0..140).collect();
        divisors.extend([641, 1000, 1_000_000, 6_700_417, 1_000_000_007, 1_000_000_000_000, 0x5555_5555_5555_5555]);
        divisors.extend((1..64).flat_map(|shift| [(1 << shift) - 1, 1 << shift, (1 << shift) + 1]));
        divisors.extend(divisors.clone().iter().map(|d| d.wrapping_neg()));
        for divisor in divisors {
            let mut numbers: Vec<u64> = WORDS.iter().map(|&n| n as u64).collect();
            for factor in [1, 3, u64::MAX / divisor.max(1), (1 << 63) / divisor.max(1)] {
                numbers.extend((0..3).map(|near| factor.wrapping_mul(divisor).wrapping_add(near).wrapping_sub(1)));
            }
            for op in [IntOp::DivS, IntOp::DivU, IntOp::RemS, IntOp::RemU] {
                for moved in [false, true] {
                    let shape = Shape { constants: [None, Some(divisor)], kept: moved, twice: false, moved };
                    run.check(Common::Int(op), shape, &numbers, &[divisor]);
                }
            }
        }
    });
}

#[test]
fn so_they_do_on_every_processor() {
    check_all(Options { features: Features::Baseline, ..Options::default() });
}

#[test]
fn so_they_do_with_other_registers_or_none() {
    for seed in 1..12 {
        check_all(Options { registers: Some(seed), ..Options::default() });
        check_all(Options { registers: Some(seed), features: Features::Baseline, ..Options::default() });
    }
}

/// A guard on a comparison, which is kept until another operation has changed the flags.
fn guarded(op: Common, negated: bool, expected: bool, constant_b: Option<u64>, moved: bool) -> Trace {
    let types = op.shape().unwrap().0;
    let mut make = Make::root();
    let a = make.slot(0, types[0]);
    let b = match constant_b {
        Some(bits) => make.constant(constant(types[1], bits)),
        None => make.slot(1, types[1]),
    };
    let zero = make.word(0);
    if moved {
        make.push(Op::StoreSlot(0), zero, Ref::NONE);
        make.push(Op::StoreSlot(1), zero, Ref::NONE);
    }
    let mut cond = make.common(op, a, b);
    if negated {
        cond = make.common(Common::Not, cond, Ref::NONE);
    }
    let (five, w) = (make.word(5), make.slot(5, Type::Word));
    let sum = make.common(Common::Int(IntOp::Add), w, five);
    let exit = make.snapshot(ExitKind::Resume, &[(6, sum), (7, a), (8, b)]);
    let leave = make.snapshot(ExitKind::Leave, &[]);
    make.guard(cond, expected, exit);
    make.end(End::Leave(leave))
}

fn check_guards(options: Options) {
    with_run(options, |run| {
        for op in comparisons() {
            let all = values(op.shape().unwrap().0[1]);
            for (negated, wanted) in [(false, false), (false, true), (true, false), (true, true)] {
                let constants = all.iter().map(|&bits| Some(bits)).chain([None]);
                for (i, constant) in constants.enumerate() {
                    let id = run.assemble(&guarded(op, negated, wanted, constant, i % 2 == 0));
                    for &a in &all {
                        for &b in constant.as_ref().map_or(&all[..], std::slice::from_ref) {
                            frame(run.at)[5] = a;
                            frame(run.at)[6..9].fill(0);
                            let left = run.enter(id, a, b);
                            let holds = (expected(op, a, b) == 1) != negated;
                            assert_eq!(left == 1, holds == wanted, "{op:?} of {a:#x}, {b:#x}");
                            if left == 0 {
                                assert_eq!(frame(run.at)[6..9], [a.wrapping_add(5), a, b]);
                            }
                        }
                    }
                    run.backend.free(id);
                }
            }
        }
    });
}

#[test]
fn guards_leave_unless_their_condition_is_the_expected_one() {
    check_guards(Options::default());
    for seed in 1..4 {
        check_guards(Options { registers: Some(seed), ..Options::default() });
    }
}

#[test]
fn a_slot_is_reread_as_another_type() {
    for registers in [None, Some(3), Some(4), Some(5)] {
        with_run(Options { registers, ..Options::default() }, |run| {
            let types = [Type::Word, Type::Float, Type::Single];
            for (from, to) in types.into_iter().flat_map(|from| types.map(|to| (from, to))) {
                let mut make = Make::root();
                let a = make.slot(0, from);
                let value = make.common(Common::Reread(to), a, Ref::NONE);
                let snapshot = make.snapshot(ExitKind::Leave, &[(RESULT, value)]);
                let id = run.assemble(&make.end(End::Leave(snapshot)));
                for bits in [0, 1.5f64.to_bits(), u64::from(1.5f32.to_bits()), 0x1234_5678_9abc_def0, u64::MAX] {
                    run.enter(id, bits, 0);
                    let low = if from == Type::Single || to == Type::Single { bits & 0xffff_ffff } else { bits };
                    assert_eq!(frame(run.at)[RESULT as usize], low, "{from:?} as {to:?}");
                }
            }
        });
    }
}

#[test]
fn a_slot_is_stored_as_the_interpreter_stores_it() {
    for registers in [None, Some(3), Some(4), Some(5)] {
        with_run(Options { registers, ..Options::default() }, |run| {
            for ty in [Type::Word, Type::Float, Type::Single] {
                for bits in values(ty) {
                    let mut make = Make::root();
                    let (value, fixed) = (make.slot(0, ty), make.constant(constant(ty, bits)));
                    make.push(Op::StoreSlot(9), value, Ref::NONE);
                    make.push(Op::StoreSlot(10), fixed, Ref::NONE);
                    let snapshot = make.snapshot(ExitKind::Leave, &[(11, fixed)]);
                    let id = run.assemble(&make.end(End::Leave(snapshot)));
                    frame(run.at)[9..12].fill(u64::MAX);
                    run.enter(id, bits, 0);
                    assert_eq!(frame(run.at)[9..12], [bits; 3]);
                    run.backend.free(id);
                }
            }
        });
    }
}
