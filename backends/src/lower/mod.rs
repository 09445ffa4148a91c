//! A region as a function of LLVM's text form, `u32 (ptr run, ptr frame)`, and in the same module the functions that it
//! calls directly or through one another.
//!
//! A loop's reads the header's live slots from the frame, runs the loop, stores what its way out says and returns the
//! number of that way, a [`Leave`]. Hidden counters are slots, so it may be entered at the header of any iteration. How
//! functions are called is in `calls`.
//!
//! A region is SSA already: a block's parameters become phis, and no pass has to find the variables again. Each way out is
//! a cold block behind the loop.
//!
//! # Nothing is promised
//!
//! LLVM is told only what holds for any program: no wrap flags, no `inbounds`, no `noalias`, loads and stores of alignment
//! 1, shift counts masked, division made total before it is done, conversions that saturate, no `mustprogress` and no
//! `willreturn`, since an endless loop stays endless. Addresses are made from words where they are used; that two of them
//! differ is for LLVM to find out. Only what compares and hashes texts is said to read nothing else ([`routines`]).
//!
//! # An f32 in a slot
//!
//! A region gives a slot the type of its first reader, but on another path the slot of a union may hold 64 bits. What is
//! read as f32 and may be written back unread is therefore carried twice: as the number, and as the slot's bits (`.s`),
//! which are those that the interpreter would have moved.
//!
//! # Frames
//!
//! Slots live in values. The frame is written where somebody looks at it: at a way out, and at a call, whose arguments lie
//! in the callee's frame. What is written there early are slots that the bytecode has written by then, too, so a slot
//! that is still what it was at the entry need not be written again.

mod callees;
mod calls;
mod carry;
pub mod in_order;
mod leave;
mod limit;
mod narrow;
pub mod native_stack;
mod ops;
mod regions;
pub mod restart;
pub mod routines;
pub mod run_ahead;
mod sink;
mod store_back;
#[cfg(test)]
mod testing;
mod versions;

use std::fmt::Write;

use callees::{Callees, Passed};
use in_order::MORE;
pub use leave::{ABANDONED, Leave};
use limit::Limit;
use narrow::Narrow;
pub use ops::likely_divisor;
use restart::{FORK, GIVE_UP, JOIN, RECURSE, Serial};
use run_ahead::{RECURSE_AHEAD, RunAhead, SEEN_AHEAD};
use rustc_hash::{FxHashMap, FxHashSet};
use scaly_interp::interpreter::State;
use scaly_interp::machine::IntCompare;
use scaly_interp::program::{Pc, Program};
use scaly_interp::routine::Routine;
use scaly_tracer::independence::{Condition, Update};
use scaly_tracer::manager::Profile;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::{
    BlockId, ChainId, Def, Dominators, Edge, ExitKind, Inst, Op, Region, Terminator, Type, Value, Whole,
};

use crate::run::LIMIT;

/// What code calls of ours, beside routines: see `crate::host`.
pub const CALL: &str = "scaly_call";

/// Where a run's constants lie.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// By number.
    pub texts: Vec<i64>,
    /// Of the first byte of the globals.
    pub globals: i64,
}

impl Addresses {
    pub fn of(state: &State) -> Addresses {
        let texts = state.program().texts.len() as u32;
        Addresses { texts: (0..texts).map(|id| state.text_address(id).0).collect(), globals: state.global_address(0) }
    }
}

/// Why a region has no lowering.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the region may leave at {0} and does not keep what the interpreter needs there")]
    NothingKept(Pc),
    #[error("the region is not of this program")]
    OtherProgram,
}

/// A function of LLVM's.
#[derive(Clone, PartialEq, Debug)]
pub struct Lowered {
    pub name: String,
    pub module: String,
    pub interface: Interface,
    /// What it calls.
    pub routines: Vec<Routine>,
    /// Of the module: by which it can be reckoned what LLVM takes for it. Those of functions for the end of a stack count
    /// half, as less is done for them.
    pub lines: usize,
    /// A value decides between so many ways that a table of where to jump is better than comparisons.
    pub many_ways: bool,
}

