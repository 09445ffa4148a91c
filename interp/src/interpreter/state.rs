//! What a run of a program holds beside its frames: tables made from the image, counters, regions, the world outside.

use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use scaly_runtime::console::{Input, Output};
use scaly_runtime::fiber::{Operation, Worker};
use scaly_runtime::memory::{BLOCK_HEADER, MemoryError, PagePool, RegionStack, Window};

use super::counting::Counting;
use super::dispatch::{Handlers, Left, Position};
use crate::bytecode::Instruction;
use crate::machine::Fault;
use crate::program::{FunctionId, LoopId, Pc, Program};
use crate::tier::{Goes, Tier};

/// Executions of a loop's back edge, or of a function, from one call of the cold hook to the next. The hook does not
/// compile anything yet; LuaJIT's threshold is the start for when it does.
pub const HOT: u32 = 56;

/// What the loop and the machine read of a program, at stable addresses.
pub(crate) struct Tables {
    /// Address and length of each string constant, behind a header that says it is never freed.
    texts: Vec<(i64, i64)>,
    globals: i64,
    /// What the above point to.
    _text_memory: Vec<u128>,
    _global_memory: Vec<u128>,
}

/// A function as a call needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Index of the first instruction.
    pub start: u32,
    pub frame_slots: u32,
    /// Calls until the hook.
    pub counter: u32,
}

impl Tables {
    fn new(program: &Program) -> Tables {
        const UNIT: usize = size_of::<u128>();
        const _: () = assert!(BLOCK_HEADER as usize == UNIT);
        let units = |bytes: usize| bytes.div_ceil(UNIT);
        // The header, then the text.
        let total = program.texts.iter().map(|text| 1 + units(text.len())).sum();
        let mut memory = vec![0u128; total];
        let base = memory.as_mut_ptr();
        let mut at = 0;
        let mut texts = Vec::with_capacity(program.texts.len());
        for text in &program.texts {
            let place = base.wrapping_add(at + 1).cast::<u8>();
            // SAFETY: `total` counts a header and the text's units for each.
            unsafe { place.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
            texts.push((place.expose_provenance() as i64, text.len() as i64));
            at += 1 + units(text.len());
        }
        let mut global_memory = vec![0u128; units(program.global_bytes as usize)];
        let globals = global_memory.as_mut_ptr().expose_provenance() as i64;
        Tables { texts, globals, _text_memory: memory, _global_memory: global_memory }
    }

    #[inline(always)]
    pub fn text(&self, id: u32) -> (i64, i64) {
        // SAFETY: the verifier has seen that there is such a text.
        unsafe { *self.texts.get_unchecked(id as usize) }
    }

    #[inline(always)]
    pub fn global(&self, offset: u32) -> i64 {
        self.globals.wrapping_add(i64::from(offset))
    }
}

/// What a program may see of the world, beside files and clocks.
pub struct World {
    pub output: Output,
    pub input: Input,
    /// Arguments behind the program's file.
    pub arguments: Vec<String>,
}

/// Where the pictures of a program can be seen while it makes them.
pub trait Screen: Send + Sync {
    /// A picture is made, of `width` by `height` pixels, line by line; each is three words, `f32`s from 0 to 1, at first 0.
    /// Its window is opened onto them, if there is to be one.
    fn picture(&self, width: usize, height: usize) -> Option<Arc<Window>>;
}

impl World {
    /// Standard output and input.
    pub fn standard(arguments: Vec<String>) -> World {
        World { output: Output::stdout(), input: Input::stdin(), arguments }
    }
}

/// Makes a run's tier, the first time that it is asked.
pub type MakeTier = Box<dyn FnOnce() -> Rc<dyn Tier>>;

/// The state of a run.
pub struct State {
    pub(crate) handlers: Handlers,
    pub(super) counting: Counting,
    pub(crate) program: Arc<Program>,
    /// Of the program.
    pub(crate) code: *const Instruction,
    pub(crate) tables: Arc<Tables>,
    pub(crate) entries: Vec<Entry>,
    /// By loop: back edges until the hook.
    pub(crate) loops: Vec<u32>,
    /// By loop and by function: what was counted before the counter was last set.
    counted: (Vec<u64>, Vec<u64>),
    /// By loop and by function: what the counter was last set to.
    started: (Vec<u32>, Vec<u32>),
    /// What compiles, and what makes it when something is hot.
    pub(crate) tier: Option<Rc<dyn Tier>>,
    pub(super) make_tier: Option<MakeTier>,
    /// What a routine answered that native code has called.
    pub(crate) outcome: Outcome,
    /// Lowest usable address of the native stack that the run is on.
    pub(crate) native_limit: usize,
    /// Of the fiber that runs, once it does.
    pub(crate) worker: Option<NonNull<Worker>>,
    pub(crate) regions: RegionStack,
    pub(crate) world: World,
    /// Who watches the program's pictures; mostly nobody.
    pub screen: Option<Arc<dyn Screen>>,
    /// What a routine that answered with other than [`Outcome::Done`] left.
    pub(crate) pending: Pending,
    /// Behind the last slot of the stack.
    pub(crate) limit: *mut u64,
    /// Why and where running stopped.
    pub(crate) left: Left,
    pub(crate) stopped: Option<Position>,
    /// Where running goes on behind a hook.
    pub(crate) went: Position,
    /// Where texts of values are made.
    pub(crate) scratch: Vec<u8>,
    /// The fiber has waited for input, which is there now.
    pub(crate) input_ready: bool,
}

/// Details of an [`Outcome`].
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// With its message, unless the operands of the instruction tell it.
    pub fault: Option<(Fault, Option<String>)>,
    pub operation: Option<Operation>,
    pub status: i32,
}

