//! The backend: assembled traces and how they are reached.
//!
//! No borrow of what is in here is held while native code runs: it comes back into the trace compiler, which assembles
//! and links below it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use rustc_hash::FxHashMap;
use scaly_interp::interpreter::State;
use scaly_interp::program::{FunctionId, LoopId, Program};
use scaly_interp::tier::Position;
use scaly_tracer::backend::{Assembled, Backend, Job, Left, Refusal, code};
use scaly_tracer::trace::{End, ExitId, ExitKind, Ref, Root, Trace, TraceId};

use crate::allocate::{self, Allocation, Files, Source};
use crate::annotate::notes;
use crate::context::{Context, Shared};
use crate::emit::{self, Code, Place, Target};
use crate::enter::{LOWER, Parts, Trampoline, shared_code};
use crate::exits::{Copies, Exit, Exits, headers};
use crate::listing::{Architecture, Listing, Note};
use crate::memory::{Block, CodeMemory, Error};
use crate::options::{Options, Random};
use crate::watch::Watch;

/// Traces on x86-64.
pub struct X64 {
    program: Arc<Program>,
    options: Options,
    shared: Shared,
    exits: Box<RefCell<Exits>>,
    memory: RefCell<CodeMemory>,
    traces: RefCell<FxHashMap<TraceId, Compiled>>,
    /// By trace: where a tree is called. The context has its address.
    trees: RefCell<Vec<usize>>,
    parts: Parts,
    watch: Option<Rc<Watch>>,
    random: Cell<Random>,
}

/// A trace that has code.
struct Compiled {
    block: Block,
    /// Bytes of it in use.
    bytes: usize,
    exits: Range<u32>,
    link_entry: usize,
    frame_bytes: u32,
    /// Where its constants begin.
    data: usize,
    /// Of its listing, if that was asked for in advance.
    notes: Vec<Note>,
}

impl X64 {
    /// Fails where no code memory is to be had.
    pub fn new(program: Arc<Program>, options: Options) -> Result<X64, Error> {
        let exits = Box::new(RefCell::new(Exits::default()));
        let shared = Shared::new(program.functions.len(), program.loops.len(), &raw const *exits);
        let mut memory = CodeMemory::new(options.code_bytes)?;
        let (bytes, parts) = shared_code();
        let block = memory.reserve(bytes.len())?;
        memory.write(block.address(), &bytes);
        let at = |offset| block.address() + offset;
        let parts = Parts {
            trampoline: at(parts.trampoline),
            common_exit: at(parts.common_exit),
            interpret: at(parts.interpret),
            careful_routine: at(parts.careful_routine),
            nothing: at(parts.nothing),
        };
        for function in 0..program.functions.len() {
            shared.set_entry(function, parts.interpret);
        }
        if let Some(seed) = options.forced_exits {
            let mut random = Random::new(seed);
            // SAFETY: the context is live, and nothing else uses it yet.
            unsafe {
                (*shared.context()).random = random.next() as u32;
                (*shared.context()).countdown = 1;
            }
        }
        Ok(X64 {
            program,
            options,
            shared,
            exits,
            memory: RefCell::new(memory),
            traces: RefCell::default(),
            trees: RefCell::default(),
            parts,
            watch: None,
            random: Cell::new(Random::new(options.registers.unwrap_or(0))),
        })
    }

    /// From now on these are told of all code.
    pub fn watched(mut self, watch: Rc<Watch>) -> X64 {
        self.watch = Some(watch);
        self
    }

    fn files(&self) -> Files {
        if self.options.registers.is_none() {
            return Files::all();
        }
        let mut random = self.random.get();
        let files = Files::drawn(&mut random);
        self.random.set(random);
        files
    }

    /// What a side trace begins with: the values of its parent's exit, and the parent's native frame.
    fn parent(&self, trace: &Trace) -> (Vec<allocate::Left>, u32) {
        let Root::Side(exit) = trace.root else { return (Vec::new(), 0) };
        let exits = self.exits.borrow();
        let exit = exits.get(exit).expect("a side trace's parent has code");
        (exit.inherited(), self.traces.borrow()[&exit.trace].frame_bytes)
    }

    fn link_target(&self, trace: &Trace) -> usize {
        match trace.end {
            End::Link(tree, _) => self.traces.borrow()[&tree].link_entry,
            _ => 0,
        }
    }

