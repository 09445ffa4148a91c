//! How native code is entered, left, linked, called, and brought to its end from below.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use common::*;
use scaly_asm::{Options, X64};
use scaly_interp::interpreter::{self, Ended, State, World, run_with_tier};
use scaly_interp::machine::{IntCompare, IntOp};
use scaly_interp::program::{FunctionId, LoopId, Pc};
use scaly_interp::routine::Routine;
use scaly_interp::tier::{Goes, NativeCall, Position, Tier};
use scaly_tracer::backend::{Backend, Job, Left, Refusal, code};
use scaly_tracer::region::{Op as Common, Type};
use scaly_tracer::trace::{End, ExitId, ExitKind, Frame, Op, Ref, Root, SnapshotId, Trace, TraceId};

const CALLEE: FunctionId = FunctionId(1);

type Finish = dyn Fn(&X64, &mut State, NativeCall) -> bool;
type Body = dyn FnOnce(&X64, &mut State, Position);

/// A tier that runs a test where a loop is hot, and finishes calls as the test says.
struct TestTier {
    backend: X64,
    body: Cell<Option<Box<Body>>>,
    finish: Box<Finish>,
}

impl Tier for TestTier {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        state.set_loop_counter(id, u32::MAX);
        if let Some(body) = self.body.take() {
            body(&self.backend, state, at);
        }
        Goes::On(at)
    }

    fn hot_function(&self, state: &mut State, id: FunctionId, at: Position) -> Goes {
        state.set_function_counter(id, u32::MAX);
        Goes::On(at)
    }

    fn finish_call(&self, state: &mut State, call: NativeCall) -> bool {
        (self.finish)(&self.backend, state, call)
    }
}

/// Runs `body` in a program that has a tier.
fn with_tier(
    options: Options,
    finish: impl Fn(&X64, &mut State, NativeCall) -> bool + 'static,
    body: impl FnOnce(&X64, &mut State, Position) + 'static,
) {
    let program = program();
    let backend = X64::new(program.clone(), options).unwrap();
    let tier = Rc::new(TestTier { backend, body: Cell::new(Some(Box::new(body))), finish: Box::new(finish) });
    let given = tier.clone();
    let limits = interpreter::Options { stack_slots: Some(1 << 22), ..interpreter::Options::default() };
    let ran = run_with_tier(program, World::standard(Vec::new()), limits, move |_| given).unwrap();
    assert_eq!(ran.ended, Ended::Status(0));
    assert!(tier.body.take().is_none(), "the loop became hot");
}

fn never(_: &X64, _: &mut State, call: NativeCall) -> bool {
    panic!("{call:?} has been finished")
}

/// Gives slot 0 plus a number; may leave first if it is negative.
fn callee(add: i64) -> Trace {
    let mut make = Make::new(Root::Function(CALLEE));
    let (x, zero, add) = (make.slot(0, Type::Word), make.word(0), make.word(add));
    let negative = make.common(Common::Compare(IntCompare::LtS), x, zero);
    let exit = make.snapshot(ExitKind::Resume, &[(1, x)]);
    make.guard(negative, false, exit);
    let sum = make.common(Common::Int(IntOp::Add), x, add);
    make.push(Op::StoreSlot(0), sum, Ref::NONE);
    make.end(End::Return)
}

/// Calls with slot 3 as the argument; slot 4 is the result, slot 5 twice slot 3.
fn caller() -> Trace {
    let mut make = Make::root();
    let x = make.slot(3, Type::Word);
    make.push(Op::StoreSlot(100), x, Ref::NONE);
    let before = make.snapshot(ExitKind::Resume, &[(6, x)]);
    make.push_with(Op::CallFunction { function: CALLEE, slot: 100 }, Ref::NONE, Ref::NONE, Some(before));
    let result = make.push(Op::Slot { slot: 100, ty: Type::Word, epoch: 1 }, Ref::NONE, Ref::NONE);
    let twice = make.common(Common::Int(IntOp::Add), x, x);
    let end = make.snapshot(ExitKind::Leave, &[(4, result), (5, twice)]);
    make.end(End::Leave(end))
}