/// How code is entered, and what its numbers mean.
#[derive(Clone, PartialEq, Debug)]
pub struct Interface {
    /// By the number that the function returns.
    pub leaves: Vec<Leave>,
    /// Slots from the frame's base that the region's frames take, inlined ones included: less must not be entered.
    pub frame_slots: u32,
    pub needs: Needs,
    /// Of a `while` that can be divided: the limit that changes nothing.
    pub no_limit: Option<i64>,
    /// Slots that hold handles of regions when it is entered; none if not all are known.
    pub regions: Option<Vec<u16>>,
    /// A call that it refuses has no room in the interpreter either.
    pub exact: bool,
    /// Of code that gives up instead of leaving.
    pub restart: Option<Restart>,
    /// Sums whose terms it keeps.
    pub sums: usize,
}

/// A function that can be begun again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restart {
    /// Where it returns.
    pub returns: Pc,
    /// Slots of its frame.
    pub params: u16,
    pub results: u16,
    /// Whether its calls of itself can be taken by other threads.
    pub forks: bool,
}

/// What code needs of a run beside frames, all functions that it calls included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Needs {
    /// It only loads, stores and computes.
    Nothing,
    /// A state on which routines compute and allocate.
    Routines,
    /// The program's own, for this instruction: it calls what is not compiled with it, or touches the world outside.
    Program(Pc),
}

impl Needs {
    /// Both; of two instructions the one that was found first.
    fn and(self, other: Needs) -> Needs {
        if matches!(self, Needs::Program(_)) { self } else { self.max(other) }
    }
}

/// What a lowering needs to know beside the region.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub program: &'a Program,
    pub addresses: &'a Addresses,
    /// By function: whether it may wait, so that no native code may call it.
    pub waits: &'a [bool],
    pub parameters: Parameters,
    pub profile: &'a Profile,
}

/// Lowers a region that keeps what the interpreter needs (`Walker::keeping`).
pub fn lower(region: &Region, context: Context<'_>, name: &str) -> Result<Lowered, Refusal> {
    lower_divided(region, context, name, None)
}

/// A loop of which parts are run.
#[derive(Clone, Copy, Debug)]
pub struct Divided<'a> {
    /// Of a `while`: it also ends where a run says so.
    pub condition: Option<&'a Condition>,
    /// What accumulates in the order of the iterations: its terms are kept.
    pub sums: &'a [Vec<Update>],
}

/// As [`lower`]. Where it is divided, calls end at the same place of the stack as in the interpreter.
pub fn lower_divided(
    region: &Region,
    context: Context<'_>,
    name: &str,
    divided: Option<Divided<'_>>,
) -> Result<Lowered, Refusal> {
    let limit = divided.and_then(|divided| Limit::of(region, divided.condition?));
    let mut callees = Callees::of(region, context, name)?;
    callees.native_per_slot = divided.map(|_| native_stack::BYTES_PER_SLOT);
    let exact = if divided.is_some() && callees.nest() { callees.exact(region, context) } else { None };
    // A function's region is one of the callees. A limit is for the loop itself only.
    let formed = if region.whole == Whole::Loop { Some(formed(region, context, limit.is_none())) } else { None };
    let region = formed.as_ref().unwrap_or(region);
    let mut lowered = Lowered {
        name: name.into(),
        module: String::new(),
        interface: Interface {
            leaves: vec![Leave::Abandoned],
            frame_slots: frame_slots(region, context.program)?,
            needs: Needs::Nothing,
            no_limit: limit.as_ref().map(Limit::none),
            regions: regions::slots(region, &callees),
            exact: exact.is_some() || !callees.nest(),
            restart: None,
            sums: divided.as_ref().map_or(0, |divided| divided.sums.len()),
        },
        routines: Vec::new(),
        lines: 0,
        many_ways: false,
    };
    match region.whole {
        Whole::Loop => {
            let mut lowering = Lowering::new(region, context, &callees, Role::Root, limit)?;
            lowering.sums = divided.map_or(&[], |divided| divided.sums);
            lowering.write(name, &mut lowered)?;
        }
        Whole::Function => calls::write_entry(&callees, &mut lowered),
    }
    let mut last_calls = usize::MAX;
    for callees in [Some(&callees), exact.as_ref()].into_iter().flatten() {
        if callees.exact {
            last_calls = lowered.module.len();
        }
        for (index, callee) in callees.functions.iter().enumerate() {
            let mut lowering = Lowering::new(&callee.region, context, callees, Role::Callee(index), None)?;
            lowering.exact = exact.as_ref().filter(|_| !callees.exact);
            lowering.write(&callee.name, &mut lowered)?;
        }
        for (name, class) in callees.choices() {
            calls::write_choice(&name, callees, class, &mut lowered.module);
        }
    }
    finish(&mut lowered, last_calls);
    Ok(lowered)
}

