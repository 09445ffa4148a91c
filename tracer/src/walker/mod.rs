//! Follows all bytecode that one iteration of a loop, or one call of a function, can reach, without executing it, and
//! builds its region.
//!
//! Types are static, so a path can be followed without a value: `step` says what an instruction does, and the walker
//! takes every branch both ways. Small callees are walked in place; a recursive or large one stays a call, which counts
//! with the effects of all of its bytecode. A branch backwards is always the back edge of a loop in the program's table,
//! so the order of the instructions is one in which a block comes after those that lead to it, and one pass in that order
//! builds SSA form: a block's parameters are the live slots whose values differ between the ways to it, a loop header's
//! those that the loop writes.
//!
//! # What is kept for machine code
//!
//! A guard that fails in machine code is left to the interpreter, which runs its instruction again and fails alike. That
//! is exact: an instruction checks before its first effect, and what it checks follows from its operand slots only, never
//! from memory, so these are all that has to be written. It holds for a guard whose condition was folded or computed
//! earlier too, because the condition is a value of the same slots; one that is known to hold is not there, and one that
//! an earlier guard has tested is that guard. Where room is looked for in memory and taken to be there, the interpreter goes
//! on when it is not: such a guard keeps what a call does. A call that cannot be made keeps more, since the program goes on behind it:
//! every slot that is read from its instruction on, in its frame and, behind their calls, in those of its callers.
//!
//! Rejected: building blocks first and SSA form after. All it would save is the table of pending edges.

mod builder;
mod code;
mod finish;
mod fold;
mod linear;
mod open;
mod operands;
mod scope;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use builder::{Builder, NOWHERE};
pub use code::{Code, CodeBlock, SlotSet, written};
pub use fold::{int as fold_int, int_unary as fold_unary};
pub use linear::{Base, Constants, Linear, at_entry as linear_at_entry};
use linear::{constant_params, constants_at_entry};
pub use open::{Open, OpenReason, Root};
pub use operands::{Flow, Slots};
use rustc_hash::FxHashMap;
use scaly_interp::bytecode::Instruction;
use scaly_interp::machine::{Fault, Machine, Next};
use scaly_interp::program::{Class, FunctionId, LoopId, Pc, Program};
use scaly_interp::routine::Routine;
use scaly_interp::step::step;
use scope::Scope;

use crate::effects::taken;
use crate::parameters::Parameters;
use crate::region::{
    BlockId, Chain, ChainId, Cycle, CycleId, Edge, ExitKind, Kept, Op, Region, Terminator, Value, Whole,
};
use crate::trace::Const;

/// Walks the loops and functions of one program; keeps what it learned of each function.
pub struct Walker<'a> {
    program: &'a Program,
    parameters: Parameters,
    loops_of: Vec<Vec<LoopId>>,
    codes: FxHashMap<FunctionId, Rc<Code>>,
    /// The functions that a function value may be.
    taken: Vec<FunctionId>,
    /// By function, the parameters that are always the same constant; when first asked for.
    params: OnceCell<Vec<Vec<Option<Const>>>>,
    /// Whether guards and calls keep what the interpreter needs to go on.
    keeps: bool,
    /// Instructions of the loop that is walked which look for room behind an array, and are taken to find it.
    rooms: BTreeSet<Pc>,
}

impl<'a> Walker<'a> {
    pub fn new(program: &'a Program, parameters: Parameters) -> Walker<'a> {
        let mut loops_of = vec![Vec::new(); program.functions.len()];
        for (i, l) in program.loops.iter().enumerate() {
            loops_of[l.function.0 as usize].push(LoopId(i as u32));
        }
        Walker {
            program,
            parameters,
            loops_of,
            codes: FxHashMap::default(),
            taken: taken(program),
            params: OnceCell::new(),
            keeps: false,
            rooms: BTreeSet::new(),
        }
    }

    /// Regions are for machine code: guards and calls keep what the interpreter needs to go on at them.
    pub fn keeping(mut self) -> Walker<'a> {
        self.keeps = true;
        self
    }