fn exit_of(left: Left) -> u32 {
    match left {
        Left::Exit { exit, via: None, .. } => exit.0,
        left => panic!("{left:?}"),
    }
}

#[test]
fn a_function_with_code_is_called_without_the_interpreter() {
    with_tier(Options::default(), never, |backend, state, at| {
        assemble(backend, TraceId(0), &callee(30));
        backend.publish(CALLEE, Some(TraceId(0)));
        frame(at)[3] = 12;
        assert_eq!(run(backend, TraceId(1), &caller(), state, at), 1);
        assert_eq!(frame(at)[4..6], [42, 24]);
    });
}

#[test]
fn what_a_call_has_left_in_a_slot_outlives_the_next_one() {
    with_tier(Options::default(), never, |backend, state, at| {
        // Gives the sum of two slots, and leaves one more in the second.
        let mut callee = Make::new(Root::Function(CALLEE));
        let (x, y) = (callee.slot(0, Type::Word), callee.slot(1, Type::Word));
        let (sum, one) = (callee.common(Common::Int(IntOp::Add), x, y), callee.word(1));
        let more = callee.common(Common::Int(IntOp::Add), y, one);
        callee.push(Op::StoreSlot(0), sum, Ref::NONE);
        callee.push(Op::StoreSlot(1), more, Ref::NONE);
        assemble(backend, TraceId(0), &callee.end(End::Return));
        backend.publish(CALLEE, Some(TraceId(0)));
        let mut make = Make::root();
        let mut results = Vec::new();
        for argument in [1, 2, 3] {
            let argument = make.word(argument);
            make.push(Op::StoreSlot(100), argument, Ref::NONE);
            let before = make.snapshot(ExitKind::Resume, &[]);
            make.push_with(Op::CallFunction { function: CALLEE, slot: 100 }, Ref::NONE, Ref::NONE, Some(before));
            for slot in [100, 101] {
                results.push(make.push(Op::Slot { slot, ty: Type::Word, epoch: 1 }, Ref::NONE, Ref::NONE));
            }
        }
        let slots: Vec<(u32, Ref)> = (10..).zip(results).collect();
        let end = make.snapshot(ExitKind::Leave, &slots);
        frame(at)[101] = 1000;
        assert_eq!(run(backend, TraceId(1), &make.end(End::Leave(end)), state, at), 3);
        assert_eq!(frame(at)[10..16], [1001, 1001, 1003, 1002, 1005, 1003]);
    });
}

#[test]
fn a_callee_that_leaves_is_finished_below_its_caller() {
    let calls: Rc<RefCell<Vec<NativeCall>>> = Rc::default();
    let seen = calls.clone();
    let finish = move |_: &X64, _: &mut State, call: NativeCall| {
        seen.borrow_mut().push(call);
        // SAFETY: the callee's frame has its result slot.
        unsafe { *call.frame.base() = 77 };
        true
    };
    with_tier(Options::default(), finish, move |backend, state, at| {
        frame(at)[3] = -5i64 as u64;
        // Without code.
        assert_eq!(run(backend, TraceId(1), &caller(), state, at), 1);
        assert_eq!(frame(at)[4..6], [77, -10i64 as u64]);
        // With code that leaves.
        assemble(backend, TraceId(0), &callee(30));
        backend.publish(CALLEE, Some(TraceId(0)));
        assert_eq!(exit_of(backend.enter(TraceId(1), state, at)), first_exit(TraceId(1)).0 + 1);
        assert_eq!(frame(at)[4..6], [77, -10i64 as u64]);
        // The callee's exit has written its frame.
        assert_eq!(frame(at)[101], -5i64 as u64);
        // And without again.
        backend.publish(CALLEE, None);
        backend.enter(TraceId(1), state, at);
        let base = at.base().wrapping_add(100);
        let calls = calls.borrow();
        assert_eq!(calls.iter().map(|c| c.code).collect::<Vec<_>>(), [code::INTERPRET, 16, code::INTERPRET]);
        assert!(calls.iter().all(|c| c.function == CALLEE && c.frame.base() == base && c.frame.pc() == Pc(6)));
        assert_eq!((calls[1].root, calls[1].via), (base, 0));
    });
}