/// What is lowered instead of a region, for LLVM to make more of it. `root`: of the loop that it is of, too.
fn formed(region: &Region, context: Context<'_>, root: bool) -> Region {
    let mut formed = region.clone();
    sink::apply(&mut formed);
    carry::apply(&mut formed, root);
    let mut formed = versions::of(&formed, context.program, root).unwrap_or(formed);
    store_back::apply(&mut formed);
    formed
}

/// Lowers a function's region as code that gives up instead of leaving; none if what it does can be seen before it returns.
/// `single`: the same region without calls of itself in place, for calls that other threads may take; if they do not, it is
/// said why.
pub fn lower_restart(
    region: &Region,
    single: &Region,
    context: Context<'_>,
    name: &str,
) -> Result<(Option<Lowered>, Option<Serial>), Refusal> {
    let mut callees = Callees::of(region, context, name)?;
    let function = context.program.functions.get(region.chains[0].function.0 as usize).ok_or(Refusal::OtherProgram)?;
    if let Some(serial) = restart::not_only_reads(&callees) {
        return Ok((None, Some(serial)));
    }
    callees.restart = true;
    let (params, results) = (function.param_slots, function.result_slots);
    let ahead = restart::runs_ahead(single);
    let serial = restart::serial(single, ahead.as_ref(), params.max(results).into());
    let single = if serial.is_none() { Some(single) } else { None };
    let slots = frame_slots(region, context.program)?;
    let mut lowered = Lowered {
        name: name.into(),
        module: String::new(),
        interface: Interface {
            leaves: vec![Leave::Abandoned],
            frame_slots: slots,
            needs: Needs::Nothing,
            no_limit: None,
            regions: None,
            exact: false,
            restart: Some(Restart { returns: region.blocks[0].pc, params, results, forks: single.is_some() }),
            sums: 0,
        },
        routines: Vec::new(),
        lines: 0,
        many_ways: false,
    };
    let forking = format!("{name}.forking");
    restart::write_entry(&callees, single.map(|_| &forking[..]), &mut lowered);
    for (index, callee) in callees.functions.iter().enumerate() {
        Lowering::new(&callee.region, context, &callees, Role::Callee(index), None)?
            .write(&callee.name, &mut lowered)?;
    }
    if let Some(single) = single {
        for (role, name) in [(Role::Forking, forking.clone()), (Role::Ahead, run_ahead::function_ahead(&forking))] {
            if role == Role::Forking || ahead.is_some() {
                let mut lowering = Lowering::new(single, context, &callees, role, None)?;
                lowering.ahead = ahead.as_ref();
                lowering.write(&name, &mut lowered)?;
            }
        }
    }
    finish(&mut lowered, usize::MAX);
    Ok((Some(lowered), serial))
}

/// Counts the lines, and adds what every module declares. `last_calls`: where the functions for the end of a stack begin,
/// if there are any.
fn finish(lowered: &mut Lowered, last_calls: usize) {
    let module = &mut lowered.module;
    let (first, last) = module.split_at(last_calls.min(module.len()));
    lowered.lines = first.lines().count() + last.lines().count() / 2;
    for &routine in &lowered.routines {
        module.push_str(&routines::declaration(routine));
    }
    let _ = write!(
        module,
        "declare i32 @{CALL}(ptr, i32, ptr) #0\n\
         declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n\
         declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n\
         declare i64 @llvm.smin.i64(i64, i64)\ndeclare i64 @llvm.smax.i64(i64, i64)\n\
         declare i64 @llvm.umin.i64(i64, i64)\ndeclare i64 @llvm.umax.i64(i64, i64)\n\
         declare void @{GIVE_UP}(ptr) #1\ndeclare i32 @{RECURSE}(ptr, ptr, i32) #0\n\
         declare ptr @{FORK}(ptr, ptr, i32, ptr) #0\ndeclare i32 @{JOIN}(ptr, ptr, i32, ptr) #0\n\
         declare i32 @{RECURSE_AHEAD}(ptr, ptr, i32, ptr) #0\ndeclare i1 @{SEEN_AHEAD}(ptr, ptr, i32) #0\n\
         declare void @{MORE}(ptr) #0\n\
         attributes #0 = {{ nounwind }}\nattributes #1 = {{ cold noreturn nounwind }}\n\
         attributes #2 = {{ nounwind noinline optnone }}\n!0 = !{{!\"branch_weights\", i32 1048575, i32 1}}\n\
         !1 = !{{!\"branch_weights\", i32 1, i32 1048575}}\n"
    );
}

