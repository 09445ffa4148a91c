//! The thread that compiles. It opens the library when the first order comes, or before if that is to be expected.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use scaly_runtime::os;
use scaly_tracer::region::Region;

use crate::host;
use crate::library::{Code, Error, Handle, Library, WORK};
use crate::lower::{self, Context, Interface, Lowered, Refusal};
use crate::native::Native;

/// How much work goes into code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Level {
    /// No passes at all, for tests: what is lowered is what runs.
    None,
    /// A few passes that matter for loops.
    #[default]
    Quick,
    /// LLVM's own third level.
    Best,
    /// A pipeline as `opt -passes` spells it.
    Passes(&'static str),
}

macro_rules! quick {
    ($switches:literal) => {
        concat!(
            "function(early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,",
            "loop-mssa(loop-rotate,licm<allowspeculation>),loop(indvars),gvn,correlated-propagation,",
            "instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm<allowspeculation>),",
            $switches,
            "loop-vectorize,slp-vectorizer,instcombine<no-verify-fixpoint>,loop-unroll,",
            "early-cse,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm<allowspeculation>))"
        )
    };
}
/// The passes that are behind the vector code of a hot loop, in a third of the time of the third level. `instcombine` by
/// itself would end the process where it does not come to rest at once. `correlated-propagation` makes divisions of what is
/// small narrow ones, which come in vectors: the mean of nine bytes of a picture takes a fifth. The vectorizer knows no
/// switches, which `simplifycfg` makes of two comparisons already.
const QUICK: &str = quick!("lower-switch,");
/// The same, where a jump goes many ways: that loop is not vectorized anyway, and its switch becomes a table.
const MANY_WAYS: &str = quick!("");

impl Level {
    pub fn passes(self) -> &'static str {
        match self {
            Level::None => "",
            Level::Quick => QUICK,
            Level::Best => "default<O3>",
            Level::Passes(passes) => passes,
        }
    }

    pub fn codegen(self) -> u32 {
        match self {
            Level::None => 0,
            Level::Quick | Level::Passes(_) => 2,
            Level::Best => 3,
        }
    }
}

/// A module to compile.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    pub module: String,
    /// The function asked for.
    pub entry: String,
    pub level: Level,
    /// Widest vectors; 0 leaves it to LLVM.
    pub vector_bits: u32,
    /// Whether the module and the assembly are wanted as texts.
    pub texts: bool,
}

pub type Answered = Result<Code, Error>;

pub enum Message {
    /// With where the answer goes, and where the code says that it is not needed any more.
    Compile(Box<Order>, Sender<Answered>, Sender<Message>),
    /// An order is to be expected.
    Load,
    Free(Handle),
}