    fn place(&self, job: Job<'_>, mut code: Code, notes: Vec<Note>) -> Result<usize, Refusal> {
        let mut memory = self.memory.borrow_mut();
        let block = memory.reserve(code.bytes.len()).map_err(|error| match error {
            Error::NoRoom { .. } => Refusal::NoRoom,
            Error::Refused { .. } => Refusal::NoMemory,
        })?;
        for &(field, target) in &code.outside {
            let distance = target as i64 - (block.address() + field + 4) as i64;
            let distance = i32::try_from(distance).expect("the limit keeps all code within reach");
            code.bytes[field..field + 4].copy_from_slice(&distance.to_le_bytes());
        }
        memory.write(block.address(), &code.bytes);
        let address = block.address();
        let compiled = Compiled {
            block,
            bytes: code.bytes.len(),
            exits: job.first_exit.0..job.first_exit.0 + job.trace.snapshots.len() as u32,
            link_entry: address + code.link_entry,
            frame_bytes: code.frame_bytes,
            data: code.data,
            notes,
        };
        self.traces.borrow_mut().insert(job.id, compiled);
        Ok(address)
    }

    fn record_exits(&self, job: Job<'_>, allocation: &Allocation, stubs: &[emit::Stub], address: usize) {
        let trace = job.trace;
        let left = |value: Ref| allocate::Left {
            at: match trace.constant(value) {
                Some(constant) => Source::Constant(constant),
                None => Source::Home(allocation.homes[value.index()].expect("what a snapshot names has a home")),
            },
            ty: trace.ty(value).expect("what a snapshot names is a value"),
        };
        let mut exits = self.exits.borrow_mut();
        for stub in stubs {
            let snapshot = trace.snapshot(stub.snapshot);
            let slots: Vec<_> = snapshot.slots.iter().map(|&(slot, value)| (slot, left(value))).collect();
            let exit = Exit {
                trace: job.id,
                copies: Copies::of(&slots),
                slots,
                frames: headers(snapshot),
                passed: match snapshot.kind {
                    ExitKind::PassOn(value) => Some(left(value)),
                    _ => None,
                },
                field: address + stub.field,
                default: address + stub.default,
            };
            exits.set(ExitId(job.first_exit.0 + stub.snapshot.0), exit);
        }
    }

    fn set_tree(&self, id: TraceId, address: usize) {
        let mut trees = self.trees.borrow_mut();
        if id.index() >= trees.len() {
            trees.resize(id.index() + 1, self.parts.nothing);
        }
        trees[id.index()] = address;
        // SAFETY: the context is live; native code reads the address anew at each call.
        unsafe { (*self.shared.context()).trees = trees.as_ptr() };
    }

    fn patch(&self, exit: ExitId, target: impl FnOnce(&Exit) -> usize) {
        let exits = self.exits.borrow();
        // An exit that no instruction leaves by has no code.
        if let Some(exit) = exits.get(exit) {
            self.memory.borrow().patch_rel32(exit.field, target(exit));
        }
    }
}

impl Backend for X64 {
    fn assemble(&self, job: Job<'_>) -> Result<Assembled, Refusal> {
        debug_assert!(job.first_exit.0 >= code::FIRST_EXIT);
        let (inherited, parent_frame_bytes) = self.parent(job.trace);
        let allocation = allocate::allocate(job.trace, &inherited, &self.files(), self.options.spills)
            .map_err(|_| Refusal::Spills)?;
        let target = Target {
            program: &self.program,
            shared: &self.shared,
            features: self.options.features,
            forced_exits: self.options.forced_exits.is_some(),
            common_exit: self.parts.common_exit,
            careful_routine: self.parts.careful_routine,
        };
        let place = Place {
            first_exit: job.first_exit.0,
            returns: job.returns,
            inherited: &inherited,
            parent_frame_bytes,
            link_target: self.link_target(job.trace),
        };
        let code = emit::emit(job.trace, &allocation, &target, &place);
        let bytes = code.bytes.len();
        let (stubs, marks) = (code.stubs.clone(), code.marks.clone());
        let notes = if self.options.listings { notes(job.trace, &allocation, &marks) } else { Vec::new() };
        let address = self.place(job, code, notes)?;
        self.record_exits(job, &allocation, &stubs, address);
        if let Some(watch) = &self.watch {
            watch.add(job.id, job.trace, address, &self.memory.borrow().read(address, bytes), &marks);
        }
        if !matches!(job.trace.root, Root::Side(_)) {
            self.set_tree(job.id, address);
        }
        Ok(Assembled { bytes })
    }

    fn link(&self, exit: ExitId, to: TraceId) {
        let address = self.traces.borrow()[&to].block.address();
        self.patch(exit, |_| address);
    }

    fn unlink(&self, exit: ExitId) {
        self.patch(exit, |exit| exit.default);
    }

    fn publish(&self, function: FunctionId, trace: Option<TraceId>) {
        let address = match trace {
            Some(trace) => self.traces.borrow()[&trace].block.address(),
            None => self.parts.interpret,
        };
        self.shared.set_entry(function.0 as usize, address);
    }