/// Whether a value decides by which of its constants it is to which of so many blocks a region goes.
fn goes_many_ways(region: &Region) -> bool {
    const MANY: usize = 4;
    let mut ways: FxHashMap<Value, FxHashSet<BlockId>> = FxHashMap::default();
    for block in &region.blocks {
        let Terminator::Branch(cond, yes, no) = &block.end else { continue };
        let Some(Inst { op: Op::Compare(op), args, .. }) = region.def_inst(*cond) else { continue };
        let to = match op {
            IntCompare::Eq => yes.to,
            IntCompare::Ne => no.to,
            _ => continue,
        };
        if region.constant(args[1]).is_some() {
            ways.entry(args[0]).or_default().insert(to);
        }
    }
    ways.values().any(|to| to.len() >= MANY)
}

/// Slots from a region's frame to behind the last of the frames in it.
fn frame_slots(region: &Region, program: &Program) -> Result<u32, Refusal> {
    let bases = bases(region, program)?;
    let mut ends = region.chains.iter().zip(bases).map(|(chain, base)| {
        let function = program.functions.get(chain.function.0 as usize).ok_or(Refusal::OtherProgram)?;
        Ok(base + u32::from(function.frame_slots))
    });
    ends.try_fold(0, |most, end| Ok(most.max(end?)))
}

/// By chain: slots from the region's frame to that of the chain.
fn bases(region: &Region, program: &Program) -> Result<Vec<u32>, Refusal> {
    let mut bases: Vec<u32> = Vec::new();
    for chain in &region.chains {
        bases.push(match chain.caller {
            None => 0,
            Some((caller, pc)) => {
                let call = program.code.get(pc.0 as usize).ok_or(Refusal::OtherProgram)?;
                bases.get(caller.index()).ok_or(Refusal::OtherProgram)? + u32::from(call.a)
            }
        });
    }
    Ok(bases)
}

/// By value: whether it is used as an address.
fn pointers(region: &Region) -> Vec<bool> {
    let mut pointers = vec![false; region.values.len()];
    for inst in region.insts.iter().rev() {
        let used = match inst.op {
            Op::LoadInt(..)
            | Op::LoadPointer(_)
            | Op::LoadFloat(_)
            | Op::LoadSingle(_)
            | Op::StoreInt(..)
            | Op::StoreFloat(_)
            | Op::StoreSingle(_) => true,
            Op::Element { .. } => inst.results.iter().any(|v| pointers[v.index()]),
            _ => false,
        };
        if used {
            pointers[inst.args[0].index()] = true;
        }
    }
    pointers
}

/// By value: whether it is an f32 that is written to a slot.
fn images(region: &Region) -> Vec<bool> {
    let mut todo: Vec<Value> = Vec::new();
    for inst in &region.insts {
        todo.extend(inst.kept.iter().map(|kept| kept.value));
        if matches!(inst.op, Op::Runtime(_) | Op::Call(_) | Op::CallAny(_) | Op::Reread(_)) {
            todo.extend(&inst.args);
        }
    }
    for block in &region.blocks {
        if let Terminator::Exit(_, values) = &block.end {
            todo.extend(values);
        }
    }
    let preds = region.predecessors();
    let mut images = vec![false; region.values.len()];
    while let Some(value) = todo.pop() {
        if region.ty(value) != Type::Single || std::mem::replace(&mut images[value.index()], true) {
            continue;
        }
        if let Def::Param(block, position) = region.values[value.index()].def {
            let edges = preds[block.index()].iter().filter_map(|&(from, n)| region.block(from).end.edges().nth(n));
            todo.extend(edges.filter_map(|edge| edge.args.get(position as usize)));
        }
    }
    images
}

fn type_name(ty: Type) -> &'static str {
    match ty {
        Type::Word => "i64",
        Type::Float => "double",
        Type::Single => "float",
        Type::Cond => "i1",
    }
}

/// What a function of the module is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// What is asked for, a loop: returns the number of its way out.
    Root,
    /// A function, by its position in [`Callees`]: returns a status and results.
    Callee(usize),
    /// A function whose calls of itself other threads may take: returns a status.
    Forking,
    /// The same, run ahead of them.
    Ahead,
}

