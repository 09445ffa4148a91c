//! Calls between the functions of a module.
//!
//! ```text
//! { i32 status, results… } @region.functionN(ptr run, ptr frame, arguments…)
//! ```
//!
//! The caller passes the base of the callee's frame, whose space is reserved and not written: arguments and up to two
//! results are in registers, the others in their slots of that frame, and what the caller needs behind the call is where
//! LLVM put it. The status is 0 where the function returned, [`REFUSED`] where its frames do not fit, and else says that
//! something below has left, and by which way.
//!
//! # Leaving from within calls
//!
//! Who leaves writes its own frame and returns. A caller that gets such a status writes what its frame holds behind the
//! call, and the headers of its inlined frames and of the callee's, all of which it knows; and returns the same status. So
//! when the region's root has returned, the frames are those that the interpreter would have, all of them, and it goes on
//! in the innermost. A call costs no store for that, only the test of a register.
//!
//! Rejected: to let the interpreter finish an activation below its native caller, as traces do, whose callers have no cold
//! code to write their frames. A region leaves when the program ends or a stack does, never in the ordinary course, so
//! nothing is lost by unwinding; and it needs no state, so that code which only computes can run where there is none.

use std::fmt::Write;

use scaly_interp::program::Pc;
use scaly_tracer::region::{ChainId, Inst, Kept, Param, Type, Value};

use super::callees::{Callee, Callees, Passed};
use super::{LEFT_BELOW, Leave, Lowered, Lowering, REFUSED, Role, line};
use crate::run::{NATIVE_LIMIT, SLOTS_LIMIT};

/// What a function returns.
fn returned_type(callee: &Callee) -> String {
    let results = callee.results.iter().flatten();
    let mut text = "{ i32".to_string();
    results.for_each(|passed| text += &format!(", {}", passed.type_name()));
    text + " }"
}

