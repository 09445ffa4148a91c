//! Whether a program keeps its invariants: what the interpreter and the walker take for granted.
//!
//! Lowering's output is verified in tests and by the fuzzer, a program read from text always: the interpreter's frame
//! accesses and jumps are unchecked. What a verified program can still do wrong is to misuse addresses: words are
//! untyped.

use std::fmt;
use std::ops::Range;

use crate::bytecode::{Instruction, Opcode, Role};
use crate::machine::{Fault, IntKind};
use crate::program::{Function, FunctionId, Loop, LoopId, LoopKind, Pc, Program};
use crate::routine::Routine;

/// The first invariant found broken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct VerifyError {
    /// The function's name.
    pub function: Option<String>,
    pub pc: Option<Pc>,
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(function) = &self.function {
            write!(f, "{function}: ")?;
        }
        if let Some(pc) = self.pc {
            write!(f, "{pc}: ")?;
        }
        f.write_str(&self.message)
    }
}

type Verdict = Result<(), String>;

/// Checks all of a program.
pub fn verify(program: &Program) -> Result<(), VerifyError> {
    let whole = |message| VerifyError { function: None, pc: None, message };
    tables(program).map_err(whole)?;
    for (number, function) in program.functions.iter().enumerate() {
        let id = FunctionId(number as u32);
        let located = |pc, message| VerifyError { function: Some(function.name.clone()), pc, message };
        shape(program, function).map_err(|message| located(None, message))?;
        for pc in function.code.clone() {
            instruction(program, id, Pc(pc)).map_err(|message| located(Some(Pc(pc)), message))?;
        }
    }
    for (number, each) in program.loops.iter().enumerate() {
        let id = LoopId(number as u32);
        one_loop(program, id, each).map_err(|message| VerifyError {
            function: program.functions.get(each.function.0 as usize).map(|f| f.name.clone()),
            pc: Some(Pc(each.code.start)),
            message: format!("{id}: {message}"),
        })?;
    }
    Ok(())
}

fn require(holds: bool, message: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(message()) }
}

fn tables(program: &Program) -> Verdict {
    require(program.spans.len() == program.code.len(), || {
        format!("{} spans for {} instructions", program.spans.len(), program.code.len())
    })?;
    let mut end = 0;
    for function in &program.functions {
        require(function.code.start == end && function.code.end >= end, || {
            format!("{} does not begin where the function before it ends", function.name)
        })?;
        end = function.code.end;
    }
    require(end as usize == program.code.len(), || "instructions behind the last function".to_string())?;
    let main = program.functions.get(program.main.0 as usize).ok_or("the main function does not exist")?;
    require(main.param_slots == 0 && main.result_slots == 1, || {
        "the main function must have no parameters and one result slot".to_string()
    })
}

fn shape(program: &Program, function: &Function) -> Verdict {
    let slots = function.param_slots.max(function.result_slots);
    require(function.frame_slots >= slots, || "the frame has no room for parameters and results".to_string())?;
    let last = function.code.clone().last().ok_or("no instructions")?;
    let ins = program.code[last as usize];
    let stops = match ins.op {
        Opcode::Jump | Opcode::Loop | Opcode::Return | Opcode::Return1 | Opcode::ReturnN | Opcode::Fault => true,
        Opcode::Runtime => {
            Routine::from_number(ins.x).is_some_and(|r| r.signature().effects.contains(&crate::routine::Effect::Stops))
        }
        _ => false,
    };
    require(stops, || "execution can run behind the last instruction".to_string())?;
    for (name, slots) in (function.params.iter().map(|p| (&p.name, &p.slots)))
        .chain(function.variables.iter().map(|v| (&v.name, &v.slots)))
    {
        require(slots.end <= function.frame_slots, || format!("`{name}` lies outside of the frame"))?;
    }
    Ok(())
}

/// The slots that an operand names.
pub(crate) fn operand_slots(role: Role, first: u16, ins: Instruction) -> Option<Range<u32>> {
    let first = u32::from(first);
    match role {
        Role::Use | Role::Def => Some(first..first + 1),
        Role::Use2 | Role::Def2 | Role::Count2 => Some(first..first + 2),
        Role::UseN | Role::DefN => Some(first..first.saturating_add(ins.x)),
        _ => None,
    }
}