/// The status of a function that left: this plus the number of the way. 0 says that it returned.
const LEFT_BELOW: u32 = 2;
/// There was no room for its frames: nothing was done.
const REFUSED: u32 = 1;

struct Lowering<'a> {
    region: &'a Region,
    context: Context<'a>,
    callees: &'a Callees,
    /// What a function calls instead of itself where there is no room for all that is in place in it.
    exact: Option<&'a Callees>,
    role: Role,
    bases: Vec<u32>,
    pointers: Vec<bool>,
    /// By value: whether it is an f32 whose slot's bits are needed.
    images: Vec<bool>,
    /// By block: what calls routines there is left to the interpreter, for the program ends anyway.
    ending: Vec<bool>,
    limit: Option<Limit>,
    sums: &'a [Vec<Update>],
    /// Of a function that runs ahead of its calls.
    ahead: Option<&'a RunAhead>,
    /// By block: the labels that lead to it, and what they bring.
    preds: Vec<Vec<(String, Vec<Value>)>>,
    bodies: Vec<String>,
    cold: String,
    leaves: Vec<Leave>,
    needs: Needs,
    routines: Vec<Routine>,
    temporaries: u32,
    dominators: Dominators,
    narrow: Narrow,
    /// Blocks in which the room for native frames has been tested.
    tested: Vec<BlockId>,
    /// Of the current block, behind its phis.
    body: String,
    /// Where instructions go.
    label: String,
}

macro_rules! line {
    ($self:ident, $($format:tt)*) => {
        let _ = writeln!($self.body, "  {}", format_args!($($format)*));
    };
}
pub(crate) use line;