/// How a routine ended; small, so that it returns in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Outcome {
    Done,
    /// With `pending.fault`.
    Fault,
    /// Done; goes on when `pending.operation` is.
    Park,
    /// Not done: to be tried again when `pending.operation` would not block.
    Wait,
    /// Ends the program with `pending.status`.
    Exit,
}

impl State {
    /// # Safety
    /// As for [`RegionStack::new`]: the pool outlives the state and is used by its thread alone. The program is
    /// verified.
    pub(crate) unsafe fn new(program: Arc<Program>, pool: NonNull<PagePool>, world: World) -> State {
        let tables = Arc::new(Tables::new(&program));
        let entry = |f: &crate::program::Function| Entry {
            start: f.code.start,
            frame_slots: u32::from(f.frame_slots),
            counter: HOT,
        };
        let (loops, functions) = (program.loops.len(), program.functions.len());
        State {
            entries: program.functions.iter().map(entry).collect(),
            loops: vec![HOT; loops],
            counted: (vec![0; loops], vec![0; functions]),
            started: (vec![HOT; loops], vec![HOT; functions]),
            // SAFETY: by the caller's promise.
            ..unsafe { State::without_counters(program, tables, pool, world) }
        }
    }

    /// A state for routines of the program that runs in another one.
    ///
    /// # Safety
    /// As for [`State::new`].
    pub(crate) unsafe fn sharing(program: &State, pool: NonNull<PagePool>, world: World) -> State {
        // SAFETY: by the caller's promise.
        unsafe { State::without_counters(program.program.clone(), program.tables.clone(), pool, world) }
    }

    unsafe fn without_counters(
        program: Arc<Program>,
        tables: Arc<Tables>,
        pool: NonNull<PagePool>,
        world: World,
    ) -> State {
        State {
            handlers: Handlers::new(),
            counting: Counting::default(),
            entries: Vec::new(),
            loops: Vec::new(),
            counted: Default::default(),
            started: Default::default(),
            tier: None,
            make_tier: None,
            outcome: Outcome::Done,
            native_limit: 0,
            worker: None,
            tables,
            // SAFETY: by the caller's promise.
            regions: unsafe { RegionStack::new(pool) },
            world,
            screen: None,
            code: program.code.as_ptr(),
            program,
            pending: Pending::default(),
            limit: std::ptr::null_mut(),
            left: Left::Returned,
            stopped: None,
            went: Position { pc: Pc(0), base: std::ptr::null_mut() },
            scratch: Vec::new(),
            input_ready: false,
        }
    }