    /// What a call of a function value of this class may call.
    pub fn callable(&self, class: Class) -> impl Iterator<Item = FunctionId> + '_ {
        self.taken.iter().copied().filter(move |id| self.program.function(*id).class() == class)
    }

    /// Facts about a function's bytecode.
    pub fn code(&mut self, function: FunctionId) -> Rc<Code> {
        let (program, loops) = (self.program, &self.loops_of[function.0 as usize]);
        self.codes.entry(function).or_insert_with(|| Rc::new(Code::of(program, function, loops))).clone()
    }

    /// The region of a loop, closed, or why it is not. A region that becomes too large is walked again with less inlined.
    pub fn walk(&mut self, id: LoopId) -> Result<Region, Open> {
        self.walk_root(Root::Loop(id))
    }

    /// The same; where these instructions look for room behind an array there is a guard, so that it stays in its block.
    pub fn walk_with_room(&mut self, id: LoopId, rooms: &BTreeSet<Pc>) -> Result<Region, Open> {
        self.rooms.clone_from(rooms);
        let region = self.walk(id);
        self.rooms.clear();
        region
    }

    /// The region of a function, from its entry to its returns. A call of itself stays a call.
    pub fn walk_function(&mut self, id: FunctionId) -> Result<Region, Open> {
        self.walk_root(Root::Function(id))
    }

    fn walk_root(&mut self, root: Root) -> Result<Region, Open> {
        let mut result = self.attempt(root, self.parameters.region_inline);
        for inline_size in [self.parameters.region_inline_small, 0] {
            match result {
                Err(Open { reason: OpenReason::TooLarge { .. }, .. }) => result = self.attempt(root, inline_size),
                _ => break,
            }
        }
        result
    }

    fn attempt(&mut self, root: Root, inline_size: u32) -> Result<Region, Open> {
        let program = self.program;
        let lengths = program.texts.iter().map(|t| t.len() as i64).collect();
        let mut walk = Walk {
            program,
            root,
            inline_size,
            builder: Builder::new(lengths),
            deepest: self.parameters.region_depth,
            limit: self.parameters.region_instructions,
            outer: Vec::new(),
            walker: self,
        };
        let whole = match root {
            Root::Loop(id) => walk.whole_loop(id).map(|()| Whole::Loop)?,
            Root::Function(id) => walk.whole_function(id).map(|()| Whole::Function)?,
        };
        Ok(finish::finish(walk.builder, whole))
    }
}

type Frame = Vec<Option<Value>>;

/// The slots of a set that have a value.
fn kept(chain: ChainId, live: &SlotSet, frame: &Frame) -> impl Iterator<Item = Kept> {
    let value = move |slot: u16| Some(Kept { chain, slot, value: (*frame.get(usize::from(slot))?)? });
    live.iter().filter_map(value)
}

/// An edge whose target has not been built yet, and the slots that it brings.
struct Pending {
    from: BlockId,
    edge: usize,
    frame: Frame,
    /// What is known at its end.
    scope: Rc<Scope>,
}

/// The end of an inlined callee.
struct Returned {
    from: BlockId,
    values: Vec<Value>,
    scope: Rc<Scope>,
}

/// One activation being walked.
struct Activation {
    chain: ChainId,
    code: Rc<Code>,
    /// The bytecode that belongs to the region: all of the function, or of the loop that is walked.
    range: std::ops::Range<u32>,
    /// Slots that the region's loop writes; an exit gives values for these.
    written: Option<SlotSet>,
    /// The cycle around the call.
    outer: Option<CycleId>,
    cycles: Vec<(LoopId, CycleId)>,
    pending: BTreeMap<usize, Vec<Pending>>,
    /// Headers built so far and the slots of their parameters.
    headers: FxHashMap<u32, (BlockId, Vec<u16>)>,
    returns: Vec<Returned>,
}

struct Walk<'w, 'a> {
    program: &'a Program,
    walker: &'w mut Walker<'a>,
    root: Root,
    inline_size: u32,
    deepest: u32,
    limit: u32,
    builder: Builder,
    /// What the frames of the callers hold, where regions keep that.
    outer: Vec<Kept>,
}