impl<'a> Lowering<'a> {
    fn new(
        region: &'a Region,
        context: Context<'a>,
        callees: &'a Callees,
        role: Role,
        limit: Option<Limit>,
    ) -> Result<Lowering<'a>, Refusal> {
        Ok(Lowering {
            region,
            context,
            callees,
            exact: None,
            role,
            bases: bases(region, context.program)?,
            pointers: pointers(region),
            images: images(region),
            ending: region.ending(),
            preds: vec![Vec::new(); region.blocks.len()],
            bodies: Vec::new(),
            cold: String::new(),
            leaves: Vec::new(),
            needs: Needs::Nothing,
            routines: Vec::new(),
            temporaries: 0,
            dominators: Dominators::of(region),
            narrow: Narrow::of(region, limit.as_ref().map(|limit| limit.compared)),
            limit,
            sums: &[],
            ahead: None,
            tested: Vec::new(),
            body: String::new(),
            label: String::new(),
        })
    }

    /// Writes it to the end of a module.
    fn write(mut self, name: &str, to: &mut Lowered) -> Result<(), Refusal> {
        self.leaves = std::mem::take(&mut to.interface.leaves);
        self.routines = std::mem::take(&mut to.routines);
        for block in 0..self.region.blocks.len() {
            let id = BlockId(block as u32);
            if self.is_come_to(id) {
                self.block(id)?;
            } else {
                self.bodies.push(String::new());
            }
        }
        to.interface.needs = to.interface.needs.and(self.needs);
        to.many_ways |= goes_many_ways(self.region);
        match self.role {
            Role::Root => {
                let _ = writeln!(to.module, "define i32 @{name}(ptr %run, ptr %frame) #0 {{");
            }
            Role::Callee(index) => self.write_head(index, &mut to.module)?,
            Role::Forking => {
                let slots = frame_slots(self.region, self.context.program)?;
                self.write_forking_head(name, slots, &mut to.module);
            }
            Role::Ahead => self.write_ahead_head(name, &mut to.module),
        }
        self.finish(&mut to.module);
        to.interface.leaves = self.leaves;
        to.routines = self.routines;
        Ok(())
    }

    /// How a parameter of the region comes.
    fn passed(&self, param: usize) -> Passed {
        match self.role {
            Role::Root | Role::Forking | Role::Ahead => Passed::InFrame,
            Role::Callee(index) => self.callees.functions[index].params[param].1,
        }
    }

    fn needs(&mut self, needs: Needs) {
        self.needs = self.needs.and(needs);
    }

    /// A name for a value that is not the region's.
    fn temporary(&mut self) -> String {
        self.temporaries += 1;
        format!("%t{}", self.temporaries)
    }

    /// Goes on under a new label.
    fn begin(&mut self, label: String) {
        let _ = writeln!(self.body, "{label}:");
        self.label = label;
    }

    fn block(&mut self, id: BlockId) -> Result<(), Refusal> {
        let block = self.region.block(id);
        self.body.clear();
        self.label = id.to_string();
        if id == Region::ENTRY {
            for (i, param) in block.params.iter().enumerate() {
                self.take(param, self.passed(i));
            }
            if self.limit.is_some() {
                line!(self, "%limit.place = getelementptr i8, ptr %run, i64 {LIMIT}");
                line!(self, "%limit = load i64, ptr %limit.place");
            }
        }
        for param in &block.params {
            if self.is_done(param.value) {
                self.narrowed(param.value);
            }
        }
        match (self.role, self.ahead) {
            (Role::Ahead, Some(ahead)) => {
                self.block_ahead(ahead, id, block)?;
                let body = std::mem::take(&mut self.body);
                self.bodies.push(body);
                return Ok(());
            }
            (Role::Forking, _) if !self.ending[id.index()] => {
                for step in self.steps(block) {
                    self.step(block.chain, step)?;
                }
            }
            _ => {
                for &inst in &block.insts {
                    self.inst(block.chain, self.region.inst(inst))?;
                }
            }
        }
        match &block.end {
            Terminator::Jump(edge) => {
                line!(self, "br label %{}", edge.to);
                self.come(self.label.clone(), edge);
            }
            Terminator::Branch(cond, yes, no) => self.branch(*cond, yes, no, block.end_pc),
            Terminator::Exit(exit, values) => {
                let exit = self.region.exit(*exit);
                match exit.kind {
                    ExitKind::Return if self.role != Role::Root => self.ret_results(values),
                    ExitKind::Done | ExitKind::Leave | ExitKind::Return => {
                        for (&slot, &value) in exit.slots.iter().zip(values) {
                            self.store_slot(0, slot, value);
                        }
                        let leave = match exit.kind {
                            ExitKind::Return => Leave::Returned { pc: exit.pc },
                            _ => Leave::Goes { pc: exit.pc, base: 0 },
                        };
                        self.ret(leave);
                    }
                    ExitKind::Fault(_) | ExitKind::Stop => {
                        self.store_headers(block.chain);
                        self.ret(Leave::Goes { pc: exit.pc, base: self.base(block.chain) });
                    }
                }
            }
        }
        let body = std::mem::take(&mut self.body);
        self.bodies.push(body);
        Ok(())
    }

    fn come(&mut self, label: String, edge: &Edge) {
        self.preds[edge.to.index()].push((label, edge.args.clone()));
    }

    /// `at`: what decides in the bytecode. LLVM makes no select of a branch that nearly always goes the same way: what it
    /// selects waits for both sides, from one iteration to the next.
    fn branch(&mut self, cond: Value, yes: &Edge, no: &Edge, at: Pc) {
        let cond = self.operand(cond);
        let weights = match self.context.profile.jumps(at) {
            Some(true) => ", !prof !0",
            Some(false) => ", !prof !1",
            None => "",
        };
        if yes.to != no.to {
            line!(self, "br i1 {cond}, label %{}, label %{}{weights}", yes.to, no.to);
            self.come(self.label.clone(), yes);
            self.come(self.label.clone(), no);
            return;
        }
        // A phi has one value for each block before it.
        let other = format!("{}.no", self.label);
        line!(self, "br i1 {cond}, label %{}, label %{other}{weights}", yes.to);
        self.come(self.label.clone(), yes);
        self.begin(other);
        line!(self, "br label %{}", no.to);
        self.come(self.label.clone(), no);
    }

    fn inst(&mut self, chain: ChainId, inst: &Inst) -> Result<(), Refusal> {
        match inst.op {
            Op::Guard(_) => self.guard(chain, inst)?,
            Op::Runtime(_) | Op::Call(_) | Op::CallAny(_) if self.ending[inst.block.index()] => {
                let frame = self.call_frame(chain, inst)?;
                self.leave_at(chain, inst, frame);
            }
            Op::Runtime(routine) => self.runtime(chain, inst, routine)?,
            Op::Call(_) | Op::CallAny(_) => self.call(chain, inst)?,
            _ => {
                self.compute(inst);
                if let &[result] = &inst.results[..]
                    && self.images[result.index()]
                    && !matches!(inst.op, Op::Reread(_) | Op::ConstF32(_))
                {
                    let bits = self.temporary();
                    line!(self, "{bits} = bitcast float %{result} to i32");
                    line!(self, "%{result}.s = zext i32 {bits} to i64");
                }
                if let Some((sum, term, negated)) = self.term(chain, inst) {
                    self.keep_term(sum, term, negated);
                }
            }
        }
        Ok(())
    }

    /// The bytecode's checks come before its effects: run again by the interpreter, the instruction fails alike.
    fn guard(&mut self, chain: ChainId, inst: &Inst) -> Result<(), Refusal> {
        if inst.kept.is_empty() {
            return Err(Refusal::NothingKept(inst.pc));
        }
        let cond = self.operand(inst.args[0]);
        let (holds, fails) = self.fork();
        line!(self, "br i1 {cond}, label %{holds}, label %{fails}, !prof !0");
        let kept = inst.kept.clone();
        self.cold_block(&fails, |lowering| {
            lowering.keep(chain, &kept, None);
            lowering.ret(Leave::Goes { pc: inst.pc, base: lowering.base(chain) });
        });
        self.begin(holds);
        Ok(())
    }

    /// Labels of what follows and of a cold block.
    fn fork(&mut self) -> (String, String) {
        self.temporaries += 1;
        (format!("then{}", self.temporaries), format!("cold{}", self.temporaries))
    }

    /// Writes a block behind the loop.
    fn cold_block(&mut self, label: &str, write: impl FnOnce(&mut Self)) {
        let body = std::mem::take(&mut self.body);
        let _ = writeln!(self.body, "{label}:");
        write(self);
        let cold = std::mem::replace(&mut self.body, body);
        self.cold.push_str(&cold);
    }

    /// A value as an operand, constants in place.
    fn operand(&self, value: Value) -> String {
        match self.region.def_inst(value).map(|inst| inst.op) {
            Some(Op::Const(c)) => c.to_string(),
            Some(Op::Text(id)) => self.context.addresses.texts.get(id as usize).copied().unwrap_or(0).to_string(),
            Some(Op::Global(offset)) => self.context.addresses.globals.wrapping_add(i64::from(offset)).to_string(),
            Some(Op::ConstF64(bits)) => format!("0x{bits:016X}"),
            // Written as a double a NaN would lose its bits.
            Some(Op::ConstF32(bits)) => format!("bitcast (i32 {} to float)", bits as i32),
            _ => format!("%{value}"),
        }
    }

    /// The bits of a slot that holds an f32.
    fn image(&self, value: Value) -> String {
        match self.region.def_inst(value).map(|inst| inst.op) {
            Some(Op::ConstF32(bits)) => bits.to_string(),
            _ => format!("%{value}.s"),
        }
    }

    /// A value as a pointer.
    fn pointer(&mut self, value: Value) -> String {
        if let Def::Result(inst, _) = self.region.values[value.index()].def
            && matches!(self.region.inst(inst).op, Op::Element { .. })
            && self.pointers[value.index()]
        {
            return format!("%{value}.p");
        }
        let word = self.operand(value);
        let pointer = self.temporary();
        line!(self, "{pointer} = inttoptr i64 {word} to ptr");
        pointer
    }

    fn finish(&self, module: &mut String) {
        let region = self.region;
        for (i, body) in self.bodies.iter().enumerate() {
            let id = BlockId(i as u32);
            if !self.is_come_to(id) {
                continue;
            }
            let _ = writeln!(module, "{id}:");
            let params = if id == Region::ENTRY { &[][..] } else { &region.block(id).params };
            for (position, param) in params.iter().enumerate().filter(|(_, param)| self.is_done(param.value)) {
                let ty = type_name(region.ty(param.value));
                let phi = |name: String, ty: &str, of: &dyn Fn(Value) -> String| {
                    let ways =
                        self.preds[i].iter().map(|(label, args)| format!("[ {}, %{label} ]", of(args[position])));
                    format!("  {name} = phi {ty} {}\n", ways.collect::<Vec<_>>().join(", "))
                };
                module.push_str(&phi(format!("%{}", param.value), ty, &|value| self.operand(value)));
                if self.images[param.value.index()] {
                    module.push_str(&phi(format!("%{}.s", param.value), "i64", &|value| self.image(value)));
                }
            }
            module.push_str(body);
        }
        module.push_str(&self.cold);
        if self.gives_up() {
            self.write_end(module);
        }
        module.push_str("}\n\n");
    }
}

