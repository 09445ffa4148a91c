//! Functions that can be begun again.
//!
//! ```text
//! results… @region.functionN(ptr run, ptr frame, arguments…)
//! i32      @region.forking(ptr run, ptr frame, i32 depth)
//! ```
//!
//! A recursive function that only loads and computes, with all that it calls, has done nothing that anybody can see before
//! it returns. Where it cannot go on it need not leave behind what the interpreter would have: it gives up, back to where
//! it was entered ([`crate::restart`]), and the call is made once more, by code that can leave. So a call returns its
//! results and nothing else, no cold block writes frames, and self-calls can be walked in place deeper for the same cost.
//!
//! # Forking
//!
//! The same function once more, without calls of itself in place, for the calls next to the root of the recursion. Where a
//! block makes several calls of itself none of which needs another's result, all but the first are offered to other
//! threads; `scaly_recurse`, `scaly_fork` and `scaly_join` decide which code each call runs (`crate::scale::fork`).
//! Arguments and results of these calls are in frames. What stands between the calls and does not depend on them is done
//! before all of them, checks included: where one fails that would not have been reached, the call is begun again.

use std::fmt::Write;

use rustc_hash::FxHashSet;
use scaly_interp::program::Pc;
use scaly_tracer::region::{Block, ChainId, Effects, Inst, InstId, Op, Region, Value};

use super::callees::{Callee, Callees, Passed};
use super::run_ahead::RunAhead;
use super::{Lowered, Lowering, Refusal, Role, line};
use crate::run::{NATIVE_LIMIT, SLOTS_LIMIT};

/// The routines that the code calls.
pub const GIVE_UP: &str = "scaly_give_up";
pub const RECURSE: &str = "scaly_recurse";
pub const FORK: &str = "scaly_fork";
pub const JOIN: &str = "scaly_join";

/// What the entry returns, and what it is given where it shall not fork.
pub const RETURNED: u32 = 0;
pub const GAVE_UP: u32 = u32::MAX;
pub const ALONE: u32 = u32::MAX;

/// Most arguments, and results, of calls that other threads take.
pub const MOST_PASSED: usize = 16;

/// What is done with an instruction of a block that forks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Do(InstId),
    /// Offers a call.
    Fork(InstId),
    /// Makes it, if nobody has taken it, or waits for its results.
    Join(InstId),
}

/// A call of the function that a region is of.
pub fn own_call(region: &Region) -> Op {
    Op::Call(region.chains[0].function)
}

/// The order in which a block of a function's region is done where its calls of itself fork.
fn steps(region: &Region, block: &Block) -> Vec<Step> {
    let own = own_call(region);
    let mut steps = Vec::with_capacity(block.insts.len());
    let mut at = 0;
    while let Some(&first) = block.insts.get(at) {
        let group = (region.inst(first).op == own).then(|| Group::of(region, &block.insts[at..], own));
        match group.filter(|group| !group.forked.is_empty()) {
            Some(group) => {
                at += group.length;
                steps.extend(group.before.iter().map(|&id| Step::Do(id)));
                steps.extend(group.forked.iter().map(|&id| Step::Fork(id)));
                steps.push(Step::Do(first));
                // Who has offered a call takes the newest one back first.
                steps.extend(group.forked.iter().rev().map(|&id| Step::Join(id)));
                steps.extend(group.behind.iter().map(|&id| Step::Do(id)));
            }
            None => {
                steps.push(Step::Do(first));
                at += 1;
            }
        }
    }
    steps
}

/// Whether any block does.
fn forks(region: &Region) -> bool {
    let forks = |block: &Block| steps(region, block).iter().any(|step| matches!(step, Step::Fork(_)));
    region.blocks.iter().any(forks)
}

/// Calls that need nothing of each other, and what stands between them.
#[derive(Default)]
struct Group {
    /// Instructions of the block that it is made of, the first call included.
    length: usize,
    before: Vec<InstId>,
    forked: Vec<InstId>,
    behind: Vec<InstId>,
}