/// Calls a tree whose frame begins at slot 50, and leaves by passing on unless it left by its last exit.
fn outer(tree: TraceId, expected: u32) -> Trace {
    let mut make = Make::root();
    let x = make.slot(3, Type::Word);
    make.push(Op::StoreSlot(53), x, Ref::NONE);
    let left = make.push(Op::CallTree { tree, slot: 50 }, Ref::NONE, Ref::NONE);
    let wanted = make.word(i64::from(expected));
    let same = make.common(Common::Compare(IntCompare::Eq), left, wanted);
    let pass = make.snapshot(ExitKind::PassOn(left), &[]);
    make.guard(same, true, pass);
    let end = make.snapshot(ExitKind::Leave, &[(7, x), (8, left)]);
    make.end(End::Leave(end))
}

#[test]
fn who_does_not_come_back_takes_its_native_callers_along() {
    with_tier(
        Options::default(),
        |_, _, _| false,
        |backend, state, at| {
            assemble(backend, TraceId(1), &caller());
            assemble(backend, TraceId(2), &outer(TraceId(1), 117));
            assemble(backend, TraceId(3), &outer(TraceId(2), 217));
            for trace in 1..4 {
                assert!(matches!(backend.enter(TraceId(trace), state, at), Left::Abandoned));
            }
        },
    );
}

/// Leaves by one exit if slot 3 is negative, by another at its end.
fn inner() -> Trace {
    let mut make = Make::root();
    let (x, zero) = (make.slot(3, Type::Word), make.word(0));
    let negative = make.common(Common::Compare(IntCompare::LtS), x, zero);
    let exit = make.snapshot(ExitKind::Resume, &[(4, x)]);
    make.guard(negative, false, exit);
    let end = make.snapshot(ExitKind::Leave, &[(5, x)]);
    make.end(End::Leave(end))
}

#[test]
fn an_exit_that_nobody_expects_is_passed_on_with_the_innermost_that_did_not() {
    with_tier(Options::default(), never, |backend, state, at| {
        assemble(backend, TraceId(1), &inner());
        assemble(backend, TraceId(2), &outer(TraceId(1), 117));
        assemble(backend, TraceId(3), &outer(TraceId(2), 217));
        frame(at)[3] = 8;
        assert_eq!(exit_of(backend.enter(TraceId(3), state, at)), 317);
        assert_eq!((frame(at)[8], frame(at)[50 + 8], frame(at)[105]), (217, 117, 8));
        frame(at)[3] = -8i64 as u64;
        let Left::Exit { exit, root, via } = backend.enter(TraceId(3), state, at) else { panic!() };
        assert_eq!((exit, root.base(), via), (ExitId(116), at.base().wrapping_add(100), Some(ExitId(216))));
        assert_eq!(frame(at)[104], -8i64 as u64);
        // A side trace of the exit in the middle has the value that is passed on.
        let mut make = Make::new(Root::Side(ExitId(216)));
        let passed = make.push(Op::Inherit { index: 0, ty: Type::Word }, Ref::NONE, Ref::NONE);
        let end = make.snapshot(ExitKind::Leave, &[(9, passed)]);
        assemble(backend, TraceId(4), &make.end(End::Leave(end)));
        backend.link(ExitId(216), TraceId(4));
        let Left::Exit { exit, root, via } = backend.enter(TraceId(3), state, at) else { panic!() };
        assert_eq!((exit, root.base(), via), (ExitId(416), at.base().wrapping_add(50), Some(ExitId(316))));
        assert_eq!(frame(at)[59], 116);
        backend.unlink(ExitId(216));
        let Left::Exit { exit, via, .. } = backend.enter(TraceId(3), state, at) else { panic!() };
        assert_eq!((exit, via), (ExitId(116), Some(ExitId(216))));
    });
}