#[cfg(test)]
mod tests {
    use scaly_interp::dump::parse;
    use scaly_interp::program::LoopId;
    use scaly_tracer::walker::Walker;

    use super::*;

    /// A load that may fail in a function that is walked in place.
    const PROGRAM: &str = "
main f
function f(params 3, results 1, frame 16)
  Const s3, 0
  Const s4, 0
  ForPrepS s4..6, s2 -> @out
loop counted s4..6 @top..@out
top: Move s8, s0
  Move s9, s1
  Move s10, s4
  Call s8, g
  Add s3, s3, s8
  ForLoop s4..6, loop0 -> @top
out: Return1 s3
function g(params 3, results 1, frame 6)
  LoadElemI64 s3, s0..2, s2, *8, +0
  Return1 s3
";

    fn lowered(keeping: bool) -> Result<Lowered, Refusal> {
        lowered_with(PROGRAM, keeping, &Profile::default())
    }

    fn lowered_with(program: &str, keeping: bool, profile: &Profile) -> Result<Lowered, Refusal> {
        let program = parse(program).unwrap();
        let walker = Walker::new(&program, Parameters::default());
        let region = if keeping { walker.keeping() } else { walker }.walk(LoopId(0)).unwrap();
        let (addresses, parameters) = (Addresses::default(), Parameters::default());
        let waits = &[false, false];
        lower(&region, Context { program: &program, addresses: &addresses, waits, parameters, profile }, "f")
    }