/// Why a region has no code.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Uncompiled {
    #[error(transparent)]
    Lowering(#[from] Refusal),
    #[error(transparent)]
    Llvm(#[from] Error),
}

/// An order that was given.
#[derive(Debug)]
pub struct Pending {
    answer: Receiver<Answered>,
    dead: Arc<AtomicBool>,
}

impl Pending {
    /// The code, once it is there.
    pub fn poll(&self) -> Option<Answered> {
        match self.answer.try_recv() {
            Ok(answered) => Some(answered),
            Err(TryRecvError::Empty) if !self.dead.load(Ordering::SeqCst) => None,
            Err(_) => Some(Err(gone())),
        }
    }

    /// Waits for it.
    pub fn wait(&self) -> Answered {
        loop {
            match self.answer.recv_timeout(Duration::from_millis(50)) {
                Ok(answered) => return answered,
                Err(RecvTimeoutError::Timeout) if !self.dead.load(Ordering::SeqCst) => {}
                Err(_) => return Err(gone()),
            }
        }
    }
}

fn gone() -> Error {
    Error::Died("an earlier compilation".into())
}

/// A region that is being compiled.
#[derive(Debug)]
pub struct Building {
    pending: Pending,
    interface: Interface,
    lines: usize,
    lowering_us: u64,
}

impl Building {
    /// The code, once it is there; asked for until then only.
    pub fn poll(&mut self) -> Option<Result<Native, Error>> {
        let answered = self.pending.poll()?;
        Some(answered.map(|code| self.native(code)))
    }

    /// Waits for it.
    pub fn wait(mut self) -> Result<Native, Error> {
        let code = self.pending.wait()?;
        Ok(self.native(code))
    }

    fn native(&mut self, mut code: Code) -> Native {
        (code.costs.lines, code.costs.lowering_us) = (self.lines, self.lowering_us);
        Native::new(code, self.interface.clone())
    }
}

/// One compiling thread. It ends when this and all code that it made are gone.
#[derive(Debug)]
pub struct Compiler {
    messages: Sender<Message>,
    dead: Arc<AtomicBool>,
    /// Held while LLVM is being loaded: the process must not end then. True: it may end, and nothing is loaded any more.
    opening: Arc<Mutex<bool>>,
    names: AtomicU64,
    pub level: Level,
    pub vector_bits: u32,
    pub texts: bool,
}

impl Compiler {
    /// Starts the thread. LLVM is not looked for before the first order.
    pub fn new() -> std::io::Result<Compiler> {
        Compiler::telling(|| ())
    }

    /// The same; the thread calls this whenever it has answered an order.
    pub fn telling(answered: impl Fn() + Send + 'static) -> std::io::Result<Compiler> {
        let (messages, orders) = channel();
        let dead = Arc::new(AtomicBool::new(false));
        let flag = dead.clone();
        let opening = Arc::new(Mutex::new(false));
        let own = opening.clone();
        std::thread::Builder::new()
            .name("scaly-llvm".into())
            .stack_size(STACK)
            .spawn(move || work(orders, flag, own, answered))?;
        Ok(Compiler {
            messages,
            dead,
            opening,
            names: AtomicU64::new(0),
            level: Level::Quick,
            vector_bits: 0,
            texts: false,
        })
    }

    /// Has LLVM loaded, so that the next order need not wait for that.
    pub fn load(&self) {
        self.loader()()
    }

    /// The same, for another thread to ask for.
    pub fn loader(&self) -> impl FnOnce() + Send + use<> {
        let messages = self.messages.clone();
        move || {
            let _ = messages.send(Message::Load);
        }
    }

    /// Gives an order.
    pub fn start(&self, order: Order) -> Pending {
        let (sender, answer) = channel();
        // A thread that is gone drops the sender, which is an answer too.
        let _ = self.messages.send(Message::Compile(Box::new(order), sender, self.messages.clone()));
        Pending { answer, dead: self.dead.clone() }
    }

    /// Compiles a module and waits for it.
    pub fn make(&self, order: Order) -> Answered {
        self.start(order).wait()
    }

    /// Lowers and compiles a region that keeps what the interpreter needs, and waits for it.
    pub fn compile(&self, region: &Region, context: Context<'_>) -> Result<Native, Uncompiled> {
        Ok(self.begin(region, context)?.wait()?)
    }

    /// Lowers such a region here, with the functions that it calls, and has it compiled by the thread. The region is of a
    /// loop, to be entered at its header, or of a function, to be entered at its first instruction.
    pub fn begin(&self, region: &Region, context: Context<'_>) -> Result<Building, Refusal> {
        let start = Instant::now();
        let name = format!("region_{}", self.names.fetch_add(1, Ordering::Relaxed));
        let lowered = lower::lower(region, context, &name)?;
        Ok(self.submit(lowered, start.elapsed().as_micros() as u64))
    }

    /// Has what was lowered, under a name of its own, compiled by the thread. `lowering_us`: what that took.
    pub fn submit(&self, lowered: Lowered, lowering_us: u64) -> Building {
        let order = Order {
            module: lowered.module,
            entry: lowered.name,
            level: match self.level {
                Level::Quick if lowered.many_ways => Level::Passes(MANY_WAYS),
                level => level,
            },
            vector_bits: self.vector_bits,
            texts: self.texts,
        };
        Building { pending: self.start(order), interface: lowered.interface, lines: lowered.lines, lowering_us }
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // Once it is open the library sees to it that the process may end at any time.
        *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

fn open(opening: &Mutex<bool>) -> Result<Library, Error> {
    let ends = opening.lock().unwrap_or_else(PoisonError::into_inner);
    if *ends {
        return Err(Error::Missing("the program ends".into()));
    }
    let symbols = host::symbols();
    let symbols: Vec<_> = symbols.iter().map(|(name, address)| (&name[..], *address)).collect();
    Library::open(&symbols)
}

/// Bytes of address space that following paths and compiling may take: LLVM ends the process where it gets none.
const NEEDED: usize = 384 << 20;

/// Whether there is enough of it left.
pub fn has_room() -> bool {
    os::has_address_space(NEEDED)
}

/// LLVM recurses.
const STACK: usize = 8 << 20;

fn work(orders: Receiver<Message>, dead: Arc<AtomicBool>, opening: Arc<Mutex<bool>>, answered: impl Fn()) {
    let mut library: Option<Result<Library, Error>> = None;
    for message in orders {
        match message {
            Message::Compile(order, answer, free) => {
                WORK.with_borrow_mut(|work| {
                    work.answer = Some(answer.clone());
                    work.dead = Some(dead.clone());
                });
                let answer_given = if has_room() {
                    match library.get_or_insert_with(|| open(&opening)) {
                        Ok(library) => library.compile(&order, free),
                        Err(error) => Err(error.clone()),
                    }
                } else {
                    Err(Error::Refused("there is too little address space".into()))
                };
                WORK.with_borrow_mut(|work| work.answer = None);
                // Nobody waits any more: the code is freed by the message that its drop sends.
                let _ = answer.send(answer_given);
                answered();
            }
            Message::Load if !has_room() => {}
            Message::Load => {
                WORK.with_borrow_mut(|work| work.dead = Some(dead.clone()));
                let _ = library.get_or_insert_with(|| open(&opening));
            }
            Message::Free(handle) => {
                if let Some(Ok(library)) = &library {
                    library.free(handle);
                }
            }
        }
    }
}