#[test]
fn what_a_tree_was_passed_on_by_is_forgotten_at_the_next_call() {
    with_tier(Options::default(), never, |backend, state, at| {
        assemble(backend, TraceId(1), &inner());
        assemble(backend, TraceId(2), &outer(TraceId(1), 117));
        assemble(backend, TraceId(3), &outer(TraceId(2), 217));
        // Where the exit that the middle one passes on goes on, the innermost tree is called at once.
        let mut make = Make::new(Root::Side(ExitId(316)));
        let (x, wanted) = (make.slot(3, Type::Word), make.word(117));
        make.push(Op::StoreSlot(53), x, Ref::NONE);
        let left = make.push(Op::CallTree { tree: TraceId(1), slot: 50 }, Ref::NONE, Ref::NONE);
        let same = make.common(Common::Compare(IntCompare::Eq), left, wanted);
        let pass = make.snapshot(ExitKind::PassOn(left), &[]);
        make.guard(same, true, pass);
        let end = make.snapshot(ExitKind::Leave, &[]);
        assemble(backend, TraceId(4), &make.end(End::Leave(end)));
        backend.link(ExitId(316), TraceId(4));
        frame(at)[3] = -8i64 as u64;
        let Left::Exit { exit, root, via } = backend.enter(TraceId(3), state, at) else { panic!() };
        assert_eq!((exit, root.base(), via), (ExitId(116), at.base().wrapping_add(50), Some(ExitId(416))));
    });
}

#[test]
fn ways_out_to_one_place_return_one_exit() {
    with_tier(Options::default(), never, |backend, state, at| {
        let returns = [ExitId(16), ExitId(99)];
        backend.assemble(Job { id: TraceId(0), trace: &inner(), first_exit: ExitId(16), returns: &returns }).unwrap();
        frame(at)[3] = 1;
        assert_eq!(exit_of(backend.enter(TraceId(0), state, at)), 99);
    });
}

#[test]
fn native_code_is_entered_again_while_a_call_is_finished() {
    let finish = |backend: &X64, state: &mut State, call: NativeCall| {
        assert_eq!(call.code, 16);
        let inside = call.frame.at(Pc(6), 60);
        frame(inside)[3] = -1i64 as u64;
        let Left::Exit { exit, root, via } = backend.enter(TraceId(3), state, inside) else { panic!() };
        assert_eq!((exit, root.base(), via), (ExitId(216), inside.base().wrapping_add(50), Some(ExitId(316))));
        // Code is made below a native caller.
        if backend.used() < 4000 {
            for id in 10..200 {
                assemble(backend, TraceId(id), &callee(i64::from(id)));
            }
        }
        true
    };
    with_tier(Options::default(), finish, |backend, state, at| {
        assemble(backend, TraceId(0), &callee(30));
        backend.publish(CALLEE, Some(TraceId(0)));
        assemble(backend, TraceId(1), &caller());
        assemble(backend, TraceId(2), &inner());
        assemble(backend, TraceId(3), &outer(TraceId(2), 217));
        frame(at)[3] = -1i64 as u64;
        let Left::Exit { exit, root, via } = backend.enter(TraceId(1), state, at) else { panic!() };
        assert_eq!((exit, root.base(), via), (ExitId(117), at.base(), None));
    });
}

/// Calls itself with one less until there is nothing left; gives how often.
fn recursive() -> Trace {
    let mut make = Make::new(Root::Function(CALLEE));
    let (n, zero, one) = (make.slot(0, Type::Word), make.word(0), make.word(1));
    let none = make.common(Common::Compare(IntCompare::Eq), n, zero);
    let done = make.snapshot(ExitKind::Resume, &[]);
    make.guard(none, false, done);
    let less = make.common(Common::Int(IntOp::Sub), n, one);
    make.push(Op::StoreSlot(8), less, Ref::NONE);
    let full = make.snapshot(ExitKind::Resume, &[]);
    make.push_with(Op::CallFunction { function: CALLEE, slot: 8 }, Ref::NONE, Ref::NONE, Some(full));
    let count = make.push(Op::Slot { slot: 8, ty: Type::Word, epoch: 1 }, Ref::NONE, Ref::NONE);
    let more = make.common(Common::Int(IntOp::Add), count, one);
    make.push(Op::StoreSlot(0), more, Ref::NONE);
    make.end(End::Return)
}

