//! The function that a program starts with: evaluates the globals, then runs the main program.

use scaly_interp::bytecode::{Instruction, Opcode};

use super::body::Body;
use super::code::Code;
use super::places::Place;
use super::{Heading, Key, Lowering};

pub(super) fn entry(m: &mut Lowering<'_>) -> (Heading, Code) {
    let hir = m.hir;
    let Some(main) = hir.routines.get(hir.main.0 as usize) else {
        m.internal(crate::source::Span::default(), "there is no main program");
        let mut body = Body::new(m, crate::source::Span::default());
        let slot = body.code.frame.take(1);
        body.code.constant(slot, 0);
        body.code.give_back(slot, 1);
        return (heading(crate::source::Span::default()), body.code);
    };
    let span = main.span;
    let mut body = Body::new(m, span);
    body.code.frame.take(1);
    // What the globals own lives as long as the program.
    let scope = body.open_scope();
    let here = body.here();
    for (i, global) in hir.globals.iter().enumerate() {
        let mark = body.code.frame.mark();
        body.code.span = global.span;
        let layout = body.layout(global.ty);
        let signature = body.m.signature(global.initializer);
        let base = body.call_frame(signature.slots());
        if let Some(slot) = signature.region {
            let handle = body.handle(here);
            body.code.copy(base.plus(slot), handle, 1);
        }
        let function = body.m.function(Key::Routine(global.initializer));
        body.code.call(base, function);
        body.code.frame.reset(u32::from(base.0) + signature.slots());
        let address = body.code.frame.take(1);
        let offset = body.m.globals[i];
        body.code.emit(Instruction::with(Opcode::Global, address.0, 0, 0, offset, 0));
        body.store(Place::Memory { address, offset: 0 }, &layout, base);
        body.code.frame.reset(mark);
    }
    body.code.span = span;
    let signature = body.m.signature(hir.main);
    let base = body.call_frame(signature.slots().max(1));
    let function = body.m.function(Key::Routine(hir.main));
    body.code.call(base, function);
    if signature.result == 0 {
        body.code.constant(base, 0);
    }
    body.leave_to(None, false);
    body.code.give_back(base, 1);
    body.close_scope(scope);
    body.settle_regions();
    (heading(span), body.code)
}

fn heading(span: crate::source::Span) -> Heading {
    Heading { name: "start".into(), params: Vec::new(), param_slots: 0, result_slots: 1, span, library: true }
}
