//! Loops, their exits, side traces.

mod common;

use common::*;
use scaly_asm::Options;
use scaly_interp::machine::{IntCompare, IntOp};
use scaly_tracer::region::{self, Type};
use scaly_tracer::trace::{End, ExitKind, Op, Ref, TraceId};

#[test]
fn a_loop_counts_until_its_guard_fails() {
    with_backend(Options::default(), |backend, state, at| {
        let mut make = Make::root();
        let (i, n) = (make.slot(3, Type::Word), make.slot(4, Type::Word));
        let one = make.word(1);
        make.push(Op::Loop, Ref::NONE, Ref::NONE);
        let next = make.common(region::Op::Int(IntOp::Add), i, one);
        let more = make.common(region::Op::Compare(IntCompare::LtS), next, n);
        let exit = make.snapshot(ExitKind::Resume, &[(3, next), (7, one)]);
        make.guard(more, true, exit);
        make.phi(i, next);
        let trace = make.end(End::Loop(exit));
        frame(at)[3] = 5;
        frame(at)[4] = 1000;
        assert_eq!(run(backend, TraceId(0), &trace, state, at), 0);
        assert_eq!((frame(at)[3], frame(at)[4], frame(at)[7]), (1000, 1000, 1));
    });
}