fn deepest(argument: u64) -> (u64, u32) {
    let finished: Rc<Cell<u32>> = Rc::default();
    let result: Rc<Cell<u64>> = Rc::default();
    let (seen, given) = (finished.clone(), result.clone());
    let finish = move |_: &X64, _: &mut State, call: NativeCall| {
        seen.set(call.code);
        // SAFETY: the callee's frame has its result slot.
        unsafe { *call.frame.base() = 0 };
        true
    };
    with_tier(Options::default(), finish, move |backend, state, at| {
        assemble(backend, TraceId(0), &recursive());
        backend.publish(CALLEE, Some(TraceId(0)));
        frame(at)[3] = argument;
        assert_eq!(run(backend, TraceId(1), &caller(), state, at), 1);
        given.set(frame(at)[4]);
    });
    (result.get(), finished.get())
}

#[test]
fn recursion_ends_at_the_limits_of_both_stacks() {
    // By its own exit, at the bottom.
    assert_eq!(deepest(1000), (1000, 16));
    // By the exit of the call that has no room, with a depth that one of the stacks gives.
    let (depth, code) = deepest(u64::MAX);
    assert_eq!(code, 17);
    assert!((10_000..(1 << 22) / 8).contains(&depth), "{depth} calls deep");
}

#[test]
fn a_call_without_slots_for_its_frame_leaves_before_it() {
    with_tier(Options::default(), never, |backend, state, at| {
        assemble(backend, TraceId(0), &callee(1));
        backend.publish(CALLEE, Some(TraceId(0)));
        assemble(backend, TraceId(1), &caller());
        // The callee's frame has 40 slots, from slot 100 on.
        let limit = state.slots_limit();
        for (slots, exit) in [(140, 117), (139, 116)] {
            let at = at.of_frame(limit.wrapping_sub(slots));
            // SAFETY: slot 3 is below the limit.
            unsafe { *at.base().add(3) = 5 };
            assert_eq!(exit_of(backend.enter(TraceId(1), state, at)), exit, "{slots}");
        }
    });
}

#[test]
fn exits_write_the_headers_of_inlined_frames() {
    for kind in [ExitKind::Resume, ExitKind::Leave] {
        with_tier(Options::default(), never, move |backend, state, at| {
            let mut make = Make::root();
            let x = make.slot(3, Type::Word);
            let frames = vec![Frame { base: 20, return_pc: Pc(2) }, Frame { base: 40, return_pc: Pc(4) }];
            let end = make.snapshot_in(kind, &[(41, x)], frames);
            let (zero, no) = (make.word(0), make.word(1));
            let never = make.common(Common::Compare(IntCompare::Eq), zero, no);
            make.guard(never, true, end);
            frame(at)[3] = 9;
            assert_eq!(run(backend, TraceId(0), &make.end(End::Return), state, at), 0);
            let base = at.base() as u64;
            assert_eq!(frame(at)[18..20], [base, 2]);
            assert_eq!(frame(at)[38..40], [base + 20 * 8, 4]);
            assert_eq!(frame(at)[41], 9);
        });
    }
}

/// Runs a routine on slot 10 while values are alive.
fn with_routine(routine: Routine) -> Trace {
    let mut make = Make::root();
    let values: Vec<Ref> = (20..30).map(|slot| make.slot(slot, Type::Word)).collect();
    let floats: Vec<Ref> = (30..35).map(|slot| make.slot(slot, Type::Float)).collect();
    // Else they would stay where they are.
    (20..35).for_each(|slot| {
        make.push(Op::StoreSlot(slot), values[0], Ref::NONE);
    });
    // One that only this exit reads.
    let one = make.word(1);
    let only = make.common(Common::Int(IntOp::Add), values[0], one);
    let mut slots: Vec<(u32, Ref)> = (40..).zip(values.iter().chain(&floats).copied()).collect();
    slots.push((58, only));
    let outcome = make.snapshot(ExitKind::Outcome, &slots);
    make.push_with(Op::Routine { routine, slot: 10 }, Ref::NONE, Ref::NONE, Some(outcome));
    let slots: Vec<(u32, Ref)> = (60..).zip(values.iter().chain(&floats).copied()).collect();
    let end = make.snapshot(ExitKind::Leave, &slots);
    make.end(End::Leave(end))
}