impl Group {
    /// Of the call that comes first.
    fn of(region: &Region, insts: &[InstId], own: Op) -> Group {
        let mut group = Group { length: insts.len(), ..Group::default() };
        let mut dependent: FxHashSet<Value> = region.inst(insts[0]).results.iter().copied().collect();
        for (i, &id) in insts.iter().enumerate().skip(1) {
            let inst = region.inst(id);
            let depends = inst.args.iter().any(|arg| dependent.contains(arg));
            let place = match inst.op.effects() {
                Effects::Call if inst.op == own && !depends => &mut group.forked,
                Effects::Pure | Effects::Load | Effects::Guard if !depends => &mut group.before,
                Effects::Pure | Effects::Load => &mut group.behind,
                // What follows may depend on a check without naming it.
                Effects::Guard | Effects::Call | Effects::Store => {
                    group.length = i;
                    break;
                }
            };
            place.push(id);
            if depends || inst.op == own {
                dependent.extend(&inst.results);
            }
        }
        group
    }
}

/// Why other threads take no calls of a function, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Serial {
    pub text: &'static str,
    pub at: Pc,
}

/// Why what the functions of a module do can be seen before they return: they do not only load, compute and call one
/// another.
pub fn not_only_reads(callees: &Callees) -> Option<Serial> {
    callees.functions.iter().find_map(|callee| {
        let ending = callee.region.ending();
        // It is left before what ends the program.
        let insts = callee.region.insts.iter().filter(|inst| !ending[inst.block.index()] || !inst.op.is_call());
        insts.filter_map(|inst| Some(Serial { text: seen(callees, inst.op)?, at: inst.pc })).next()
    })
}

/// Why others can see what an instruction does.
fn seen(callees: &Callees, op: Op) -> Option<&'static str> {
    match op {
        Op::Call(id) if callees.find(id).is_some() => None,
        Op::Call(_) => Some("it calls what is not compiled with it"),
        Op::CallAny(_) => Some("it calls a function value"),
        Op::Runtime(routine) if routine.signature().external() => Some("it touches the world outside"),
        Op::Runtime(_) => Some("it allocates or changes memory"),
        op => (op.effects() == Effects::Store).then_some("it writes memory"),
    }
}

/// What is seen of the calls of a function's region without calls in place, if looking at each block is not enough.
pub fn runs_ahead(region: &Region) -> Option<RunAhead> {
    let ahead = RunAhead::of(region);
    (ahead.sees_several(region, true) || !forks(region) && ahead.sees_several(region, false)).then_some(ahead)
}

/// Why no calls of a function are taken by others, whose region without calls in place this is.
pub fn serial(region: &Region, ahead: Option<&RunAhead>, passed: usize) -> Option<Serial> {
    let own = own_call(region);
    let at = region.insts.iter().rfind(|inst| inst.op == own).map_or(region.blocks[0].pc, |inst| inst.pc);
    let text = match () {
        () if passed > MOST_PASSED => "it has too many parameters or results",
        () if !forks(region) && ahead.is_none() => "no two of its calls of itself go without each other's results",
        () => return None,
    };
    Some(Serial { text, at })
}

/// What a function returns.
pub fn returned_type(callee: &Callee) -> String {
    let results: Vec<_> = callee.results.iter().flatten().map(|passed| passed.type_name()).collect();
    match &results[..] {
        [] => "void".into(),
        [only] => (*only).into(),
        all => format!("{{ {} }}", all.join(", ")),
    }
}

/// Takes a result out of what a call has returned.
fn extract(callee: &Callee, all: &str, at: usize, name: &str) -> String {
    let count = callee.results.iter().flatten().count();
    if count == 1 {
        let ty = callee.results.iter().flatten().next().map_or("i64", |passed| passed.type_name());
        return format!("  {name} = bitcast {ty} {all} to {ty}\n");
    }
    format!("  {name} = extractvalue {} {all}, {at}\n", returned_type(callee))
}

