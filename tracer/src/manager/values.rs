//! What a specialization of a loop is for, in the words of the source.

use scaly_interp::machine::IntCompare;
use scaly_interp::program::{LoopId, Pc, Program};

use crate::region::Op as Common;
use crate::trace::{Const, Op, Ref, Trace};

/// The conditions that a loop's trace checks at its entry: `mode <> 1, mode = 2`.
pub fn conditions(trace: &Trace, program: &Program, id: LoopId) -> String {
    let of = Words { trace, program, id };
    let conditions = at_entry(trace).map(|(_, cond, expected)| of.condition(cond, expected));
    conditions.collect::<Vec<String>>().join(", ")
}

/// What a trace takes values to be, by the instruction that it did so for: a divisor that does not change in its loop.
pub fn fixed(trace: &Trace) -> impl Iterator<Item = (Pc, i64)> {
    at_entry(trace).filter_map(|(pc, cond, expected)| {
        let compare = trace.inst(cond);
        match (compare.op, trace.constant(compare.b)) {
            (Op::Common(Common::Compare(IntCompare::Eq)), Some(Const::Word(value))) if expected => Some((pc, value)),
            _ => None,
        }
    })
}

/// The guards at a loop's entry: of which instruction, and whether the condition holds.
fn at_entry(trace: &Trace) -> impl Iterator<Item = (Pc, Ref, bool)> {
    let at_entry = trace.insts.iter().filter(|inst| inst.snapshot.is_some() && inst.snapshot == trace.entry);
    at_entry.filter_map(|inst| match inst.op {
        Op::Guard { expected } => Some((inst.pc, inst.a, expected)),
        _ => None,
    })
}

struct Words<'a> {
    trace: &'a Trace,
    program: &'a Program,
    id: LoopId,
}

impl Words<'_> {
    fn condition(&self, r: Ref, holds: bool) -> String {
        let inst = self.trace.inst(r);
        match inst.op {
            Op::Common(Common::Compare(op)) => {
                format!("{} {} {}", self.value(inst.a), relation(op, holds), self.value(inst.b))
            }
            _ => format!("{} is {holds}", self.value(r)),
        }
    }

    fn value(&self, r: Ref) -> String {
        match self.trace.constant(r) {
            Some(Const::Word(value)) => value.to_string(),
            Some(Const::Float(bits)) => format!("{:?}", f64::from_bits(bits)),
            Some(Const::Single(bits)) => format!("{:?}", f32::from_bits(bits)),
            Some(Const::Cond(value)) => value.to_string(),
            None => match self.trace.inst(r).op {
                Op::Slot { slot, .. } => self.variable(slot).map_or_else(|| "a value".into(), str::to_string),
                Op::Common(Common::Reread(_)) => self.value(self.trace.inst(r).a),
                _ => "a value".into(),
            },
        }
    }

    /// The variable or parameter that lies in a slot all through the loop.
    fn variable(&self, slot: u32) -> Option<&str> {
        let scope = &self.program.loops[self.id.0 as usize];
        let (function, slot) = (self.program.function(scope.function), slot as u16);
        let around =
            function.variables.iter().filter(|v| v.code.start <= scope.code.start && scope.code.end <= v.code.end);
        let variable = around.filter(|v| v.slots.contains(&slot)).map(|v| v.name.as_str()).next();
        let parameter = || function.params.iter().find(|p| p.slots.contains(&slot)).map(|p| p.name.as_str());
        variable.or_else(parameter).filter(|name| !name.is_empty())
    }
}

fn relation(op: IntCompare, holds: bool) -> &'static str {
    match (op, holds) {
        (IntCompare::Eq, true) | (IntCompare::Ne, false) => "=",
        (IntCompare::Eq, false) | (IntCompare::Ne, true) => "<>",
        (IntCompare::LtS | IntCompare::LtU, true) => "<",
        (IntCompare::LtS | IntCompare::LtU, false) => ">=",
        (IntCompare::LeS | IntCompare::LeU, true) => "<=",
        (IntCompare::LeS | IntCompare::LeU, false) => ">",
    }
}