#[test]
fn a_routine_leaves_if_it_does_more_than_compute() {
    for registers in [None, Some(1), Some(2), Some(3)] {
        with_tier(Options { registers, ..Options::default() }, never, |backend, state, at| {
            assemble(backend, TraceId(0), &with_routine(Routine::CheckLength));
            for (length, exit, to) in [(5i64, 17, 60), (-5, 16, 40)] {
                frame(at).iter_mut().enumerate().for_each(|(i, slot)| *slot = i as u64);
                frame(at)[10] = length as u64;
                assert_eq!(exit_of(backend.enter(TraceId(0), state, at)), exit);
                let expected: Vec<u64> = (20..35).collect();
                assert_eq!(frame(at)[to..to + 15], expected);
                assert_eq!(frame(at)[58], if length < 0 { 21 } else { 58 });
            }
        });
    }
}

/// Counts its rounds in slot 3, polling in each, until slot 4.
fn polling() -> Trace {
    let mut make = Make::root();
    let (i, n, one) = (make.slot(3, Type::Word), make.slot(4, Type::Word), make.word(1));
    make.push(Op::Loop, Ref::NONE, Ref::NONE);
    let here = make.snapshot(ExitKind::Resume, &[(3, i)]);
    make.push_with(Op::Poll, Ref::NONE, Ref::NONE, Some(here));
    make.push(Op::Count(LoopId(0)), Ref::NONE, Ref::NONE);
    let next = make.common(Common::Int(IntOp::Add), i, one);
    let more = make.common(Common::Compare(IntCompare::LtS), next, n);
    let end = make.snapshot(ExitKind::Leave, &[(3, next)]);
    make.guard(more, true, end);
    make.phi(i, next);
    make.end(End::Loop(here))
}

#[test]
fn a_poll_leaves_when_it_is_told_to() {
    with_tier(Options::default(), never, |backend, state, at| {
        assemble(backend, TraceId(0), &polling());
        frame(at)[3] = 0;
        frame(at)[4] = 50;
        assert_eq!(exit_of(backend.enter(TraceId(0), state, at)), 17);
        assert_eq!((frame(at)[3], backend.iterations(LoopId(0))), (50, 50));
        frame(at)[3] = 0;
        backend.poll().unwrap().store(1, Ordering::Relaxed);
        assert_eq!(exit_of(backend.enter(TraceId(0), state, at)), 16);
        assert_eq!((frame(at)[3], backend.iterations(LoopId(0))), (0, 50));
        backend.poll().unwrap().store(0, Ordering::Relaxed);
        assert_eq!(exit_of(backend.enter(TraceId(0), state, at)), 17);
    });
}

#[test]
fn forced_exits_leave_after_random_numbers_of_rounds() {
    let rounds = |seed| {
        let all: Rc<RefCell<Vec<u64>>> = Rc::default();
        let seen = all.clone();
        with_tier(Options { forced_exits: Some(seed), ..Options::default() }, never, move |backend, state, at| {
            assemble(backend, TraceId(0), &polling());
            frame(at)[3] = 0;
            frame(at)[4] = 10_000;
            let mut last = 0;
            while exit_of(backend.enter(TraceId(0), state, at)) == 16 {
                seen.borrow_mut().push(frame(at)[3] - last);
                last = frame(at)[3];
            }
            assert_eq!(frame(at)[3], 10_000);
        });
        all.take()
    };
    let some = rounds(1);
    let distinct: HashSet<u64> = some.iter().copied().collect();
    assert!(distinct.len() > 30 && some.iter().all(|&n| n <= 64), "{some:?}");
    assert_eq!(some, rounds(1));
    assert_ne!(some, rounds(2));
}

