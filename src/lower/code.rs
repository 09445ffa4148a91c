//! The instructions of one function while they are being written.
//!
//! Branches name labels until [`Code::finish`], which drops the placeholders that were not needed (region marks, jumps
//! to the next instruction), joins the rest to the program and puts addresses in place of labels. While control can't
//! reach the end of what is written, nothing is added.

use scaly_interp::bytecode::{Instruction, Opcode, Role};
use scaly_interp::program::{FunctionId, Inlined, Loop, LoopId, LoopKind, Program, Variable};
use scaly_interp::routine::Routine;

use super::frame::{Frame, Slot};
use crate::source::Span;

/// A place in the code that branches go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(pub u32);

/// An instruction that may be written later: dropped if it never is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hole(u32);

struct LabelState {
    /// `u32::MAX` until placed.
    at: u32,
    reached: bool,
}

/// A loop being written; positions are those of the unfinished code.
struct Draft {
    start: u32,
    end: u32,
    kind: LoopKind,
    span: Span,
    parent: Option<u32>,
    /// Something comes back to its header.
    repeats: bool,
}

/// A loop of the function, counted from its first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DraftId(u32);

struct Named {
    name: String,
    slot: Slot,
    slots: u32,
    start: u32,
    end: u32,
}

struct Written {
    name: String,
    start: u32,
    end: u32,
    call: Span,
}

#[derive(Default)]
pub struct Code {
    instructions: Vec<Instruction>,
    spans: Vec<Span>,
    labels: Vec<LabelState>,
    loops: Vec<Draft>,
    open_loop: Option<u32>,
    named: Vec<Named>,
    inlined: Vec<Written>,
    pub frame: Frame,
    /// Where the instructions written now come from.
    pub span: Span,
    /// Where they come from instead: of inlined code.
    pub fixed_span: Option<Span>,
    dead: bool,
    /// Where the frame got too large.
    overflow: Option<Span>,
}

impl Code {
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    pub fn emit(&mut self, instruction: Instruction) {
        if !self.dead {
            if self.overflow.is_none() && self.frame.overflowed() {
                self.overflow = Some(self.fixed_span.unwrap_or(self.span));
            }
            self.instructions.push(instruction);
            self.spans.push(self.fixed_span.unwrap_or(self.span));
        }
    }

    pub fn op(&mut self, op: Opcode, a: Slot, b: Slot, c: Slot) {
        self.emit(Instruction::new(op, a.0, b.0, c.0));
    }

    pub fn op2(&mut self, op: Opcode, a: Slot, b: Slot) {
        self.emit(Instruction::new(op, a.0, b.0, 0));
    }

    pub fn imm(&mut self, op: Opcode, a: Slot, b: Slot, value: i64) {
        self.emit(Instruction::wide(op, a.0, b.0, 0, value));
    }

    pub fn constant(&mut self, a: Slot, value: i64) {
        self.emit(Instruction::wide(Opcode::Const, a.0, 0, 0, value));
    }

    pub fn zero(&mut self, a: Slot, count: u32) {
        match count {
            0 => {}
            1 => self.constant(a, 0),
            _ => self.emit(Instruction::with(Opcode::Zero, a.0, 0, 0, count, 0)),
        }
    }

    pub fn copy(&mut self, to: Slot, from: Slot, count: u32) {
        match count {
            _ if to == from => {}
            0 => {}
            1 => self.op2(Opcode::Move, to, from),
            _ => self.emit(Instruction::with(Opcode::MoveN, to.0, from.0, 0, count, 0)),
        }
    }

    pub fn runtime(&mut self, base: Slot, routine: Routine) {
        self.emit(Instruction::with(Opcode::Runtime, base.0, 0, 0, routine as u32, 0));
        if matches!(routine, Routine::Exit | Routine::Fail) {
            self.dead = true;
        }
    }

    pub fn call(&mut self, base: Slot, function: FunctionId) {
        self.emit(Instruction::with(Opcode::Call, base.0, 0, 0, function.0, 0));
    }

    pub fn fault(&mut self, fault: scaly_interp::machine::Fault) {
        self.emit(Instruction::with(Opcode::Fault, 0, 0, 0, fault as u32, 0));
        self.dead = true;
    }

