//! How much a run of a loop computes, where its bytecode tells: a nest of some iterations each, always as many.
//!
//! What a small one does belongs into the code of the loop around it, and no run of it takes long enough to be divided.

use crate::bytecode::{Instruction, Opcode};
use crate::program::{LoopId, LoopKind, Program};

/// Instructions between a constant and the loop that it is an end of.
const NEAR: usize = 8;

/// Instructions that a run of a loop makes at the most; none if that is not known, or it calls something.
pub fn instructions(program: &Program, id: LoopId) -> Option<u64> {
    let trips = trips(program, id)?;
    let scope = &program.loops[id.0 as usize];
    let inner = |(_, other): &(usize, &crate::program::Loop)| other.parent == Some(id);
    let mut trip = scope.code.len() as u64;
    for (other, _) in program.loops.iter().enumerate().filter(inner) {
        trip = trip.saturating_add(instructions(program, LoopId(other as u32))?);
    }
    let code = &program.code[scope.code.start as usize..scope.code.end as usize];
    let calls = |ins: &Instruction| matches!(ins.op, Opcode::Call | Opcode::CallIndirect | Opcode::Runtime);
    if code.iter().any(calls) { None } else { trip.checked_mul(trips) }
}

/// How many trips a `for` makes whose ends are constants.
fn trips(program: &Program, id: LoopId) -> Option<u64> {
    let scope = &program.loops[id.0 as usize];
    let LoopKind::Counted { counter } = scope.kind else { return None };
    let (prepare, before) = program.code[..scope.code.start as usize].split_last()?;
    let closed = match prepare.op {
        Opcode::ForPrepS | Opcode::ForPrepU => false,
        Opcode::ForPrepInclS | Opcode::ForPrepInclU => true,
        _ => return None,
    };
    let constant = |slot: u16| {
        let last = before.iter().rev().take(NEAR).find(|ins| ins.a == slot)?;
        (last.op == Opcode::Const).then_some(last.imm())
    };
    let (from, to) = (constant(counter)?, constant(prepare.b)?);
    Some(to.checked_sub(from)?.max(0) as u64 + u64::from(closed))
}

#[cfg(test)]
mod tests {
    use crate::dump::parse;

    use super::*;

    /// Of a loop over 4 words that is made `outer` times around one over `inner` with this body.
    fn most_of(outer: &str, inner: &str, body: &str) -> Option<u64> {
        let text = format!(
            "main f\nfunction f(params 1, results 1, frame 24)\n  Const s1, 0\n  Const s3, {outer}\n  \
             ForPrepS s1..3, s3 -> @out\nloop counted s1..3 @top..@out\ntop: Const s4, 2\n  {inner}\n  \
             ForPrepInclS s4..6, s6 -> @next\nloop counted s4..6 @again..@next in loop0\nagain: {body}\n  \
             ForLoop s4..6, loop1 -> @again\nnext: ForLoop s1..3, loop0 -> @top\nout: Return1 s0\n"
        );
        instructions(&parse(&text).unwrap(), LoopId(0))
    }

    #[test]
    fn what_a_nest_of_constants_computes_is_known() {
        // The inner one makes 2 to 7: six trips of two instructions; the outer one has six.
        assert_eq!(most_of("8", "Const s6, 7", "Add s0, s0, s1"), Some(8 * (6 + 12)));
        assert_eq!(most_of("0", "Const s6, 7", "Add s0, s0, s1"), Some(0));
    }

    #[test]
    fn what_depends_on_data_or_calls_is_not() {
        assert_eq!(most_of("8", "Move s6, s0", "Add s0, s0, s1"), None);
        assert_eq!(most_of("8", "Const s6, 7", "Call s8, f"), None);
    }
}