fn instruction(program: &Program, id: FunctionId, pc: Pc) -> Verdict {
    let function = program.function(id);
    let ins = program.code[pc.0 as usize];
    let roles = ins.op.operands();
    let frame = u32::from(function.frame_slots);
    for (role, first) in [(roles.a, ins.a), (roles.b, ins.b), (roles.c, ins.c)] {
        if let Some(slots) = operand_slots(role, first, ins) {
            require(slots.end <= frame, || format!("slot s{} is outside of the frame", slots.end - 1))?;
        }
    }
    for (role, value) in [(roles.x, ins.x), (roles.y, ins.y)] {
        let exists = match role {
            Role::Loop => (value as usize) < program.loops.len(),
            Role::Function => (value as usize) < program.functions.len(),
            Role::Routine => Routine::from_number(value).is_some(),
            Role::Text => (value as usize) < program.texts.len(),
            Role::Kind => IntKind::from_number(value).is_some(),
            Role::Fault => Fault::from_number(value).is_some(),
            Role::Target => function.code.contains(&value),
            _ => true,
        };
        require(exists, || format!("there is no {role:?} {value}"))?;
        if role == Role::Target {
            let back = matches!(ins.op, Opcode::Loop | Opcode::ForLoop);
            require(back == (value <= pc.0), || match back {
                true => "a back edge must go backwards".to_string(),
                false => "only Loop and ForLoop go backwards".to_string(),
            })?;
        }
    }
    match ins.op {
        Opcode::Loop | Opcode::ForLoop => {
            let each = &program.loops[ins.y as usize];
            require(each.function == id && each.code.contains(&pc.0), || {
                "a back edge outside of its loop".to_string()
            })?;
            require(each.code.start == ins.x, || "a back edge must go to the header of its loop".to_string())?;
        }
        Opcode::Call => {
            let callee = &program.functions[ins.x as usize];
            call(function, ins, callee.param_slots.max(callee.result_slots), 2)?;
        }
        Opcode::CallIndirect => call(function, ins, 1, 2)?,
        Opcode::Runtime => {
            let routine = Routine::from_number(ins.x).ok_or("no such routine")?;
            call(function, ins, routine.signature().slots(), 0)?;
        }
        Opcode::Return => returns(function, 0)?,
        Opcode::Return1 => returns(function, 1)?,
        Opcode::ReturnN => returns(function, ins.x)?,
        Opcode::DivSImm | Opcode::DivUImm | Opcode::RemSImm | Opcode::RemUImm => {
            require(ins.imm() != 0, || "division by the constant 0".to_string())?;
        }
        Opcode::Global => require(ins.x <= program.global_bytes, || "behind the globals".to_string())?,
        _ => {}
    }
    Ok(())
}

fn call(function: &Function, ins: Instruction, slots: u16, header: u16) -> Verdict {
    require(ins.a >= header, || "no room for the header before the callee's frame".to_string())?;
    require(u32::from(ins.a) + u32::from(slots) <= u32::from(function.frame_slots), || {
        format!("the frame has no room for {slots} slots of arguments and results from s{}", ins.a)
    })
}

fn returns(function: &Function, count: u32) -> Verdict {
    require(count == u32::from(function.result_slots), || {
        format!("returns {count} slots where the function has {}", function.result_slots)
    })
}

fn one_loop(program: &Program, id: LoopId, each: &Loop) -> Verdict {
    let function = program.functions.get(each.function.0 as usize).ok_or("its function does not exist")?;
    let inside = |inner: &Range<u32>, outer: &Range<u32>| outer.start <= inner.start && inner.end <= outer.end;
    require(!each.code.is_empty() && inside(&each.code, &function.code), || "outside of its function".to_string())?;
    if let Some(parent) = each.parent {
        let parent = program.loops.get(parent.0 as usize).ok_or("its parent does not exist")?;
        require(parent.function == each.function && inside(&each.code, &parent.code) && *parent != *each, || {
            "not inside of its parent".to_string()
        })?;
    }
    let last = program.code[each.code.end as usize - 1];
    let back = matches!(last.op, Opcode::Loop | Opcode::ForLoop) && last.y == id.0;
    // A loop whose body never comes to its end has no back edge.
    let code = &program.code[function.code.start as usize..function.code.end as usize];
    require(back || !code.iter().any(|i| is_back_edge(i, id)), || "does not end with its last back edge".to_string())?;
    if let LoopKind::Counted { counter } = each.kind {
        require(u32::from(counter) + 2 <= u32::from(function.frame_slots), || "its counter is outside".to_string())?;
        let before = each.code.start.checked_sub(1).map(|pc| program.code[pc as usize]);
        let prepared = before.is_some_and(|i| {
            let prepares =
                matches!(i.op, Opcode::ForPrepS | Opcode::ForPrepU | Opcode::ForPrepInclS | Opcode::ForPrepInclU);
            prepares && i.a == counter
        });
        require(prepared, || "no ForPrep of its counter before the header".to_string())?;
        for pc in each.code.clone() {
            counter_is_alone(program.code[pc as usize], counter, id).map_err(|m| format!("{}: {m}", Pc(pc)))?;
        }
    }
    Ok(())
}