impl Walk<'_, '_> {
    fn open<T>(&self, reason: OpenReason, pc: u32) -> Result<T, Open> {
        Err(Open { root: self.root, reason, pc: Pc(pc) })
    }

    fn whole_loop(&mut self, id: LoopId) -> Result<(), Open> {
        let l = &self.program.loops[id.0 as usize];
        let code = self.walker.code(l.function);
        let Some(header) = code.block_at(l.code.start) else {
            return self.open(OpenReason::Malformed, l.code.start);
        };
        let Some((_, written)) = code.header(header) else {
            return self.open(OpenReason::Malformed, l.code.start);
        };
        let written = written.clone();
        let slots = self.program.function(l.function).frame_slots;
        let live: Vec<u16> = code.live[header].iter().filter(|&s| s < slots).collect();
        self.begin(code, header, &live, l.code.clone(), Some(written))
    }

    fn whole_function(&mut self, id: FunctionId) -> Result<(), Open> {
        let function = self.program.function(id);
        let code = self.walker.code(id);
        let params: Vec<u16> = (0..function.param_slots).collect();
        self.begin(code, 0, &params, function.code.clone(), None)
    }

    /// Walks all from a block on, whose slots are the entry's parameters.
    fn begin(
        &mut self,
        code: Rc<Code>,
        first: usize,
        params: &[u16],
        range: std::ops::Range<u32>,
        written: Option<SlotSet>,
    ) -> Result<(), Open> {
        let pc = Pc(range.start);
        let b = &mut self.builder;
        b.chains.push(Chain { function: code.function, caller: None });
        b.pc = pc;
        b.block = b.new_block(ChainId(0), pc, None);
        let slots = self.program.function(code.function).frame_slots;
        // What the loop writes is another value in its next iteration.
        let mut constants = match &written {
            Some(_) => {
                let params = self.walker.params.get_or_init(|| constant_params(self.program, &self.walker.taken));
                constants_at_entry(self.program, &code, range.start, &params[code.function.0 as usize])
            }
            None => Vec::new(),
        };
        for slot in written.iter().flat_map(SlotSet::iter) {
            constants.get_mut(usize::from(slot)).into_iter().for_each(|constant| *constant = None);
        }
        let mut frame: Frame = vec![None; usize::from(slots)];
        for &slot in params {
            let constant = constants.get(usize::from(slot)).copied().flatten();
            frame[usize::from(slot)] = Some(match constant {
                Some(Const::Word(value)) => b.const_word(value),
                Some(Const::Float(bits)) => b.const_float(bits),
                Some(Const::Single(bits)) => b.const_single(bits),
                Some(Const::Cond(_)) | None => b.add_param(Region::ENTRY, slot, None),
            });
        }
        b.end(Terminator::Jump(Edge { to: NOWHERE, args: Vec::new() }));
        let mut activation = Activation {
            chain: ChainId(0),
            code,
            range,
            written,
            outer: None,
            cycles: Vec::new(),
            pending: BTreeMap::new(),
            headers: FxHashMap::default(),
            returns: Vec::new(),
        };
        activation.pending.insert(first, vec![Pending { from: Region::ENTRY, edge: 0, frame, scope: Rc::default() }]);
        self.walk(&mut activation)
    }

    fn walk(&mut self, a: &mut Activation) -> Result<(), Open> {
        while let Some((at, incoming)) = a.pending.pop_first() {
            self.enter(a, at, incoming);
            self.instructions(a, at)?;
        }
        Ok(())
    }

    /// The innermost cycle around an instruction of an activation.
    fn cycle_at(&self, a: &Activation, pc: u32) -> Option<CycleId> {
        let inside = |&&(id, _): &&(LoopId, CycleId)| self.program.loops[id.0 as usize].code.contains(&pc);
        // Loops are met from the outside in.
        a.cycles.iter().rfind(inside).map(|&(_, cycle)| cycle).or(a.outer)
    }