    fn free(&self, id: TraceId) {
        let Some(compiled) = self.traces.borrow_mut().remove(&id) else { return };
        self.exits.borrow_mut().forget(compiled.exits.clone());
        if let Some(watch) = &self.watch {
            watch.remove(compiled.block.address());
        }
        if id.index() < self.trees.borrow().len() {
            self.set_tree(id, self.parts.nothing);
        }
        self.memory.borrow_mut().free(compiled.block);
    }

    fn used(&self) -> usize {
        self.memory.borrow().used()
    }

    fn bytes(&self, id: TraceId) -> usize {
        self.traces.borrow().get(&id).map_or(0, |compiled| compiled.block.bytes())
    }

    fn iterations(&self, id: LoopId) -> u64 {
        self.shared.count(id.0 as usize)
    }

    fn poll(&self) -> Option<&AtomicU32> {
        // SAFETY: the context lives as long as this; only atomic accesses are made to this field.
        Some(unsafe { AtomicU32::from_ptr((&raw mut (*self.shared.context()).poll).cast()) })
    }

    fn enter(&self, id: TraceId, state: &mut State, at: Position) -> Left {
        let entry = self.trees.borrow()[id.index()];
        let context = self.shared.context();
        // SAFETY: a trampoline was written there, which is never freed.
        let trampoline: Trampoline = unsafe { std::mem::transmute(self.parts.trampoline) };
        let here = 0u8;
        let stack = &raw const here as usize;
        // Where runs are nested that deeply, each takes no more than it must.
        let lower = if stack > state.native_limit() + ROOM { LOWER } else { 0 };
        // SAFETY: the context is live and used by this thread alone, but for the flag of polls. The frame is one of the
        // state's stack, at the root's first instruction, by the caller's promise that `at` is.
        unsafe {
            let outer = Entered::begin(context, state);
            let status = trampoline(entry, at.base(), context, lower);
            let (root, via) = ((*context).exit_root, (*context).via);
            outer.end(context);
            match status {
                code::RETURNED => Left::Returned,
                code::ABANDONED => Left::Abandoned,
                exit => {
                    Left::Exit { exit: ExitId(exit), root: at.of_frame(root), via: (via != 0).then_some(ExitId(via)) }
                }
            }
        }
    }

    fn listing(&self, id: TraceId) -> String {
        let traces = self.traces.borrow();
        let Some(compiled) = traces.get(&id) else { return String::new() };
        let address = compiled.block.address();
        let mut names = BTreeMap::from([
            (self.parts.common_exit as u64, "leave".to_string()),
            (self.parts.careful_routine as u64, "routine".to_string()),
        ]);
        for (id, other) in traces.iter() {
            names.insert(other.block.address() as u64, id.to_string());
            if other.link_entry != other.block.address() {
                names.insert(other.link_entry as u64, format!("{id}.linked"));
            }
        }
        // The jump to a side trace begins a byte before its field.
        let exits = self.exits.borrow();
        names.extend(exits.of(compiled.exits.clone()).map(|(id, exit)| (exit.field as u64 - 1, id.to_string())));
        Listing {
            architecture: Architecture::X86_64,
            code: &self.memory.borrow().read(address, compiled.bytes),
            address: address as u64,
            data: std::slice::from_ref(&(compiled.data..compiled.bytes)),
            notes: &compiled.notes,
            names: &names,
        }
        .text()
    }
}

/// Bytes of native stack that are left to nested runs when they begin one right below the other.
const ROOM: usize = 1 << 20;

/// What the context held for the run outside of this one. How a tree has left is read right behind its call, so that the
/// next tree may write over it.
struct Entered {
    state: *mut State,
    slots_limit: *mut u64,
    native_limit: usize,
    regions: *mut u8,
}

impl Entered {
    /// # Safety
    /// The context is live; nothing else uses these fields meanwhile.
    unsafe fn begin(context: *mut Context, state: &mut State) -> Entered {
        let (slots_limit, native_limit, regions) = (state.slots_limit(), state.native_limit(), state.regions());
        // SAFETY: by the caller's promise.
        unsafe {
            let context = &raw mut *context;
            let outer = Entered {
                state: (*context).state,
                slots_limit: (*context).slots_limit,
                native_limit: (*context).native_limit,
                regions: (*context).regions,
            };
            (*context).state = state;
            (*context).slots_limit = slots_limit;
            (*context).native_limit = native_limit;
            (*context).regions = regions;
            outer
        }
    }

    /// # Safety
    /// As for [`Entered::begin`].
    unsafe fn end(self, context: *mut Context) {
        // SAFETY: by the caller's promise.
        unsafe {
            (*context).state = self.state;
            (*context).slots_limit = self.slots_limit;
            (*context).native_limit = self.native_limit;
            (*context).regions = self.regions;
        }
    }
}