fn is_back_edge(ins: &Instruction, id: LoopId) -> bool {
    matches!(ins.op, Opcode::Loop | Opcode::ForLoop) && ins.y == id.0
}

/// Only the loop's own back edge writes the counter.
fn counter_is_alone(ins: Instruction, counter: u16, id: LoopId) -> Verdict {
    if is_back_edge(&ins, id) {
        return require(ins.op == Opcode::ForLoop && ins.a == counter, || "a back edge of another kind".to_string());
    }
    let roles = ins.op.operands();
    let counters = u32::from(counter)..u32::from(counter) + 2;
    for (role, first) in [(roles.a, ins.a), (roles.b, ins.b), (roles.c, ins.c)] {
        let written = match role {
            Role::Def | Role::Def2 | Role::DefN | Role::Count2 => operand_slots(role, first, ins),
            // A routine has no frame; it writes its results.
            Role::Frame if ins.op == Opcode::Runtime => Routine::from_number(ins.x)
                .map(|r| u32::from(first)..u32::from(first) + u32::from(r.signature().result_slots())),
            // A callee's header, then its frame.
            Role::Frame => Some(u32::from(first).saturating_sub(2)..u32::MAX),
            _ => None,
        };
        if let Some(written) = written {
            require(written.end <= counters.start || counters.end <= written.start, || {
                "writes the counter of a counted loop".to_string()
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::parse;

    fn message(body: &str) -> String {
        let text = format!("main f\nfunction f(params 0, results 1, frame 6)\n{body}\n");
        verify(&parse(&text).unwrap()).map_or_else(|error| error.to_string(), |()| "fine".to_string())
    }

    #[test]
    fn finds_what_is_broken() {
        for (body, expected) in [
            ("Const s0, 1\nReturn1 s0", "fine"),
            ("Const s6, 1\nReturn1 s0", "f: @0: slot s6 is outside of the frame"),
            ("Const s0, 1", "f: execution can run behind the last instruction"),
            ("1: Nop\nJump -> @1", "f: @1: only Loop and ForLoop go backwards"),
            ("Return", "f: @0: returns 0 slots where the function has 1"),
            ("Call s1, f\nReturn1 s0", "f: @0: no room for the header before the callee's frame"),
            (
                "Runtime s4, StringConcat\nReturn1 s0",
                "f: @0: the frame has no room for 5 slots of arguments and results from s4",
            ),
            ("DivSImm s0, s0, 0\nReturn1 s0", "f: @0: division by the constant 0"),
            ("Text s0..2, text0\nReturn1 s0", "f: @0: there is no Text 0"),
            ("loop open @1..@2\n1: Nop\n2: Return1 s0", "fine"),
            ("loop open @0..@1\n0: Loop loop0 -> @0\n1: Return1 s0", "fine"),
            (
                "loop open @0..@2\n0: Loop loop0 -> @0\n1: Nop\n2: Return1 s0",
                "f: @0: loop0: does not end with its last back edge",
            ),
            (
                "loop counted s0..2 @1..@2\n0: Nop\n1: ForLoop s0..2, loop0 -> @1\n2: Return1 s0",
                "f: @1: loop0: no ForPrep of its counter before the header",
            ),
            (
                "loop counted s0..2 @1..@3\nForPrepS s0..2, s3 -> @3\n1: Move s1, s3\nForLoop s0..2, loop0 -> @1\n3: Return1 s0",
                "f: @1: loop0: @1: writes the counter of a counted loop",
            ),
        ] {
            assert_eq!(message(body), expected, "{body}");
        }
    }
}