    /// Builds the block of a bytecode block and makes it the current one.
    fn enter(&mut self, a: &mut Activation, at: usize, mut incoming: Vec<Pending>) {
        let start = a.code.blocks[at].start;
        let block = BlockId(self.builder.blocks.len() as u32);
        let header = a.code.header(at);
        if let Some((id, _)) = header {
            let parent = self.cycle_at(a, start);
            let cycle = CycleId(self.builder.cycles.len() as u32);
            let kind = self.program.loops[id.0 as usize].kind;
            self.builder.cycles.push(Cycle { id, chain: a.chain, header: block, parent, kind });
            a.cycles.push((id, cycle));
        }
        let cycle = self.cycle_at(a, start);
        self.builder.pc = Pc(start);
        self.builder.new_block(a.chain, Pc(start), cycle);
        let slots = self.program.function(a.code.function).frame_slots;
        let mut frame: Frame = vec![None; usize::from(slots)];
        let mut params = Vec::new();
        for slot in a.code.live[at].iter().filter(|&s| s < slots) {
            let of = |p: &Pending| p.frame[usize::from(slot)];
            let Some(first) = incoming.iter().find_map(of) else { continue };
            let same = incoming.iter().all(|p| of(p) == Some(first));
            let varies = match header {
                Some((_, written)) => written.has(slot),
                None => !same,
            };
            let value = if varies || !same {
                params.push(slot);
                self.builder.add_param(block, slot, None)
            } else {
                first
            };
            frame[usize::from(slot)] = Some(value);
        }
        for pending in &mut incoming {
            self.builder.frame = std::mem::take(&mut pending.frame);
            let args = params.iter().map(|&slot| self.builder.slot(slot)).collect();
            self.connect(pending.from, pending.edge, block, args);
        }
        // A loop may store what was loaded before it.
        let known = match &incoming[..] {
            [only] => Some(only.scope.clone()),
            _ => None,
        };
        self.builder.open_scope(known, header.is_some());
        if header.is_some() {
            a.headers.insert(start, (block, params));
        }
        self.builder.block = block;
        self.builder.frame = frame;
    }

    fn connect(&mut self, from: BlockId, edge: usize, to: BlockId, args: Vec<Value>) {
        let end = &mut self.builder.blocks[from.index()].end;
        if let Some(place) = end.edges_mut().nth(edge) {
            *place = Edge { to, args };
        }
    }

    /// Walks the instructions of the current block up to its end.
    fn instructions(&mut self, a: &mut Activation, at: usize) -> Result<(), Open> {
        let CodeBlock { start, end } = a.code.blocks[at];
        for pc in start..end {
            if self.builder.size() > self.limit as usize {
                return self.open(OpenReason::TooLarge { limit: self.limit }, pc);
            }
            let ins = self.program.code[pc as usize];
            let before = self.builder.frame.clone();
            self.builder.begin(Pc(pc));
            self.guards_keep(a, ins);
            let next = step(&mut self.builder, ins);
            if let Some(first) = self.builder.take_decision() {
                let yes_frame = std::mem::replace(&mut self.builder.frame, before);
                self.builder.begin_again();
                let other = step(&mut self.builder, ins);
                let no_frame = std::mem::take(&mut self.builder.frame);
                let Some(second) = self.builder.take_decision() else {
                    return self.open(OpenReason::Malformed, pc);
                };
                let edge = || Edge { to: NOWHERE, args: Vec::new() };
                self.builder.end(Terminator::Branch(first.cond, edge(), edge()));
                let from = self.builder.block;
                let known = self.builder.close_scope();
                for (edge, next, side, frame) in [(0, next, first.side, yes_frame), (1, other, second.side, no_frame)] {
                    self.builder.open_scope(Some(known.clone()), false);
                    self.builder.assume(first.cond, edge == 0);
                    self.side(a, pc, (from, edge), next, side, frame)?;
                }
                return Ok(());
            }
            if !self.one_way(a, pc, next)? {
                return Ok(());
            }
        }
        self.jump(a, end - 1, end)
    }

    /// One side of a decision: what it emitted stands in `side`.
    fn side(
        &mut self,
        a: &mut Activation,
        pc: u32,
        (from, edge): (BlockId, usize),
        next: Next,
        side: BlockId,
        frame: Frame,
    ) -> Result<(), Open> {
        self.builder.frame = frame;
        self.connect(from, edge, side, Vec::new());
        self.builder.block = side;
        match next {
            Next::Seq => self.jump(a, pc, pc + 1),
            next => self.one_way(a, pc, next).map(|_| ()),
        }
    }