impl Lowering<'_> {
    /// The first line, and the checks that there is room.
    pub fn write_head(&self, index: usize, module: &mut String) {
        let callee = &self.callees.functions[index];
        let ty = returned_type(callee);
        let _ = write!(module, "define internal {ty} @{}(ptr %run, ptr %frame", callee.name);
        for ((_, passed), param) in callee.params.iter().zip(&callee.region.blocks[0].params) {
            let value = param.value;
            let _ = match (passed, self.region.ty(value)) {
                (Passed::InFrame, _) => Ok(()),
                (_, Type::Single) => write!(module, ", i64 %{value}.s"),
                _ => write!(module, ", {} %{value}", passed.type_name()),
            };
        }
        let _ = write!(
            module,
            ") #0 {{\nentry:\n  \
             %limit.place = getelementptr i8, ptr %run, i64 {SLOTS_LIMIT}\n  \
             %limit = load ptr, ptr %limit.place, align 8\n  \
             %behind = getelementptr i8, ptr %frame, i64 {}\n  \
             %deep = icmp ugt ptr %behind, %limit\n  \
             br i1 %deep, label %refused, label %block0, !prof !1\nrefused:\n",
            callee.frame_slots * 8
        );
        // The arguments' slots are the caller's own: the interpreter finds them there.
        for (&(slot, passed), param) in callee.params.iter().zip(&callee.region.blocks[0].params) {
            if passed != Passed::InFrame {
                let bits = if self.region.ty(param.value) == Type::Single { ".s" } else { "" };
                let _ = write!(
                    module,
                    "  %slot{slot} = getelementptr i8, ptr %frame, i64 {}\n  store {} %{}{bits}, ptr %slot{slot}, align 8\n",
                    u32::from(slot) * 8,
                    passed.type_name(),
                    param.value
                );
            }
        }
        let _ = writeln!(module, "  ret {ty} {{ i32 {REFUSED}{} }}", nothing(callee));
    }

    /// A parameter of the region.
    pub fn take(&mut self, param: &Param, passed: Passed) {
        let value = param.value;
        match (passed, self.region.ty(value)) {
            (Passed::InFrame, _) => self.load_slot(0, param.slot, value),
            (_, Type::Single) => self.low_single(&format!("%{value}"), &format!("%{value}.s")),
            // The argument has its name.
            _ => {}
        }
    }

    /// A value as it is passed in a register.
    fn pass(&mut self, value: Value, passed: Passed) -> String {
        let ty = self.region.ty(value);
        let word = if ty == Type::Single { self.image(value) } else { self.operand(value) };
        let cast = match (ty, passed) {
            (Type::Float, Passed::Word) => format!("bitcast double {word} to i64"),
            (Type::Word | Type::Single, Passed::Float) => format!("bitcast i64 {word} to double"),
            _ => return word,
        };
        let casted = self.temporary();
        line!(self, "{casted} = {cast}");
        casted
    }

    /// Defines a value by what came in a register.
    fn receive(&mut self, value: Value, passed: Passed, from: &str) {
        match (self.region.ty(value), passed) {
            (Type::Single, passed) => {
                let cast = if passed == Passed::Float { "bitcast double" } else { "bitcast i64" };
                line!(self, "%{value}.s = {cast} {from} to i64");
                self.low_single(&format!("%{value}"), &format!("%{value}.s"));
            }
            (Type::Float, passed) => {
                line!(self, "%{value} = bitcast {} {from} to double", passed.type_name());
            }
            (_, passed) => {
                line!(self, "%{value} = bitcast {} {from} to i64", passed.type_name());
            }
        }
    }

    /// Returns to a caller of the module.
    pub fn ret_results(&mut self, values: &[Value]) {
        let Role::Callee(index) = self.role else { return };
        let callee = &self.callees.functions[index];
        let ty = returned_type(callee);
        match &callee.results {
            None => {
                for (slot, &value) in values.iter().enumerate() {
                    self.store_slot(0, slot as u16, value);
                }
                line!(self, "ret {ty} zeroinitializer");
            }
            Some(results) => {
                let mut whole = "zeroinitializer".to_string();
                for (i, (&passed, &value)) in results.iter().zip(values).enumerate() {
                    let (word, next) = (self.pass(value, passed), self.temporary());
                    line!(self, "{next} = insertvalue {ty} {whole}, {} {word}, {}", passed.type_name(), i + 1);
                    whole = next;
                }
                line!(self, "ret {ty} {whole}");
            }
        }
    }

    /// Returns another status than that it returned.
    pub fn ret_status(&mut self, status: u32) {
        let Role::Callee(index) = self.role else { return };
        let callee = &self.callees.functions[index];
        line!(self, "ret {} {{ i32 {status}{} }}", returned_type(callee), nothing(callee));
    }

    /// Calls a function of the module.
    pub fn call_directly(&mut self, chain: ChainId, inst: &Inst, frame: u32, callee: usize) {
        let callee = &self.callees.functions[callee];
        let mut arguments = String::new();
        for &(slot, passed) in &callee.params {
            let value = inst.args[usize::from(slot)];
            if passed == Passed::InFrame {
                self.store_slot(frame, slot, value);
            } else {
                let word = self.pass(value, passed);
                let _ = write!(arguments, ", {} {word}", passed.type_name());
            }
        }
        let (then, cold) = self.fork();
        let (refused, left) = (format!("{cold}.refused"), format!("{cold}.left"));
        self.check_native(chain, inst, frame, &cold);
        let place = self.frame_address(frame);
        let (ty, all, status, done) = (returned_type(callee), self.temporary(), self.temporary(), self.temporary());
        line!(self, "{all} = call {ty} @{}(ptr %run, ptr {place}{arguments})", callee.name);
        line!(self, "{status} = extractvalue {ty} {all}, 0");
        line!(self, "{done} = icmp eq i32 {status}, 0");
        line!(self, "br i1 {done}, label %{then}, label %{cold}, !prof !0");
        let written = self.first_written(chain, frame);
        // The arguments are in their slots.
        let base = self.base(chain);
        let argument = |kept: &Kept| {
            let slot = (base + u32::from(kept.slot)).checked_sub(frame);
            kept.chain == chain && slot.is_some_and(|slot| callee.params.iter().any(|&(s, _)| u32::from(s) == slot))
        };
        let rest: Vec<Kept> = inst.kept.iter().filter(|kept| !argument(kept)).copied().collect();
        self.cold_block(&cold, |lowering| {
            let is_refused = lowering.temporary();
            line!(lowering, "{is_refused} = icmp eq i32 {status}, {REFUSED}");
            line!(lowering, "br i1 {is_refused}, label %{refused}, label %{left}");
        });
        // The interpreter makes the call, or says why not.
        self.cold_block(&refused, |lowering| {
            lowering.keep(chain, &rest, Some(written));
            lowering.ret(Leave::Goes { pc: inst.pc, base });
        });
        self.cold_block(&left, |lowering| {
            lowering.keep_behind(chain, &inst.kept, frame, inst.pc);
            lowering.hand_on(&status);
        });
        self.begin(then);
        match &callee.results {
            None => self.load_results(frame, inst),
            Some(results) => {
                for (i, (&passed, &value)) in results.iter().zip(&inst.results).enumerate() {
                    let from = self.temporary();
                    line!(self, "{from} = extractvalue {ty} {all}, {}", i + 1);
                    self.receive(value, passed, &from);
                }
            }
        }
    }

    /// Native frames have room, or the interpreter makes the call. Tested before the first call on each way through a
    /// function, so that what returns without one does not pay for it, and not in the root, which is entered only where
    /// there is more room than one function takes.
    fn check_native(&mut self, chain: ChainId, inst: &Inst, frame: u32, cold: &str) {
        let tested = self.tested.iter().any(|&block| self.dominators.dominates(block, inst.block));
        if self.role == Role::Root || tested {
            return;
        }
        self.tested.push(inst.block);
        let (fits, full) = (format!("{cold}.fits"), format!("{cold}.full"));
        let (here, place, limit, low) = (self.temporary(), self.temporary(), self.temporary(), self.temporary());
        line!(self, "{here} = call ptr @llvm.stacksave.p0()");
        line!(self, "{place} = getelementptr i8, ptr %run, i64 {NATIVE_LIMIT}");
        line!(self, "{limit} = load ptr, ptr {place}, align 8");
        line!(self, "{low} = icmp ult ptr {here}, {limit}");
        line!(self, "br i1 {low}, label %{full}, label %{fits}, !prof !1");
        let written = self.first_written(chain, frame);
        self.cold_block(&full, |lowering| {
            lowering.keep(chain, &inst.kept, Some(written));
            lowering.ret(Leave::Goes { pc: inst.pc, base: lowering.base(chain) });
        });
        self.begin(fits);
    }

    /// Writes frames so that the interpreter goes on behind a call when its callee returns: from the callee's header on
    /// slots are the callee's.
    fn keep_behind(&mut self, chain: ChainId, kept: &[Kept], frame: u32, call: Pc) {
        let base = self.base(chain);
        let mine = |k: &&Kept| k.chain != chain || base + u32::from(k.slot) + 2 < frame;
        let kept: Vec<Kept> = kept.iter().filter(mine).copied().collect();
        self.keep(chain, &kept, None);
        self.store_header(base, frame, call);
    }

    /// Returns the status of a callee that left.
    fn hand_on(&mut self, status: &str) {
        match self.role {
            Role::Root => {
                let number = self.temporary();
                line!(self, "{number} = sub i32 {status}, {LEFT_BELOW}");
                line!(self, "ret i32 {number}");
            }
            Role::Callee(index) => {
                let (ty, whole) = (returned_type(&self.callees.functions[index]), self.temporary());
                line!(self, "{whole} = insertvalue {ty} zeroinitializer, i32 {status}, 0");
                line!(self, "ret {ty} {whole}");
            }
        }
    }
}