impl Lowering<'_> {
    /// Whether it gives up where others leave.
    pub fn gives_up(&self) -> bool {
        match self.role {
            Role::Root => false,
            Role::Callee(_) => self.callees.restart,
            Role::Forking | Role::Ahead => true,
        }
    }

    pub fn give_up(&mut self) {
        line!(self, "br label %give_up");
    }

    /// The block that ends a function which gives up.
    pub fn write_end(&self, module: &mut String) {
        let _ = match self.role {
            Role::Forking => write!(module, "give_up:\n  ret i32 {}\n", GAVE_UP as i32),
            Role::Ahead => writeln!(module, "stopped:\n  ret i32 {RETURNED}"),
            _ => write!(module, "give_up:\n  call void @{GIVE_UP}(ptr %run) #1\n  unreachable\n"),
        };
    }

    /// Returns to a caller of the module.
    pub fn ret_only_results(&mut self, values: &[Value]) {
        let index = match self.role {
            Role::Callee(index) => index,
            _ => {
                self.store_results(values);
                line!(self, "ret i32 {RETURNED}");
                return;
            }
        };
        let callee = &self.callees.functions[index];
        let ty = returned_type(callee);
        match &callee.results {
            None => {
                self.store_results(values);
                line!(self, "ret void");
            }
            Some(results) => match (&results[..], values) {
                ([passed], &[value]) => {
                    let word = self.pass(value, *passed);
                    line!(self, "ret {ty} {word}");
                }
                ([], _) => {
                    line!(self, "ret void");
                }
                _ => {
                    let mut whole = "poison".to_string();
                    for (i, (&passed, &value)) in results.iter().zip(values).enumerate() {
                        let (word, next) = (self.pass(value, passed), self.temporary());
                        line!(self, "{next} = insertvalue {ty} {whole}, {} {word}, {i}", passed.type_name());
                        whole = next;
                    }
                    line!(self, "ret {ty} {whole}");
                }
            },
        }
    }

    /// Calls a function of the module that returns or gives up.
    pub fn call_for_results(&mut self, inst: &Inst, frame: u32, index: usize, arguments: &str) {
        let callee = &self.callees.functions[index];
        let (place, ty) = (self.frame_address(frame), returned_type(callee));
        let call = format!("call {ty} @{}(ptr %run, ptr {place}{arguments})", callee.name);
        if ty == "void" {
            line!(self, "{call}");
        } else {
            let all = self.temporary();
            line!(self, "{all} = {call}");
            for (i, (&passed, &value)) in callee.results.iter().flatten().zip(&inst.results).enumerate() {
                let from = self.temporary();
                self.body.push_str(&extract(callee, &all, i, &from));
                self.receive(value, passed, &from);
            }
        }
        if callee.results.is_none() {
            self.load_results(frame, inst);
        }
    }

    /// The head of the function that forks.
    pub fn write_forking_head(&self, name: &str, frame_slots: u32, module: &mut String) {
        let _ = write!(
            module,
            "define internal i32 @{name}(ptr %run, ptr %frame, i32 %depth) #0 {{\nentry:\n  \
             %arguments = alloca [{MOST_PASSED} x i64], align 8\n  \
             %deeper = add i32 %depth, 1\n"
        );
        if self.ahead.is_some() {
            self.write_activation(name, module);
        }
        write_room(frame_slots, module);
    }

    /// The order in which a block is done.
    pub fn steps(&self, block: &Block) -> Vec<Step> {
        match self.ahead {
            Some(_) => block.insts.iter().map(|&id| Step::Do(id)).collect(),
            None => steps(self.region, block),
        }
    }

    pub fn step(&mut self, chain: ChainId, step: Step) -> Result<(), Refusal> {
        let (Step::Do(id) | Step::Fork(id) | Step::Join(id)) = step;
        let inst = self.region.inst(id);
        match step {
            Step::Do(_) if self.role != Role::Forking || inst.op != own_call(self.region) => self.inst(chain, inst),
            Step::Do(_) => {
                let frame = self.arguments_in_frame(chain, inst)?;
                let place = self.frame_address(frame);
                let call = match self.ahead {
                    Some(ahead) => self.call_ahead(ahead, &place, inst),
                    None => format!("@{RECURSE}(ptr %run, ptr {place}, i32 %deeper)"),
                };
                self.called_in_frame(&call, frame, inst);
                Ok(())
            }
            Step::Fork(_) => {
                for (i, &arg) in inst.args.iter().enumerate() {
                    let place = self.temporary();
                    line!(self, "{place} = getelementptr i8, ptr %arguments, i64 {}", 8 * i);
                    self.store_at(&place, arg);
                }
                let frame = self.call_frame(chain, inst)?;
                let (place, task) = (self.frame_address(frame), id.index());
                line!(self, "%task{task} = call ptr @{FORK}(ptr %run, ptr {place}, i32 %deeper, ptr %arguments)");
                Ok(())
            }
            Step::Join(_) => {
                let frame = self.arguments_in_frame(chain, inst)?;
                let (place, task) = (self.frame_address(frame), id.index());
                let call = format!("@{JOIN}(ptr %run, ptr {place}, i32 %deeper, ptr %task{task})");
                self.called_in_frame(&call, frame, inst);
                Ok(())
            }
        }
    }

    fn arguments_in_frame(&mut self, chain: ChainId, inst: &Inst) -> Result<u32, Refusal> {
        let frame = self.call_frame(chain, inst)?;
        for (i, &arg) in inst.args.iter().enumerate() {
            self.store_slot(frame, i as u16, arg);
        }
        Ok(frame)
    }

    fn called_in_frame(&mut self, call: &str, frame: u32, inst: &Inst) {
        let (status, returned) = (self.temporary(), self.temporary());
        line!(self, "{status} = call i32 {call}");
        line!(self, "{returned} = icmp eq i32 {status}, {RETURNED}");
        let (then, _) = self.fork();
        line!(self, "br i1 {returned}, label %{then}, label %give_up");
        self.begin(then);
        self.load_results(frame, inst);
    }
}