    /// Control that does not depend on a decision. False if the block has ended.
    fn one_way(&mut self, a: &mut Activation, pc: u32, next: Next) -> Result<bool, Open> {
        match next {
            Next::Seq => return Ok(true),
            Next::Jump(target) | Next::Loop { target, .. } => self.jump(a, pc, target)?,
            Next::Runtime { routine, frame } => return self.runtime(a, pc, routine, frame),
            Next::Call { function, frame } => return self.call(a, pc, FunctionId(function), frame, None),
            Next::CallIndirect { value, frame } => {
                let function = self.builder.slot(value);
                let environment = self.builder.slot(value + 1);
                let known = self.builder.constant_of(function).and_then(|f| u32::try_from(f).ok());
                return match known.filter(|&f| (f as usize) < self.program.functions.len()) {
                    Some(function) => self.call(a, pc, FunctionId(function), frame, Some(environment)),
                    None => self.call_any(a, pc, function, frame, environment),
                };
            }
            Next::Return { from, count } => {
                let values: Vec<Value> = (from..from + count).map(|slot| self.builder.slot(slot)).collect();
                if a.chain == ChainId(0) {
                    let slots: Vec<u16> = (0..count).collect();
                    let exit = self.builder.exit(ExitKind::Return, Pc(pc), &slots);
                    self.builder.end(Terminator::Exit(exit, values));
                } else {
                    self.builder.end(Terminator::Jump(Edge { to: NOWHERE, args: Vec::new() }));
                    let scope = self.builder.close_scope();
                    a.returns.push(Returned { from: self.builder.block, values, scope });
                }
            }
            Next::Fault(fault) => self.stop(pc, ExitKind::Fault(fault)),
        }
        Ok(false)
    }

    fn stop(&mut self, pc: u32, kind: ExitKind) {
        let exit = self.builder.exit(kind, Pc(pc), &[]);
        self.builder.end(Terminator::Exit(exit, Vec::new()));
    }

    /// Ends the current block with a jump to an instruction of the activation, or out of the region.
    fn jump(&mut self, a: &mut Activation, pc: u32, target: u32) -> Result<(), Open> {
        let from = self.builder.block;
        if !a.range.contains(&target) {
            let (Some(written), Root::Loop(id)) = (a.written.clone(), self.root) else {
                return self.open(OpenReason::Malformed, pc);
            };
            let counted = &self.program.loops[id.0 as usize];
            let done = pc + 1 == counted.code.end
                && target == counted.code.end
                && matches!(counted.kind, scaly_interp::program::LoopKind::Counted { .. });
            let kind = if done { ExitKind::Done } else { ExitKind::Leave };
            let Some(at) = a.code.block_at(target) else { return self.open(OpenReason::Malformed, pc) };
            // Code also leaves what a next iteration would need: parts of the loop are compared by it.
            let header = a.code.block_at(counted.code.start).filter(|_| self.walker.keeps);
            let carried = |slot: u16| header.is_some_and(|header| a.code.live[header].has(slot));
            let known = |slot: u16| self.builder.frame.get(usize::from(slot)).is_some_and(Option::is_some);
            let used = |slot: u16| a.code.live[at].has(slot) || carried(slot) && known(slot);
            let slots: Vec<u16> = written.iter().filter(|&slot| used(slot)).collect();
            let values = slots.iter().map(|&slot| self.builder.slot(slot)).collect();
            let exit = self.builder.exit(kind, Pc(target), &slots);
            self.builder.end(Terminator::Exit(exit, values));
            return Ok(());
        }
        if let Some((header, slots)) = a.headers.get(&target) {
            let (header, slots) = (*header, slots.clone());
            let args = slots.iter().map(|&slot| self.builder.slot(slot)).collect();
            self.builder.end(Terminator::Jump(Edge { to: header, args }));
            return Ok(());
        }
        let at = match a.code.block_at(target) {
            Some(at) if target > pc => at,
            _ => return self.open(OpenReason::Malformed, pc),
        };
        self.builder.end(Terminator::Jump(Edge { to: NOWHERE, args: Vec::new() }));
        let frame = std::mem::take(&mut self.builder.frame);
        let scope = self.builder.close_scope();
        a.pending.entry(at).or_default().push(Pending { from, edge: 0, frame, scope });
        Ok(())
    }