/// Counts its rounds in slot 3 until slot 4; a guard that always holds leaves to `pc`. The other goes on in front of no
/// guard.
fn guarded(pc: Pc) -> Trace {
    let mut make = Make::root();
    let (i, n, one) = (make.slot(3, Type::Word), make.slot(4, Type::Word), make.word(1));
    make.push(Op::Loop, Ref::NONE, Ref::NONE);
    let here = make.snapshot(ExitKind::Resume, &[(3, i)]);
    make.trace.snapshots[0].pc = pc;
    let below = make.common(Common::Compare(IntCompare::LtS), i, n);
    make.guard(below, true, here);
    let next = make.common(Common::Int(IntOp::Add), i, one);
    let more = make.common(Common::Compare(IntCompare::LtS), next, n);
    let end = make.snapshot(ExitKind::Leave, &[(3, next)]);
    make.guard(more, true, end);
    make.phi(i, next);
    make.end(End::Loop(here))
}

#[test]
fn forced_exits_leave_at_guards_that_the_interpreter_repeats() {
    for (pc, repeats) in [(Pc(0), true), (Pc(1), false)] {
        with_tier(Options { forced_exits: Some(1), ..Options::default() }, never, move |backend, state, at| {
            assemble(backend, TraceId(0), &guarded(pc));
            (frame(at)[3], frame(at)[4]) = (0, 10_000);
            let mut forced = 0;
            while exit_of(backend.enter(TraceId(0), state, at)) == 16 {
                forced += 1;
            }
            assert_eq!((frame(at)[3], forced > 100), (10_000, repeats), "{forced}");
        });
    }
}

#[test]
fn traces_that_do_not_fit_are_refused() {
    let refusal = |options: Options, trace: Trace| {
        with_backend(options, |backend, _, _| {
            backend.assemble(Job { id: TraceId(0), trace: &trace, first_exit: ExitId(16), returns: &[] }).err()
        })
    };
    let trace = || with_routine(Routine::CheckLength);
    // Eleven words with three registers that survive, five doubles with none.
    assert_eq!(refusal(Options { spills: 13, ..Options::default() }, trace()), None);
    assert_eq!(refusal(Options { spills: 12, ..Options::default() }, trace()), Some(Refusal::Spills));
    assert_eq!(refusal(Options { code_bytes: 4096, ..Options::default() }, trace()), None);
    let mut long = Make::root();
    let value = long.slot(3, Type::Word);
    for _ in 0..2000 {
        long.push(Op::StoreSlot(4), value, Ref::NONE);
    }
    assert_eq!(
        refusal(Options { code_bytes: 4096, ..Options::default() }, long.end(End::Return)),
        Some(Refusal::NoRoom)
    );
}

#[test]
fn memory_of_traces_that_are_freed_is_used_again() {
    with_backend(Options { code_bytes: 8192, ..Options::default() }, |backend, state, at| {
        let empty = backend.used();
        for id in 0..1000 {
            assemble(backend, TraceId(id), &inner());
            frame(at)[3] = 1;
            assert_eq!(exit_of(backend.enter(TraceId(id), state, at)), first_exit(TraceId(id)).0 + 1);
            backend.free(TraceId(id));
            assert_eq!(backend.used(), empty);
        }
    });
}

#[test]
fn an_exit_without_code_can_be_linked() {
    with_backend(Options::default(), |backend, state, at| {
        let mut make = Make::root();
        let one = make.word(1);
        let used = make.snapshot(ExitKind::Leave, &[(3, one)]);
        let unused = make.snapshot(ExitKind::Resume, &[]);
        assert_eq!((used, unused), (SnapshotId(0), SnapshotId(1)));
        assert_eq!(run(backend, TraceId(0), &make.end(End::Leave(used)), state, at), 0);
        assemble(backend, TraceId(1), &inner());
        backend.link(ExitId(17), TraceId(1));
        backend.unlink(ExitId(17));
    });
}
