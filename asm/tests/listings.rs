//! What a listing of a trace says.

mod common;

use common::*;
use scaly_asm::Options;
use scaly_interp::machine::{IntCompare, IntOp};
use scaly_tracer::backend::Backend;
use scaly_tracer::region::{self, Type};
use scaly_tracer::trace::{End, ExitKind, Op, Ref, TraceId};

#[test]
fn a_listing_has_the_trace_between_the_code() {
    with_backend(Options { listings: true, ..Options::default() }, |backend, _, _| {
        let mut make = Make::root();
        let (i, n) = (make.slot(3, Type::Word), make.slot(4, Type::Word));
        let one = make.word(1);
        make.push(Op::Loop, Ref::NONE, Ref::NONE);
        let next = make.common(region::Op::Int(IntOp::Add), i, one);
        let more = make.common(region::Op::Compare(IntCompare::LtS), next, n);
        let exit = make.snapshot(ExitKind::Resume, &[(3, next)]);
        make.guard(more, true, exit);
        make.phi(i, next);
        let trace = make.end(End::Loop(exit));
        assemble(backend, TraceId(7), &trace);
        let text = backend.listing(TraceId(7));
        assert_eq!(
            text,
            "trace7:
  0000  push    rbp
  0001  mov     rbp, rsp
  ; v0 in rsi = slot 3 @0
trace7.linked:
  0004  mov     rsi, [rbx + 0x18]
  ; v1 in rdi = slot 4 @0
  0008  mov     rdi, [rbx + 0x20]
  ; loop @0
  000c  nop     [rax + rax]
  0015  nop     [rax + rax]
  001e  nop     [rax + rax]
  0027  nop     [rax + rax]
  0030  nop     [rax + rax]
  0039  nop     [rax]
  ; v3 in rsi = add v0, k0 @0
L0:
  0040  add     rsi, 1
  ; guard v4 true -> snap0 @0
  0044  cmp     rsi, rdi
  0047  jl      L0
  004d  jmp     exit716
  0052  int3
exit716:
  0053  jmp     L1
L1:
  0058  mov     eax, 0x2cc
  005d  jmp     leave
"
        );
    });
}