    #[test]
    fn branches_have_the_weights_of_the_profile() {
        let program = "
main f
function f(params 2, results 1, frame 8)
  Const s2, 0
  ForPrepS s4..6, s1 -> @out
loop counted s4..6 @top..@out
top: JLtS s4, s0 -> @next
  Const s2, 1
next: ForLoop s4..6, loop0 -> @top
out: Return1 s2
";
        let weights = |known: &[(Pc, bool)]| {
            let profile = known.iter().copied().collect();
            let module = lowered_with(program, true, &profile).unwrap().module;
            let lines = module.lines().filter(|line| line.contains("br i1") && line.contains("!prof"));
            lines.map(|line| line.rsplit(' ').next().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(weights(&[]), [""; 0]);
        assert_eq!((weights(&[(Pc(2), true)]), weights(&[(Pc(2), false)])), (vec!["!0".into()], vec!["!1".into()]));
    }

    #[test]
    fn a_known_divisor_has_a_way_of_its_own() {
        let program = "
main f
function f(params 3, results 1, frame 8)
  ForPrepS s4..6, s1 -> @out
loop counted s4..6 @top..@out
top: RemS s3, s4, s0
  Add s2, s2, s3
  RemS s2, s2, s0
  ForLoop s4..6, loop0 -> @top
out: Return1 s2
";
        let divisions = |known: &[(Pc, i64)]| {
            let module = lowered_with(program, true, &known.iter().copied().collect()).unwrap().module;
            module.lines().filter(|line| line.contains("srem")).map(|line| line.ends_with(" 10")).collect::<Vec<_>>()
        };
        assert_eq!(divisions(&[]), [false; 2]);
        assert_eq!(divisions(&[(Pc(1), 10), (Pc(1), 10)]), [false, true, false, true], "both divide by the same");
        assert_eq!(divisions(&[(Pc(1), 10), (Pc(1), 64)]), [false; 2], "it is not known which");
        assert_eq!(divisions(&[(Pc(2), 10)]), [false; 2], "of another instruction");
    }

    #[test]
    fn a_failing_guard_writes_the_frames_of_inlined_calls() {
        let lowered = lowered(true).unwrap();
        let cold = lowered.module.split("\ncold").nth(1).unwrap();
        // The operands of the load and the header of the callee's frame, 8 slots above.
        for line in [
            "getelementptr i8, ptr %frame, i64 64\n",
            "store ptr %frame, ptr",
            "getelementptr i8, ptr %frame, i64 56\n",
            "store i64 7, ptr",
            "ret i32 1\n",
        ] {
            assert!(cold.contains(line), "{line}: {}", lowered.module);
        }
        assert_eq!(lowered.interface.leaves[1], Leave::Goes { pc: Pc(10), base: 8 });
        assert!(lowered.interface.leaves.contains(&Leave::Goes { pc: Pc(9), base: 0 }));
        assert_eq!(lowered.interface.frame_slots, 16);
    }

    #[test]
    fn a_region_of_proofs_is_refused() {
        assert_eq!(lowered(false), Err(Refusal::NothingKept(Pc(10))));
    }
}