    /// Whose entry it is: one of this state's.
    pub(crate) fn function(&self, entry: *const Entry) -> FunctionId {
        let bytes = entry.addr() - self.entries.as_ptr().addr();
        FunctionId((bytes / size_of::<Entry>()) as u32)
    }

    #[inline]
    pub(crate) fn restart_loop(&mut self, id: u32, count: u32) {
        let i = id as usize;
        self.counted.0[i] += u64::from(self.started.0[i] - self.loops[i]);
        self.loops[i] = count;
        self.started.0[i] = count;
    }

    #[inline]
    pub(crate) fn restart_function(&mut self, id: u32, count: u32) {
        let i = id as usize;
        self.counted.1[i] += u64::from(self.started.1[i] - self.entries[i].counter);
        self.entries[i].counter = count;
        self.started.1[i] = count;
    }

    /// A loop's counter has come to 0, where nothing compiles.
    #[cold]
    #[inline(never)]
    pub(crate) fn loop_hook(&mut self, id: u32) {
        self.restart_loop(id, HOT);
    }

    /// A function's counter has come to 0, where nothing compiles.
    #[cold]
    #[inline(never)]
    pub(crate) fn function_hook(&mut self, id: u32) {
        self.restart_function(id, HOT);
    }

    #[inline]
    fn tier(&mut self) -> Option<Rc<dyn Tier>> {
        if let Some(make) = self.make_tier.take() {
            self.tier = Some(make());
        }
        self.tier.clone()
    }

    /// A loop's counter has come to 0 at this header.
    pub(crate) fn hot_loop(&mut self, id: LoopId, at: Position) -> Goes {
        if !self.found_hot() {
            self.restart_loop(id.0, self.later(self.started.0[id.0 as usize]));
            return Goes::On(at);
        }
        match self.tier() {
            Some(tier) => tier.hot_loop(self, id, at),
            None => {
                self.loop_hook(id.0);
                Goes::On(at)
            }
        }
    }

    /// A function's counter has come to 0 at its first instruction.
    pub(crate) fn hot_function(&mut self, id: FunctionId, at: Position) -> Goes {
        if !self.found_hot() {
            self.restart_function(id.0, self.later(self.started.1[id.0 as usize]));
            return Goes::On(at);
        }
        match self.tier() {
            Some(tier) => tier.hot_function(self, id, at),
            None => {
                self.function_hook(id.0);
                Goes::On(at)
            }
        }
    }

    /// The same, with the place to go on in `went`; false if there is none.
    #[inline(never)]
    pub(crate) fn loop_goes(&mut self, id: LoopId, at: Position) -> bool {
        let goes = self.hot_loop(id, at);
        self.note(goes)
    }

    #[inline(never)]
    pub(crate) fn function_goes(&mut self, id: FunctionId, at: Position) -> bool {
        let goes = self.hot_function(id, at);
        self.note(goes)
    }

    fn note(&mut self, goes: Goes) -> bool {
        if let Goes::On(at) = goes {
            self.went = at;
        }
        matches!(goes, Goes::On(_))
    }

    /// How often the interpreter took the back edges of a loop, while it counted.
    pub fn loop_count(&self, id: LoopId) -> u64 {
        let i = id.0 as usize;
        self.counted.0[i] + u64::from(self.started.0[i] - self.loops[i])
    }

    /// How often the interpreter called a function, while it counted.
    pub fn call_count(&self, id: FunctionId) -> u64 {
        let i = id.0 as usize;
        self.counted.1[i] + u64::from(self.started.1[i] - self.entries[i].counter)
    }

    #[cold]
    pub(crate) fn fault(&mut self, fault: Fault, message: impl Into<String>) -> Outcome {
        self.pending.fault = Some((fault, Some(message.into())));
        Outcome::Fault
    }

    #[cold]
    pub(crate) fn refused(&mut self, error: MemoryError) -> Outcome {
        self.fault(Fault::OutOfMemory, error.to_string())
    }
}
