//! Ways out of native code, and what is written to frames for them and for calls.

use std::fmt::Write;

use scaly_interp::program::{FunctionId, Pc};
use scaly_tracer::region::{ChainId, Def, Inst, Kept, Op, Region, Type, Value};

use super::callees::Passed;
use super::{CALL, Lowering, Needs, Refusal, Role, line, type_name};
use crate::host::{CALL_ABANDONED, CALL_DONE};
use crate::run::{LEFT, STATE};

/// How native code came back. Frames are `base` slots above that of the function of the module that left: `Run::left`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// A function called by it did not come back: the state says why.
    Abandoned,
    /// The interpreter goes on here.
    Goes { pc: Pc, base: u32 },
    /// The same, at a call for which there is no room in native code: the interpreter makes it, or says why not.
    NoRoomToCall { pc: Pc, base: u32 },
    /// The region's function has returned at this instruction, with its results in its slots.
    Returned { pc: Pc },
    /// A routine, called at this instruction, did not just compute.
    Routine { pc: Pc, base: u32 },
    /// Nothing was done: there is no room for the function's frames.
    NoRoom,
}

/// The number of [`Leave::Abandoned`].
pub const ABANDONED: u32 = 0;

const SLOT: u32 = 8;

impl Lowering<'_> {
    pub fn base(&self, chain: ChainId) -> u32 {
        self.bases[chain.index()]
    }

    /// The address of a slot of a frame.
    pub fn slot(&mut self, base: u32, slot: u16) -> String {
        self.frame_address(base + u32::from(slot))
    }

    pub fn frame_address(&mut self, slots: u32) -> String {
        if slots == 0 {
            return "%frame".into();
        }
        let place = self.temporary();
        line!(self, "{place} = getelementptr i8, ptr %frame, i64 {}", slots * SLOT);
        place
    }

    /// Stores what a slot holds that holds this value.
    pub fn store_slot(&mut self, base: u32, slot: u16, value: Value) {
        let place = self.slot(base, slot);
        self.store_at(&place, value);
    }

    /// Stores it at an address.
    pub fn store_at(&mut self, place: &str, value: Value) {
        let bits = match self.region.ty(value) {
            Type::Single => format!("i64 {}", self.image(value)),
            ty => format!("{} {}", type_name(ty), self.operand(value)),
        };
        line!(self, "store {bits}, ptr {place}, align 8");
    }

    /// Loads a value from a slot, which somebody else has just stored word by word. LLVM must not make one wide load of
    /// several of these, as it would of plain ones: a processor waits then until all the words are in its cache, and a loop
    /// of routines takes 1.5 times as long.
    pub fn load_slot(&mut self, base: u32, slot: u16, value: Value) {
        let place = self.slot(base, slot);
        if self.images[value.index()] {
            line!(self, "%{value}.s = load atomic i64, ptr {place} unordered, align 8");
            self.low_single(&format!("%{value}"), &format!("%{value}.s"));
        } else {
            line!(self, "%{value} = load atomic {}, ptr {place} unordered, align 8", type_name(self.region.ty(value)));
        }
    }

    /// The headers of all frames from the region's to that of a chain.
    pub fn store_headers(&mut self, chain: ChainId) {
        if self.gives_up() {
            return;
        }
        if let Some((caller, pc)) = self.region.chains[chain.index()].caller {
            self.store_headers(caller);
            self.store_header(self.base(caller), self.base(chain), pc);
        }
    }

    pub fn store_header(&mut self, caller: u32, frame: u32, call: Pc) {
        let caller = self.frame_address(caller);
        let place = self.frame_address(frame - 2);
        line!(self, "store ptr {caller}, ptr {place}, align 8");
        let place = self.frame_address(frame - 1);
        line!(self, "store i64 {}, ptr {place}, align 8", call.0 + 1);
    }

    /// Writes frames so that the interpreter goes on in a chain. `written` is the first slot that was written early in
    /// this iteration: what lies below it and is as it was at the entry need not be written.
    pub fn keep(&mut self, chain: ChainId, kept: &[Kept], written: Option<u32>) {
        // Nobody goes on here.
        if self.gives_up() {
            return;
        }
        for kept in kept {
            let base = self.base(kept.chain);
            if !(self.unchanged(kept) && written.is_none_or(|from| u32::from(kept.slot) < from)) {
                self.store_slot(base, kept.slot, kept.value);
            }
        }
        self.store_headers(chain);
    }

    fn unchanged(&self, kept: &Kept) -> bool {
        match self.region.values[kept.value.index()].def {
            // What came in a register has not been in the frame.
            Def::Param(Region::ENTRY, n) if self.passed(n as usize) == Passed::InFrame => {
                kept.chain == ChainId(0) && self.region.block(Region::ENTRY).params[n as usize].slot == kept.slot
            }
            _ => false,
        }
    }

    /// Leaves.
    pub fn ret(&mut self, leave: Leave) {
        if self.gives_up() {
            return self.give_up();
        }
        let number = self.number(leave);
        if !matches!(leave, Leave::Abandoned | Leave::NoRoom) {
            let place = self.temporary();
            line!(self, "{place} = getelementptr i8, ptr %run, i64 {LEFT}");
            line!(self, "store ptr %frame, ptr {place}, align 8");
        }
        match self.role {
            Role::Root => {
                line!(self, "ret i32 {number}");
            }
            Role::Callee(_) | Role::Forking | Role::Ahead => self.ret_status(number + super::LEFT_BELOW),
        }
    }

    /// The number of a way out.
    pub fn number(&mut self, leave: Leave) -> u32 {
        if leave == Leave::Abandoned {
            return super::ABANDONED;
        }
        let found = self.leaves.iter().position(|l| *l == leave);
        found.unwrap_or_else(|| {
            self.leaves.push(leave);
            self.leaves.len() - 1
        }) as u32
    }

    /// The first slot of the frame that a call at this place writes early.
    pub fn first_written(&self, chain: ChainId, frame: u32) -> u32 {
        let mut at = chain;
        let mut outermost = frame;
        while let Some((caller, _)) = self.region.chains[at.index()].caller {
            outermost = self.base(at);
            at = caller;
        }
        outermost.saturating_sub(2)
    }

    pub fn call_frame(&self, chain: ChainId, inst: &Inst) -> Result<u32, Refusal> {
        let code = &self.context.program.code;
        let call = code.get(inst.pc.0 as usize).ok_or(Refusal::OtherProgram)?;
        Ok(self.base(chain) + u32::from(call.a))
    }

    pub fn load_results(&mut self, frame: u32, inst: &Inst) {
        for (i, &result) in inst.results.iter().enumerate() {
            self.load_slot(frame, i as u16, result);
        }
    }

    /// What may wait runs in the interpreter.
    pub fn leave_before(&mut self, chain: ChainId, inst: &Inst, frame: u32) -> Result<(), Refusal> {
        if inst.kept.is_empty() {
            return Err(Refusal::NothingKept(inst.pc));
        }
        self.needs(Needs::Program(inst.pc));
        self.leave_at(chain, inst, frame);
        Ok(())
    }

    /// The interpreter goes on at this instruction.
    pub fn leave_at(&mut self, chain: ChainId, inst: &Inst, frame: u32) {
        self.keep(chain, &inst.kept, None);
        self.ret(Leave::Goes { pc: inst.pc, base: self.base(chain) });
        // What follows in the region is not reached from here.
        let (then, _) = self.fork();
        self.begin(then);
        self.load_results(frame, inst);
    }

    pub fn call(&mut self, chain: ChainId, inst: &Inst) -> Result<(), Refusal> {
        let frame = self.call_frame(chain, inst)?;
        let waits = |id: &FunctionId| self.context.waits.get(id.0 as usize).copied().unwrap_or(true);
        let class = match inst.op {
            Op::CallAny(class) => Some(class),
            _ => None,
        };
        let (function, args, may_wait) = match inst.op {
            Op::Call(id) => (id.0.to_string(), &inst.args[..], waits(&id)),
            // Whichever it is.
            _ => {
                let may_wait = class.is_none_or(|class| self.callees.candidates(class).any(|id| waits(&id)));
                let word = self.operand(inst.args[0]);
                let function = self.temporary();
                line!(self, "{function} = trunc i64 {word} to i32");
                (function, &inst.args[1..], may_wait)
            }
        };
        if may_wait {
            return self.leave_before(chain, inst, frame);
        }
        if inst.kept.is_empty() {
            return Err(Refusal::NothingKept(inst.pc));
        }
        if let Op::Call(id) = inst.op
            && let Some(callee) = self.callees.find(id)
        {
            self.call_directly(chain, inst, frame, callee);
            return Ok(());
        }
        if let Some(choice) = class.and_then(|class| self.callees.choice(class)) {
            self.call_chosen(chain, inst, frame, &choice);
            return Ok(());
        }
        for (i, &arg) in args.iter().enumerate() {
            self.store_slot(frame, i as u16, arg);
        }
        self.store_headers(chain);
        self.store_header(self.base(chain), frame, inst.pc);
        let callee = self.frame_address(frame);
        self.needs(Needs::Program(inst.pc));
        let state = self.of_run(STATE);
        let status = self.temporary();
        line!(self, "{status} = call i32 @{CALL}(ptr {state}, i32 {function}, ptr {callee})");
        let (then, cold) = self.fork();
        let (abandon, refused) = (format!("{cold}.abandoned"), format!("{cold}.refused"));
        line!(
            self,
            "switch i32 {status}, label %{refused} [ i32 {CALL_DONE}, label %{then} i32 {CALL_ABANDONED}, label %{abandon} ]"
        );
        self.cold_block(&abandon, |lowering| lowering.ret(Leave::Abandoned));
        // No room: the interpreter makes the call, or says why not.
        let written = self.first_written(chain, frame);
        self.cold_block(&refused, |lowering| {
            lowering.keep(chain, &inst.kept, Some(written));
            lowering.ret(Leave::NoRoomToCall { pc: inst.pc, base: lowering.base(chain) });
        });
        self.begin(then);
        self.load_results(frame, inst);
        Ok(())
    }
}