    pub fn give_back(&mut self, from: Slot, count: u32) {
        match count {
            0 => self.emit(Instruction::new(Opcode::Return, 0, 0, 0)),
            1 => self.emit(Instruction::new(Opcode::Return1, 0, from.0, 0)),
            _ => self.emit(Instruction::with(Opcode::ReturnN, 0, from.0, 0, count, 0)),
        }
        self.dead = true;
    }

    /// Nothing comes here any more.
    pub fn kill(&mut self) {
        self.dead = true;
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(LabelState { at: u32::MAX, reached: false });
        Label(self.labels.len() as u32 - 1)
    }

    /// The label stands here from now on.
    pub fn place(&mut self, label: Label) {
        let state = &mut self.labels[label.0 as usize];
        debug_assert_eq!(state.at, u32::MAX, "a label is placed once");
        state.at = self.instructions.len() as u32;
        if state.reached {
            self.dead = false;
        }
    }

    pub fn jump(&mut self, label: Label) {
        self.branch(Opcode::Jump, Slot(0), Slot(0), label, 0);
        self.dead = true;
    }

    /// A branch with its operands; `y` is the constant or stride of some.
    pub fn branch(&mut self, op: Opcode, a: Slot, b: Slot, label: Label, y: u32) {
        if !self.dead {
            self.labels[label.0 as usize].reached = true;
            self.emit(Instruction::with(op, a.0, b.0, 0, label.0, y));
        }
    }

    /// Where an array, its block and length in a pair of slots, has room for one element more. The handle is that of its
    /// region.
    pub fn branch_with_room(&mut self, array: Slot, handle: Slot, stride: u32, label: Label) {
        if !self.dead {
            self.labels[label.0 as usize].reached = true;
            self.emit(Instruction::with(Opcode::JRoom, array.0, array.plus(1).0, handle.0, label.0, stride));
        }
    }

    /// A place for one instruction that may become necessary.
    pub fn hole(&mut self) -> Option<Hole> {
        if self.dead {
            return None;
        }
        self.emit(Instruction::new(Opcode::Nop, 0, 0, 0));
        Some(Hole(self.instructions.len() as u32 - 1))
    }

    pub fn fill(&mut self, hole: Hole, instruction: Instruction) {
        self.instructions[hole.0 as usize] = instruction;
    }

    /// Begins a loop whose header is here. Control must be able to come here.
    pub fn begin_loop(&mut self, kind: LoopKind, span: Span) -> (DraftId, Label) {
        // It is kept where the loop around has nothing else before this one: a header is one loop's.
        if self.open_loop.is_some() {
            self.hole();
        }
        let header = self.label();
        self.place(header);
        self.loops.push(Draft {
            start: self.instructions.len() as u32,
            end: u32::MAX,
            kind,
            span,
            parent: self.open_loop,
            repeats: false,
        });
        let id = self.loops.len() as u32 - 1;
        self.open_loop = Some(id);
        (DraftId(id), header)
    }

    /// The back edge, where control comes here; the loop ends behind it.
    pub fn end_loop(&mut self, id: DraftId, header: Label, counter: Option<Slot>) {
        self.loops[id.0 as usize].repeats = !self.dead;
        if !self.dead {
            match counter {
                Some(counter) => self.branch(Opcode::ForLoop, counter, Slot(0), header, id.0),
                None => {
                    self.branch(Opcode::Loop, Slot(0), Slot(0), header, id.0);
                    self.dead = true;
                }
            }
        }
        let draft = &mut self.loops[id.0 as usize];
        draft.end = self.instructions.len() as u32;
        self.open_loop = draft.parent;
    }

    /// Notes a variable's name; it is in scope from here. The result goes to [`Code::end_name`].
    pub fn name(&mut self, name: &str, slot: Slot, slots: u32) -> usize {
        let start = self.instructions.len() as u32;
        self.named.push(Named { name: name.to_string(), slot, slots, start, end: u32::MAX });
        self.named.len() - 1
    }

    /// What is written from here on is a call of a routine, until [`Code::end_inlined`].
    pub fn begin_inlined(&mut self, name: &str, call: Span) -> usize {
        let start = self.instructions.len() as u32;
        self.inlined.push(Written { name: name.to_string(), start, end: start, call });
        self.inlined.len() - 1
    }

    pub fn end_inlined(&mut self, number: usize) {
        self.inlined[number].end = self.instructions.len() as u32;
    }

    pub fn names(&self) -> usize {
        self.named.len()
    }