    fn runtime(&mut self, a: &Activation, pc: u32, routine: u32, frame: u16) -> Result<bool, Open> {
        let Some(routine) = Routine::from_number(routine) else { return self.open(OpenReason::Malformed, pc) };
        let row = routine.signature();
        let args: Vec<Value> = (frame..frame + row.param_slots()).map(|slot| self.builder.slot(slot)).collect();
        let kept = self.all_kept(a, pc);
        let results = self.builder.emit_call(Op::Runtime(routine), &args, row.result_slots().into(), kept);
        for (slot, value) in (frame..).zip(results) {
            self.builder.set_slot(slot, value);
        }
        if operands::stops(routine) {
            let kind = if row.may_fault() { ExitKind::Fault(Fault::Message) } else { ExitKind::Stop };
            self.stop(pc, kind);
            return Ok(false);
        }
        Ok(true)
    }

    /// The operands of an instruction: if a check of it fails, the interpreter runs it and fails alike. It goes on behind
    /// one that looks for room.
    fn guards_keep(&mut self, a: &Activation, ins: Instruction) {
        self.builder.finds_room = self.walker.rooms.contains(&self.builder.pc);
        if self.builder.finds_room {
            self.builder.guards_keep = self.all_kept(a, self.builder.pc.0);
            return;
        }
        self.builder.guards_keep.clear();
        if !self.walker.keeps {
            return;
        }
        let slots = self.builder.frame.len() as u16;
        for (first, count) in Slots::of(self.program, ins, slots).uses {
            for slot in first..first.saturating_add(count).min(slots) {
                let value = self.builder.slot(slot);
                self.builder.guards_keep.push(Kept { chain: a.chain, slot, value });
            }
        }
    }

    /// All that is read from an instruction on, in its frame and in those of its callers.
    fn all_kept(&self, a: &Activation, pc: u32) -> Vec<Kept> {
        if !self.walker.keeps {
            return Vec::new();
        }
        let (live, _) = a.code.live_around(self.program, pc);
        self.outer.iter().copied().chain(kept(a.chain, &live, &self.builder.frame)).collect()
    }

    /// Whether a call is walked in place.
    fn inlines(&self, chain: ChainId, function: FunctionId) -> bool {
        let size = self.program.function(function).code.len();
        if size > self.inline_size as usize {
            return false;
        }
        // A small function's calls of itself are walked in place a few times where the region is that function: what a
        // call costs is then paid once in so many activations.
        let small = self.root == Root::Function(function) && size <= self.walker.parameters.recursion_size as usize;
        let mut again = if small { self.walker.parameters.recursion_depth } else { 0 };
        let (mut depth, mut at) = (0, chain);
        loop {
            let chain = &self.builder.chains[at.index()];
            // The first is the region's own.
            if chain.function == function && (chain.caller.is_some() || again == 0) {
                if again <= 1 {
                    return false;
                }
                again -= 1;
            }
            depth += 1;
            match chain.caller {
                Some((caller, _)) => at = caller,
                None => return depth <= self.deepest,
            }
        }
    }

    fn call(
        &mut self,
        a: &Activation,
        pc: u32,
        function: FunctionId,
        frame: u16,
        environment: Option<Value>,
    ) -> Result<bool, Open> {
        let callee = self.program.function(function);
        let (params, results) = (callee.param_slots, callee.result_slots);
        let args: Vec<Value> = (0..params)
            .map(|i| match environment {
                Some(environment) if i == 0 => environment,
                _ => self.builder.slot(frame + i),
            })
            .collect();
        let values = if self.inlines(a.chain, function) {
            let Some(values) = self.inline(a, pc, function, frame, args)? else { return Ok(false) };
            values
        } else {
            let kept = self.all_kept(a, pc);
            self.builder.emit_call(Op::Call(function), &args, results.into(), kept)
        };
        self.returned(frame, &values);
        Ok(true)
    }

