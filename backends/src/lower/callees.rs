//! Which functions a module holds beside the region asked for, and how each of them is called.

use rustc_hash::FxHashMap;
use scaly_interp::program::{Class, FunctionId};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::{ExitKind, Op, Region, Terminator, Type, Whole};
use scaly_tracer::walker::Walker;

use super::{Context, Refusal, formed, frame_slots, native_stack};

/// How a slot crosses a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passed {
    /// In a register, as the slot's 64 bits.
    Word,
    /// In a register, as an f64.
    Float,
    /// In the callee's frame.
    InFrame,
}

impl Passed {
    pub fn type_name(self) -> &'static str {
        match self {
            Passed::Float => "double",
            _ => "i64",
        }
    }
}

/// Words that come in registers; two more hold the run and the frame.
const WORD_REGISTERS: usize = 4;
const FLOAT_REGISTERS: usize = 8;
/// Results that are returned in registers.
const RESULT_REGISTERS: usize = 2;

/// A function of the module.
#[derive(Debug)]
pub struct Callee {
    pub name: String,
    pub region: Region,
    /// Parameters of the region: slot, and how it comes.
    pub params: Vec<(u16, Passed)>,
    /// By slot, if they are returned in registers; else all are in the frame.
    pub results: Option<Vec<Passed>>,
    /// Less must not be entered.
    pub frame_slots: u32,
}

/// The functions of a module. That of the region comes first, if the region is a function's.
#[derive(Debug, Default)]
pub struct Callees {
    pub functions: Vec<Callee>,
    position: FxHashMap<FunctionId, usize>,
    /// Of the region.
    name: String,
    /// By class of the function values that are called: what they may be.
    callable: FxHashMap<Class, Vec<FunctionId>>,
    /// They give up instead of leaving: see `restart`.
    pub restart: bool,
    /// Nothing is in place in them: see [`Callees::exact`].
    pub exact: bool,
    /// Bytes of native stack that their frames may take for each slot by which calls advance; none where that does not
    /// matter, since no loop is divided.
    pub native_per_slot: Option<usize>,
}

impl Callees {
    /// All that are called directly, up to the limits; what may wait is called by the interpreter only.
    pub fn of(region: &Region, context: Context<'_>, name: &str) -> Result<Callees, Refusal> {
        let mut callees = Callees { name: name.into(), ..Callees::default() };
        if region.whole == Whole::Function {
            callees.add(region.clone(), context, name)?;
        }
        let parameters = context.parameters;
        let mut walker = Walker::new(context.program, parameters).keeping();
        let mut size = region.size();
        let mut todo: Vec<FunctionId> = callees.called(&walker, region);
        let mut seen = todo.clone();
        todo.reverse();
        while let Some(id) = todo.pop() {
            let waits = context.waits.get(id.0 as usize).copied().unwrap_or(true);
            let exists = (id.0 as usize) < context.program.functions.len();
            if waits
                || !exists
                || callees.find(id).is_some()
                || callees.functions.len() >= parameters.module_functions as usize
            {
                continue;
            }
            let Ok(region) = walker.walk_function(id) else { continue };
            if size + region.size() > parameters.module_instructions as usize {
                continue;
            }
            size += region.size();
            for id in callees.called(&walker, &region) {
                if !seen.contains(&id) {
                    seen.push(id);
                    todo.push(id);
                }
            }
            callees.add(region, context, name)?;
        }
        Ok(callees)
    }

    /// The same functions once more with no call in place, so that one is refused where the interpreter would refuse it and
    /// nowhere else: for the last calls on a stack. None if not all are to be had.
    pub fn exact(&self, region: &Region, context: Context<'_>) -> Option<Callees> {
        let Parameters { module_functions, module_instructions, .. } = context.parameters;
        let parameters = Parameters {
            region_inline: 0,
            region_inline_small: 0,
            recursion_depth: 0,
            module_functions: module_functions.saturating_mul(4),
            module_instructions: module_instructions.saturating_mul(4),
            ..context.parameters
        };
        let name = format!("{}.exact", self.name);
        let exact = Callees::of(region, Context { parameters, ..context }, &name).ok()?;
        let known = |op: Op| match op {
            Op::Call(id) => exact.find(id).is_some(),
            Op::CallAny(class) => exact.choice(class).is_some(),
            _ => true,
        };
        let whole = exact.functions.iter().all(|callee| callee.region.insts.iter().all(|inst| known(inst.op)));
        let all = self.functions.iter().all(|callee| exact.find(callee.region.chains[0].function).is_some());
        let native_per_slot = Some(native_stack::LAST / 2 / self.last_slots().max(1));
        (whole && all).then_some(Callees { exact: true, native_per_slot, ..exact })
    }