/// Tests that the frames fit, and the native ones: once for all activations that are in place. Another thread may set the
/// limit, so that a call which is not needed any more gives up.
pub fn write_room(frame_slots: u32, module: &mut String) {
    let _ = write!(
        module,
        "  %limit.place = getelementptr i8, ptr %run, i64 {SLOTS_LIMIT}\n  \
         %limit = load atomic ptr, ptr %limit.place monotonic, align 8\n  \
         %behind = getelementptr i8, ptr %frame, i64 {}\n  \
         %deep = icmp ugt ptr %behind, %limit\n  \
         br i1 %deep, label %give_up, label %fits, !prof !1\n\
         fits:\n  \
         %here = call ptr @llvm.stacksave.p0()\n  \
         %native.place = getelementptr i8, ptr %run, i64 {NATIVE_LIMIT}\n  \
         %native = load ptr, ptr %native.place, align 8\n  \
         %low = icmp ult ptr %here, %native\n  \
         br i1 %low, label %give_up, label %block0, !prof !1\n",
        frame_slots * 8
    );
}

/// The way into the first function of a module, at its first instruction, in its frame: `i32 (ptr run, ptr frame, i32
/// depth)`. Where the depth is not [`ALONE`] it forks, if there is such a function.
pub fn write_entry(callees: &Callees, forking: Option<&str>, to: &mut Lowered) {
    let Some(callee) = callees.functions.first() else { return };
    let module = &mut to.module;
    let _ = writeln!(module, "define i32 @{}(ptr %run, ptr %frame, i32 %depth) #0 {{\nentry:", to.name);
    if let Some(forking) = forking {
        let _ = write!(
            module,
            "  %alone = icmp eq i32 %depth, {}\n  br i1 %alone, label %whole, label %divided\n\
             divided:\n  %status = call i32 @{forking}(ptr %run, ptr %frame, i32 %depth)\n  ret i32 %status\nwhole:\n",
            ALONE as i32
        );
    }
    let mut arguments = String::new();
    for &(slot, passed) in callee.params.iter().filter(|(_, passed)| *passed != Passed::InFrame) {
        let word = passed.type_name();
        let _ = writeln!(module, "  %place{slot} = getelementptr i8, ptr %frame, i64 {}", u32::from(slot) * 8);
        let _ = writeln!(module, "  %in{slot} = load {word}, ptr %place{slot}, align 8");
        let _ = write!(arguments, ", {word} %in{slot}");
    }
    let ty = returned_type(callee);
    let all = if ty == "void" { "" } else { "%all = " };
    let _ = writeln!(module, "  {all}call {ty} @{}(ptr %run, ptr %frame{arguments})", callee.name);
    for (slot, passed) in callee.results.iter().flatten().enumerate() {
        module.push_str(&extract(callee, "%all", slot, &format!("%out{slot}")));
        let _ = writeln!(module, "  %to{slot} = getelementptr i8, ptr %frame, i64 {}", slot * 8);
        let _ = writeln!(module, "  store {} %out{slot}, ptr %to{slot}, align 8", passed.type_name());
    }
    let _ = write!(module, "  ret i32 {RETURNED}\n}}\n\n");
}