    /// A call of a function value that is not known. If the program takes the id of one function only of its class, it is
    /// that one.
    fn call_any(
        &mut self,
        a: &Activation,
        pc: u32,
        value: Value,
        frame: u16,
        environment: Value,
    ) -> Result<bool, Open> {
        let class = Class(self.program.code[pc as usize].x);
        let only = {
            let mut callable = self.walker.callable(class);
            callable.next().filter(|_| callable.next().is_none())
        };
        if let Some(only) = only {
            return self.call(a, pc, only, frame, Some(environment));
        }
        let mut args = vec![value, environment];
        args.extend((1..class.param_slots()).map(|i| self.builder.slot(frame + i)));
        let kept = self.all_kept(a, pc);
        let values = self.builder.emit_call(Op::CallAny(class), &args, class.result_slots().into(), kept);
        self.returned(frame, &values);
        Ok(true)
    }

    /// Behind a call: its results stand from its frame on, all else there is lost.
    fn returned(&mut self, frame: u16, values: &[Value]) {
        let lost = usize::from(frame.saturating_sub(2)).min(self.builder.frame.len());
        self.builder.frame[lost..].fill(None);
        for (slot, &value) in (frame..).zip(values) {
            self.builder.set_slot(slot, value);
        }
    }

    /// Walks a callee in place. Its results, or none if it never returns.
    fn inline(
        &mut self,
        a: &Activation,
        pc: u32,
        function: FunctionId,
        frame: u16,
        args: Vec<Value>,
    ) -> Result<Option<Vec<Value>>, Open> {
        let callee = self.program.function(function);
        let chain = ChainId(self.builder.chains.len() as u32);
        self.builder.chains.push(Chain { function, caller: Some((a.chain, Pc(pc))) });
        let outer = self.builder.blocks[self.builder.block.index()].cycle;
        let from = self.builder.block;
        self.builder.end(Terminator::Jump(Edge { to: NOWHERE, args: Vec::new() }));
        let mut inner = Activation {
            chain,
            code: self.walker.code(function),
            range: callee.code.clone(),
            written: None,
            outer,
            cycles: Vec::new(),
            pending: BTreeMap::new(),
            headers: FxHashMap::default(),
            returns: Vec::new(),
        };
        let mut slots: Frame = vec![None; usize::from(callee.frame_slots)];
        for (place, arg) in slots.iter_mut().zip(args) {
            *place = Some(arg);
        }
        let saved = std::mem::take(&mut self.builder.frame);
        let known = self.builder.close_scope();
        inner.pending.insert(0, vec![Pending { from, edge: 0, frame: slots, scope: known.clone() }]);
        let callers = self.outer.len();
        if self.walker.keeps {
            let (_, live) = a.code.live_around(self.program, pc);
            self.outer.extend(kept(a.chain, &live, &saved));
        }
        self.walk(&mut inner)?;
        self.outer.truncate(callers);
        self.builder.pc = Pc(pc);
        self.builder.frame = saved;
        match &inner.returns[..] {
            [] => return Ok(None),
            [only] => self.builder.open_scope(Some(only.scope.clone()), false),
            _ => self.builder.open_scope(Some(known), true),
        }
        let block = self.builder.new_block(a.chain, Pc(pc + 1), outer);
        let count = usize::from(callee.result_slots);
        let mut values = Vec::with_capacity(count);
        let mut params = Vec::new();
        let zero = self.builder.word_constant(0);
        for i in 0..count {
            let of = |r: &Returned| r.values.get(i).copied().unwrap_or(zero);
            let first = of(&inner.returns[0]);
            if inner.returns.iter().all(|r| of(r) == first) {
                values.push(first);
            } else {
                params.push(i);
                values.push(self.builder.add_param(block, frame + i as u16, None));
            }
        }
        for returned in &inner.returns {
            let args = params.iter().map(|&i| returned.values.get(i).copied().unwrap_or(zero)).collect();
            self.connect(returned.from, 0, block, args);
        }
        self.builder.block = block;
        Ok(Some(values))
    }
}
