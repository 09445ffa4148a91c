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

use scaly_interp::program::{Class, FunctionId, Pc};
use scaly_tracer::region::{ChainId, Inst, Kept, Param, Type, Value};

use super::callees::{Callee, Callees, Passed};
use super::{LEFT_BELOW, Leave, Lowered, Lowering, REFUSED, Refusal, Role, line, restart};
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
    pub fn write_head(&self, index: usize, module: &mut String) -> Result<(), Refusal> {
        let callee = &self.callees.functions[index];
        let restart = self.callees.restart;
        let ty = if restart { restart::returned_type(callee) } else { returned_type(callee) };
        let _ = write!(module, "define internal {ty} @{}(ptr %run, ptr %frame", callee.name);
        for ((_, passed), param) in callee.params.iter().zip(&callee.region.blocks[0].params) {
            let value = param.value;
            let _ = match (passed, self.region.ty(value)) {
                (Passed::InFrame, _) => Ok(()),
                (_, Type::Single) => write!(module, ", i64 %{value}.s"),
                _ => write!(module, ", {} %{value}", passed.type_name()),
            };
        }
        if restart {
            module.push_str(") #0 {\nentry:\n");
            restart::write_room(callee.frame_slots, module);
            return Ok(());
        }
        let attributes = if self.callees.exact { "#2" } else { "#0" };
        let _ = write!(
            module,
            ") {attributes}{} {{\nentry:\n  \
             %limit.place = getelementptr i8, ptr %run, i64 {SLOTS_LIMIT}\n  \
             %limit = load ptr, ptr %limit.place, align 8\n  \
             %behind = getelementptr i8, ptr %frame, i64 {}\n  \
             %deep = icmp ugt ptr %behind, %limit\n  \
             br i1 %deep, label %refused, label %block0, !prof !1\nrefused:\n",
            self.frame_limit()?,
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
        let function = callee.region.chains[0].function;
        match self.exact.and_then(|exact| Some(&exact.functions[exact.find(function)?])) {
            Some(exact) => call_exact(callee, exact, module),
            None => {
                let _ = writeln!(module, "  ret {ty} {{ i32 {REFUSED}{} }}", nothing(callee));
            }
        }
        Ok(())
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
    pub fn pass(&mut self, value: Value, passed: Passed) -> String {
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
    pub fn receive(&mut self, value: Value, passed: Passed, from: &str) {
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
        if self.gives_up() {
            return self.ret_only_results(values);
        }
        let Role::Callee(index) = self.role else { return };
        let callee = &self.callees.functions[index];
        let ty = returned_type(callee);
        match &callee.results {
            None => {
                self.store_results(values);
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

    /// Puts results into the frame.
    pub fn store_results(&mut self, values: &[Value]) {
        for (slot, &value) in values.iter().enumerate() {
            self.store_slot(0, slot as u16, value);
        }
    }

    /// Returns another status than that it returned.
    pub fn ret_status(&mut self, status: u32) {
        let Role::Callee(index) = self.role else { return };
        let callee = &self.callees.functions[index];
        line!(self, "ret {} {{ i32 {status}{} }}", returned_type(callee), nothing(callee));
    }

    /// Calls a function of the module.
    pub fn call_directly(&mut self, chain: ChainId, inst: &Inst, frame: u32, index: usize) {
        let callee = &self.callees.functions[index];
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
        self.check_native(chain, inst, frame, &cold);
        if self.gives_up() {
            return self.call_for_results(inst, frame, index, &arguments);
        }
        let place = self.frame_address(frame);
        let (ty, all, status) = (returned_type(callee), self.temporary(), self.temporary());
        line!(self, "{all} = call {ty} @{}(ptr %run, ptr {place}{arguments})", callee.name);
        line!(self, "{status} = extractvalue {ty} {all}, 0");
        let in_frame = |slot: u16| callee.params.iter().any(|&(s, _)| s == slot);
        self.behind_call(chain, inst, frame, &status, (then, cold), &in_frame);
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

    /// Calls whichever function of the module a function value is.
    pub fn call_chosen(&mut self, chain: ChainId, inst: &Inst, frame: u32, choice: &str) {
        let arguments = &inst.args[1..];
        for (slot, &value) in arguments.iter().enumerate() {
            self.store_slot(frame, slot as u16, value);
        }
        let (then, cold) = self.fork();
        self.check_native(chain, inst, frame, &cold);
        let (place, number, status) = (self.frame_address(frame), self.operand(inst.args[0]), self.temporary());
        line!(self, "{status} = call i32 @{choice}(ptr %run, ptr {place}, i64 {number})");
        // The environment's slot may be one that held the function value.
        let in_frame = |slot: u16| (1..arguments.len()).contains(&usize::from(slot));
        self.behind_call(chain, inst, frame, &status, (then, cold), &in_frame);
        self.load_results(frame, inst);
    }

    /// Goes on where the callee returned; else leaves, too. The slots of these arguments have been written.
    fn behind_call(
        &mut self,
        chain: ChainId,
        inst: &Inst,
        frame: u32,
        status: &str,
        (then, cold): (String, String),
        in_frame: &dyn Fn(u16) -> bool,
    ) {
        let (refused, left) = (format!("{cold}.refused"), format!("{cold}.left"));
        let done = self.temporary();
        line!(self, "{done} = icmp eq i32 {status}, 0");
        line!(self, "br i1 {done}, label %{then}, label %{cold}, !prof !0");
        let written = self.first_written(chain, frame);
        let base = self.base(chain);
        let argument = |kept: &Kept| {
            let slot = (base + u32::from(kept.slot)).checked_sub(frame).and_then(|slot| u16::try_from(slot).ok());
            kept.chain == chain && slot.is_some_and(in_frame)
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
            lowering.ret(Leave::NoRoomToCall { pc: inst.pc, base });
        });
        self.cold_block(&left, |lowering| {
            lowering.keep_behind(chain, &inst.kept, frame, inst.pc);
            lowering.hand_on(status);
        });
        self.begin(then);
    }

    /// Native frames have room, or the interpreter makes the call. Tested before the first call on each way through a
    /// function, so that what returns without one does not pay for it, and not in the root, which is entered only where
    /// there is more room than one function takes.
    fn check_native(&mut self, chain: ChainId, inst: &Inst, frame: u32, cold: &str) {
        let tested = self.tested.iter().any(|&block| self.dominators.dominates(block, inst.block));
        if self.role == Role::Root || self.gives_up() || tested {
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
            lowering.ret(Leave::NoRoomToCall { pc: inst.pc, base: lowering.base(chain) });
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
            Role::Root | Role::Forking | Role::Ahead => {
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
    let module = &mut to.module;
    let _ = writeln!(module, "define i32 @{}(ptr %run, ptr %frame) #0 {{\nentry:", to.name);
    let status = call_in_frame(callee, 0, module);
    let leaves = &mut to.interface.leaves;
    let (returned, no_room) = (leaves.len(), leaves.len() + 1);
    leaves.extend([Leave::Returned { pc: callee.region.blocks[0].pc }, Leave::NoRoom]);
    let _ = write!(
        module,
        "  switch i32 {status}, label %left [ i32 0, label %returned i32 {REFUSED}, label %refused ]\n\
         left:\n  %number = sub i32 {status}, {LEFT_BELOW}\n  ret i32 %number\n\
         refused:\n  ret i32 {no_room}\nreturned:\n"
    );
    results_in_frame(callee, 0, module);
    let _ = write!(module, "  ret i32 {returned}\n}}\n\n");
}

/// Calls a function whose arguments are all in its frame; gives the name of its status. `tag` tells calls apart.
fn call_in_frame(callee: &Callee, tag: usize, module: &mut String) -> String {
    let mut arguments = String::new();
    for &(slot, passed) in callee.params.iter().filter(|(_, passed)| *passed != Passed::InFrame) {
        let (word, name) = (passed.type_name(), format!("{tag}.slot{slot}"));
        let _ = writeln!(module, "  %place{name} = getelementptr i8, ptr %frame, i64 {}", u32::from(slot) * 8);
        let _ = writeln!(module, "  %in{name} = load {word}, ptr %place{name}, align 8");
        let _ = write!(arguments, ", {word} %in{name}");
    }
    let ty = returned_type(callee);
    let _ = writeln!(module, "  %all{tag} = call {ty} @{}(ptr %run, ptr %frame{arguments})", callee.name);
    let _ = writeln!(module, "  %status{tag} = extractvalue {ty} %all{tag}, 0");
    format!("%status{tag}")
}

/// Hands a call on to another form of the function, and what it returns back.
fn call_exact(callee: &Callee, exact: &Callee, module: &mut String) {
    let ty = returned_type(callee);
    let status = call_in_frame(exact, 0, module);
    let _ = write!(
        module,
        "  %exact.done = icmp eq i32 {status}, 0\n  br i1 %exact.done, label %exact.returned, label %exact.left\n\
         exact.left:\n  %exact.whole = insertvalue {ty} zeroinitializer, i32 {status}, 0\n  ret {ty} %exact.whole\n\
         exact.returned:\n"
    );
    results_in_frame(exact, 0, module);
    let mut whole = "zeroinitializer".to_string();
    for (slot, passed) in callee.results.iter().flatten().enumerate() {
        let word = passed.type_name();
        let _ = write!(
            module,
            "  %exact.at{slot} = getelementptr i8, ptr %frame, i64 {}\n  \
             %exact.in{slot} = load {word}, ptr %exact.at{slot}, align 8\n  \
             %exact.all{slot} = insertvalue {ty} {whole}, {word} %exact.in{slot}, {}\n",
            slot * 8,
            slot + 1
        );
        whole = format!("%exact.all{slot}");
    }
    let _ = writeln!(module, "  ret {ty} {whole}");
}

/// Puts what such a call has returned into the frame.
fn results_in_frame(callee: &Callee, tag: usize, module: &mut String) {
    let ty = returned_type(callee);
    for (slot, passed) in callee.results.iter().flatten().enumerate() {
        let (word, name) = (passed.type_name(), format!("{tag}.slot{slot}"));
        let _ = writeln!(module, "  %out{name} = extractvalue {ty} %all{tag}, {}", slot + 1);
        let _ = writeln!(module, "  %to{name} = getelementptr i8, ptr %frame, i64 {}", slot * 8);
        let _ = writeln!(module, "  store {word} %out{name}, ptr %to{name}, align 8");
    }
}

/// A function that calls the one of this number, all its arguments and results in its frame: `i32 (ptr run, ptr frame,
/// i64 number)`, which returns the status.
pub fn write_choice(name: &str, callees: &Callees, class: Class, module: &mut String) {
    let known: Vec<(FunctionId, &Callee)> =
        callees.candidates(class).filter_map(|id| Some((id, &callees.functions[callees.find(id)?]))).collect();
    let cases: String = known.iter().map(|(id, _)| format!(" i64 {}, label %call{}", id.0, id.0)).collect();
    let _ = writeln!(
        module,
        "define internal i32 @{name}(ptr %run, ptr %frame, i64 %number) #0{} {{\nentry:\n  \
         switch i64 %number, label %none [{cases} ]\n\
         none:\n  ret i32 {REFUSED}",
        callees.choice_limit()
    );
    for (id, callee) in known {
        let tag = id.0 as usize;
        let _ = writeln!(module, "call{tag}:");
        let status = call_in_frame(callee, tag, module);
        // Who left has written the frame.
        let _ = writeln!(
            module,
            "  %done{tag} = icmp eq i32 {status}, 0\n  br i1 %done{tag}, label %returned{tag}, label %left{tag}, !prof !0\n\
             left{tag}:\n  ret i32 {status}\nreturned{tag}:"
        );
        results_in_frame(callee, tag, module);
        let _ = writeln!(module, "  ret i32 0");
    }
    module.push_str("}\n\n");
}