/// Results of a function that has none.
fn nothing(callee: &Callee) -> String {
    let zero = |passed: &Passed| if *passed == Passed::Float { ", double 0.0" } else { ", i64 0" };
    callee.results.iter().flatten().map(zero).collect()
}

/// The way from the interpreter into the first function of a module: at its first instruction, in its frame.
pub fn write_entry(callees: &Callees, to: &mut Lowered) {
    let Some(callee) = callees.functions.first() else { return };
    let (ty, module) = (returned_type(callee), &mut to.module);
    let _ = writeln!(module, "define i32 @{}(ptr %run, ptr %frame) #0 {{\nentry:", to.name);
    let mut arguments = String::new();
    for &(slot, passed) in callee.params.iter().filter(|(_, passed)| *passed != Passed::InFrame) {
        let word = passed.type_name();
        let _ = writeln!(module, "  %place{slot} = getelementptr i8, ptr %frame, i64 {}", u32::from(slot) * 8);
        let _ = writeln!(module, "  %slot{slot} = load {word}, ptr %place{slot}, align 8");
        let _ = write!(arguments, ", {word} %slot{slot}");
    }
    let leaves = &mut to.interface.leaves;
    let (returned, no_room) = (leaves.len(), leaves.len() + 1);
    leaves.extend([Leave::Returned { pc: callee.region.blocks[0].pc }, Leave::NoRoom]);
    let _ = write!(
        module,
        "  %all = call {ty} @{}(ptr %run, ptr %frame{arguments})\n  \
         %status = extractvalue {ty} %all, 0\n  \
         switch i32 %status, label %left [ i32 0, label %returned i32 {REFUSED}, label %refused ]\n\
         left:\n  %number = sub i32 %status, {LEFT_BELOW}\n  ret i32 %number\n\
         refused:\n  ret i32 {no_room}\nreturned:\n",
        callee.name
    );
    for (slot, passed) in callee.results.iter().flatten().enumerate() {
        let ty_of = passed.type_name();
        let _ = writeln!(module, "  %result{slot} = extractvalue {ty} %all, {}", slot + 1);
        let _ = writeln!(module, "  %to{slot} = getelementptr i8, ptr %frame, i64 {}", slot * 8);
        let _ = writeln!(module, "  store {ty_of} %result{slot}, ptr %to{slot}, align 8");
    }
    let _ = write!(module, "  ret i32 {returned}\n}}\n\n");
}