    /// Whether functions have calls in place.
    pub fn nest(&self) -> bool {
        self.functions.iter().any(|callee| callee.region.chains.len() > 1)
    }

    /// What a call of a function value of this class may call; of classes that are called.
    pub fn candidates(&self, class: Class) -> impl Iterator<Item = FunctionId> + '_ {
        self.callable.get(&class).into_iter().flatten().copied()
    }

    /// The function of the module that calls whichever it is, if all are in the module.
    pub fn choice(&self, class: Class) -> Option<String> {
        let whole = self.candidates(class).all(|id| self.find(id).is_some());
        whole.then(|| format!("{}.any.{class}", self.name))
    }

    /// The names of such functions, by class.
    pub fn choices(&self) -> impl Iterator<Item = (String, Class)> + '_ {
        let mut classes: Vec<Class> = self.callable.keys().copied().collect();
        classes.sort_unstable();
        classes.into_iter().filter_map(|class| Some((self.choice(class)?, class)))
    }

    fn called(&mut self, walker: &Walker<'_>, region: &Region) -> Vec<FunctionId> {
        let mut called = Vec::new();
        for inst in &region.insts {
            match inst.op {
                Op::Call(id) => called.push(id),
                Op::CallAny(class) => {
                    called
                        .extend(self.callable.entry(class).or_insert_with(|| walker.callable(class).collect()).iter());
                }
                _ => {}
            }
        }
        called
    }

    /// The function with this number, if the module has it.
    pub fn find(&self, id: FunctionId) -> Option<usize> {
        self.position.get(&id).copied()
    }

    fn add(&mut self, region: Region, context: Context<'_>, name: &str) -> Result<(), Refusal> {
        let id = region.chains[0].function;
        let function = context.program.functions.get(id.0 as usize).ok_or(Refusal::OtherProgram)?;
        self.position.insert(id, self.functions.len());
        self.functions.push(Callee {
            name: format!("{name}.{id}"),
            params: params(&region),
            results: results(&region, function.result_slots),
            frame_slots: frame_slots(&region, context.program)?,
            region: formed(&region, context, false),
        });
        Ok(())
    }
}

/// The first ones come in registers, as many as there are.
fn params(region: &Region) -> Vec<(u16, Passed)> {
    let (mut words, mut floats) = (0, 0);
    let params = region.block(Region::ENTRY).params.iter();
    let passed = params.map(|param| {
        let (used, registers, passed) = match region.ty(param.value) {
            Type::Float => (&mut floats, FLOAT_REGISTERS, Passed::Float),
            _ => (&mut words, WORD_REGISTERS, Passed::Word),
        };
        *used += 1;
        (param.slot, if *used > registers { Passed::InFrame } else { passed })
    });
    passed.collect()
}

/// An f64 is returned as one where all returns have one.
fn results(region: &Region, slots: u16) -> Option<Vec<Passed>> {
    let count = usize::from(slots);
    if count > RESULT_REGISTERS {
        return None;
    }
    let returns = region.blocks.iter().filter_map(|block| match &block.end {
        Terminator::Exit(exit, values) if region.exit(*exit).kind == ExitKind::Return => Some(values),
        _ => None,
    });
    let returns: Vec<_> = returns.collect();
    let float = |i: usize| returns.iter().all(|values| values.get(i).is_some_and(|&v| region.ty(v) == Type::Float));
    Some((0..count).map(|i| if float(i) { Passed::Float } else { Passed::Word }).collect())
}