    /// Variables noted since there were `from` go out of scope.
    pub fn end_names(&mut self, from: usize) {
        let end = self.instructions.len() as u32;
        for named in &mut self.named[from..] {
            named.end = named.end.min(end);
        }
    }

    /// Moves the code into the program. A program's functions follow one another.
    pub fn finish(self, program: &mut Program, function: FunctionId) -> Finished {
        let Code {
            mut instructions, mut spans, mut labels, mut loops, mut named, mut inlined, frame, overflow, ..
        } = self;
        let count = instructions.len();
        // From the end on, so that a jump sees which of the instructions that it skips will be gone.
        let mut kept = vec![true; count];
        for i in (0..count).rev() {
            kept[i] = match instructions[i].op {
                Opcode::Nop => false,
                Opcode::Jump => {
                    let target = labels[instructions[i].x as usize].at as usize;
                    target <= i || (i + 1..target).take(LOOK_AHEAD).any(|k| kept[k]) || target - i > LOOK_AHEAD
                }
                _ => true,
            };
        }
        for draft in loops.iter().filter(|draft| draft.repeats) {
            let around = draft.parent.map(|parent| loops[parent as usize].start as usize);
            let Some(last) = (draft.start as usize).checked_sub(1) else { continue };
            if around.is_some_and(|from| from <= last && !kept[from..=last].contains(&true)) {
                kept[last] = true;
            }
        }
        let start = program.code.len() as u32;
        let mut next = start;
        let mut address: Vec<u32> = Vec::with_capacity(count + 1);
        address.extend(kept.iter().map(|&kept| {
            let here = next;
            next += u32::from(kept);
            here
        }));
        address.push(next);

        // A loop that nothing comes back to is none.
        let mut numbers = vec![None; loops.len()];
        for (i, draft) in loops.iter().enumerate() {
            if draft.repeats {
                numbers[i] = Some(LoopId(program.loops.len() as u32));
                let parent = draft.parent.and_then(|p| outer(&numbers, &loops, p));
                program.loops.push(Loop {
                    function,
                    code: address[draft.start as usize]..address[draft.end as usize],
                    kind: draft.kind,
                    span: draft.span,
                    parent,
                });
            }
        }
        program.code.reserve(count);
        program.spans.reserve(count);
        for ((instruction, &span), &kept) in instructions.iter_mut().zip(&spans).zip(&kept) {
            if !kept {
                continue;
            }
            let operands = instruction.op.operands();
            if operands.x == Role::Target {
                instruction.x = address[labels[instruction.x as usize].at as usize];
            }
            if operands.y == Role::Loop {
                instruction.y = numbers[instruction.y as usize].map_or(0, |l| l.0);
            }
            program.code.push(*instruction);
            program.spans.push(span);
        }
        let variables = named
            .drain(..)
            .map(|n| Variable {
                name: n.name,
                slots: n.slot.0..n.slot.plus(n.slots).0,
                code: address[n.start as usize]..address[(n.end as usize).min(count)],
            })
            .filter(|v| !v.code.is_empty() && !v.slots.is_empty())
            .collect();
        let calls = inlined
            .drain(..)
            .map(|w| Inlined { name: w.name, code: address[w.start as usize]..address[w.end as usize], call: w.call })
            .filter(|i| !i.code.is_empty())
            .collect();
        instructions.clear();
        spans.clear();
        labels.clear();
        loops.clear();
        let emptied = Code { instructions, spans, labels, loops, named, inlined, ..Code::default() };
        Finished { code: start..next, variables, inlined: calls, frame, overflow, emptied }
    }
}

/// How far a jump is followed to find out that it goes to the next instruction.
const LOOK_AHEAD: usize = 8;

fn outer(numbers: &[Option<LoopId>], loops: &[Draft], mut draft: u32) -> Option<LoopId> {
    loop {
        if let Some(id) = numbers[draft as usize] {
            return Some(id);
        }
        draft = loops[draft as usize].parent?;
    }
}

/// A function's code in the program.
pub struct Finished {
    pub code: std::ops::Range<u32>,
    pub variables: Vec<Variable>,
    pub inlined: Vec<Inlined>,
    pub frame: Frame,
    /// Where the frame got too large, if it did.
    pub overflow: Option<Span>,
    /// What held the code, for the next function's.
    pub emptied: Code,
}