#[cfg(test)]
mod tests {
    use scaly_interp::dump::parse;
    use scaly_interp::program::FunctionId;
    use scaly_tracer::parameters::Parameters;
    use scaly_tracer::walker::Walker;

    use super::*;

    /// What is done in the blocks of a function of an int and a table, between two calls of itself: a letter each, calls
    /// first.
    fn steps_of(body: &str) -> String {
        let text = format!(
            "main f\nfunction f(params 3, results 1, frame 24)\n  JLtSImm s0, 1 -> @none\n{body}none: Return1 s0\n"
        );
        let program = parse(&text).unwrap();
        let parameters = Parameters { recursion_depth: 0, ..Parameters::default() };
        let region = Walker::new(&program, parameters).keeping().walk_function(FunctionId(0)).unwrap();
        let calls = |id: InstId| matches!(region.inst(id).op, Op::Call(_));
        let letter = |step: &Step| match *step {
            Step::Do(id) if calls(id) => 'c',
            Step::Do(id) if matches!(region.inst(id).op, Op::Guard(_)) => 'g',
            Step::Do(_) => '.',
            Step::Fork(_) => 'f',
            Step::Join(_) => 'j',
        };
        let of = |block: &Block| steps(&region, block).iter().map(letter).collect::<String>();
        region.blocks[1..].iter().map(of).filter(|steps| steps.contains('c')).collect()
    }

    const FIRST: &str = "  AddImm s6, s0, -1\n  Move s7, s1\n  Move s8, s2\n  Call s6, f\n";
    const SECOND: &str = "  AddImm s10, s0, -2\n  Move s11, s1\n  Move s12, s2\n  Call s10, f\n";

    #[test]
    fn calls_that_need_nothing_of_each_other_fork() {
        assert_eq!(steps_of(&format!("{FIRST}{SECOND}  Add s3, s6, s10\n  Return1 s3\n")), "..fcj.");
        let third = SECOND.replace("s10", "s14").replace("s11", "s15").replace("s12", "s16");
        // The newest is joined first: see where the results are.
        let all = steps_of(&format!("{FIRST}{SECOND}{third}  Add s3, s6, s10\n  Add s3, s3, s14\n  Return1 s3\n"));
        assert_eq!(all, "..ffcjj..");
    }

    #[test]
    fn a_call_that_needs_a_result_is_made_behind_it() {
        let needs = SECOND.replace("AddImm s10, s0", "AddImm s10, s6");
        assert_eq!(steps_of(&format!("{FIRST}{needs}  Return1 s10\n")), ".c.c");
    }

    #[test]
    fn a_check_that_needs_no_result_is_made_before_and_another_ends_the_group() {
        let load = |index: &str| format!("  LoadElemI64 s4, s1..3, {index}, *8, +0\n");
        let tail = "  Add s3, s6, s10\n  Add s3, s3, s4\n  Return1 s3\n";
        let before = steps_of(&format!("{FIRST}{}{SECOND}{tail}", load("s0")));
        assert!(before.find('g') < before.find('f') && before.contains('j'), "{before}");
        let behind = steps_of(&format!("{FIRST}{}{SECOND}{tail}", load("s6")));
        assert!(!behind.contains('f') && behind.find('c') < behind.find('g'), "{behind}");
    }
}
