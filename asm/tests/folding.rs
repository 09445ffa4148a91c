//! Loads that become operands of those that read them.

mod common;

use common::*;
use scaly_asm::Options;
use scaly_interp::machine::{IntCompare, IntMemory, IntOp};
use scaly_tracer::backend::{Backend, Left};
use scaly_tracer::region::{Op as Common, Type};
use scaly_tracer::trace::{End, ExitKind, Op, Ref, TraceId};

const LOAD: Common = Common::LoadInt(IntMemory::I64, 0);

#[test]
fn a_load_before_the_loop_is_not_done_again_in_it() {
    with_backend(Options::default(), |backend, state, at| {
        let mut make = Make::root();
        let (sum, left, address) = (make.slot(3, Type::Word), make.slot(4, Type::Word), make.slot(5, Type::Word));
        let (one, zero) = (make.word(1), make.word(0));
        let loaded = make.common(LOAD, address, Ref::NONE);
        make.push(Op::Loop, Ref::NONE, Ref::NONE);
        let more = make.common(Common::Int(IntOp::Add), sum, loaded);
        make.common(Common::StoreInt(IntMemory::I64, 0), address, more);
        let less = make.common(Common::Int(IntOp::Sub), left, one);
        let goes_on = make.common(Common::Compare(IntCompare::Ne), less, zero);
        let end = make.snapshot(ExitKind::Leave, &[(3, more)]);
        make.guard(goes_on, true, end);
        make.phi(sum, more);
        make.phi(left, less);
        let trace = make.end(End::Loop(end));
        let memory = [7u64];
        frame(at)[3..6].copy_from_slice(&[100, 5, memory.as_ptr() as u64]);
        assert_eq!(run(backend, TraceId(0), &trace, state, at), 0);
        assert_eq!(frame(at)[3], 135);
    });
}

/// Whatever registers there are, or none: both addresses have a base and an index.
#[test]
fn two_loads_are_compared() {
    for seed in 0..60 {
        with_backend(Options { registers: Some(seed), ..Options::default() }, |backend, state, at| {
            let mut make = Make::root();
            let values: Vec<Ref> = (3..7).map(|slot| make.slot(slot, Type::Word)).collect();
            let zero = make.word(0);
            (3..7).for_each(|slot| {
                make.push(Op::StoreSlot(slot), zero, Ref::NONE);
            });
            let element = Common::Element { stride: 8, offset: 8 };
            let a = make.common(element, values[0], values[1]);
            let b = make.common(element, values[2], values[3]);
            let (a, b) = (make.common(LOAD, a, Ref::NONE), make.common(LOAD, b, Ref::NONE));
            let less = make.common(Common::Compare(IntCompare::LtS), a, b);
            let slots: Vec<(u32, Ref)> = (10..).zip(values).collect();
            let exit = make.snapshot(ExitKind::Resume, &slots);
            make.guard(less, true, exit);
            let end = make.snapshot(ExitKind::Leave, &slots);
            assemble(backend, TraceId(0), &make.end(End::Leave(end)));
            let (left, right) = ([0u64, 1, 5, 9], [0u64, 3, 5, 8]);
            for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
                let arguments = [left.as_ptr() as u64, i as u64, right.as_ptr() as u64, j as u64];
                frame(at)[3..7].copy_from_slice(&arguments);
                let exit = match backend.enter(TraceId(0), state, at) {
                    Left::Exit { exit, .. } => exit.0 - first_exit(TraceId(0)).0,
                    left => panic!("{left:?}"),
                };
                assert_eq!(exit == 1, left[i + 1] < right[j + 1], "seed {seed}, {i}, {j}");
                assert_eq!(frame(at)[10..14], arguments);
            }
        });
    }
}
