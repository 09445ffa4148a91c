//! The shared library that links LLVM, opened by name.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::c_void;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use crate::abi::{self, Answer, Request, Setup, Symbol, Text};
use crate::compiler::{Answered, Message, Order};

/// Names the library's file, for tests and for installations of another shape.
pub const VARIABLE: &str = "SCALY_LLVM";
const FILE: &str = "libscaly_llvm.so";

/// Why there is no code. The program runs on without.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such library, or none of LLVM's.
    #[error("LLVM is not to be had: {0}")]
    Missing(String),
    #[error("the LLVM library is of version {found}, not {}", abi::VERSION)]
    Version { found: u32 },
    /// It was opened and could not begin.
    #[error("LLVM does not start: {0}")]
    Start(String),
    /// LLVM refused a module.
    #[error("LLVM refuses: {0}")]
    Refused(String),
    /// LLVM failed for good.
    #[error("LLVM has failed: {0}")]
    Died(String),
}

/// What making code has cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Costs {
    /// Bytes of machine code.
    pub code_bytes: usize,
    /// Of LLVM's text.
    pub lines: usize,
    /// Microseconds, from the region to that text.
    pub lowering_us: u64,
    /// Microseconds of LLVM's steps.
    pub parse_us: u64,
    pub passes_us: u64,
    pub codegen_us: u64,
    pub link_us: u64,
}

/// Machine code; it is freed with this.
#[derive(Debug)]
pub struct Code {
    pub address: usize,
    pub costs: Costs,
    /// A function's native frames are larger than it was written to have them.
    pub large_frames: bool,
    /// The module before and after the passes, and the assembly, where they were asked for.
    pub before: String,
    pub after: String,
    pub assembly: String,
    handle: Handle,
    free: Sender<Message>,
}

impl Drop for Code {
    fn drop(&mut self) {
        // Without the thread the code is gone already, or stays for good.
        let _ = self.free.send(Message::Free(self.handle));
    }
}

/// The library's name for code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle(*mut c_void);

// SAFETY: a name; only the compiling thread hands it to the library.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// The open library and its session. Belongs to the thread that compiles.
pub struct Library {
    session: *mut c_void,
    compile: abi::Compile,
    free: abi::Free,
    release: abi::Release,
    close: abi::Close,
}

/// Where the library may lie.
fn places() -> Vec<PathBuf> {
    if let Some(file) = std::env::var_os(VARIABLE) {
        return vec![file.into()];
    }
    let Some(folder) = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_path_buf())) else {
        return Vec::new();
    };
    vec![folder.join(FILE), folder.join("../lib/scaly").join(FILE)]
}

fn open_file() -> Result<libloading::Library, Error> {
    let places = places();
    let mut said = format!("no {FILE} beside the program");
    for place in places.iter().filter(|place| place.exists()) {
        // SAFETY: the file is ours by its name; its initializers are those of LLVM.
        match unsafe { libloading::Library::new(place) } {
            Ok(library) => return Ok(library),
            Err(error) => said = error.to_string(),
        }
    }
    Err(Error::Missing(said))
}

impl Library {
    /// Opens the library, for code that calls these names.
    pub fn open(symbols: &[(&str, usize)]) -> Result<Library, Error> {
        let library = open_file()?;
        let missing = |error: libloading::Error| Error::Missing(error.to_string());
        // SAFETY: the types are those of the version that is checked first; the session is used as the interface says.
        unsafe {
            let version = library.get::<abi::Version>(abi::VERSION_SYMBOL).map_err(missing)?();
            if version != abi::VERSION {
                return Err(Error::Version { found: version });
            }
            let open = *library.get::<abi::Open>(abi::OPEN_SYMBOL).map_err(missing)?;
            let compile = *library.get::<abi::Compile>(abi::COMPILE_SYMBOL).map_err(missing)?;
            let free = *library.get::<abi::Free>(abi::FREE_SYMBOL).map_err(missing)?;
            let release = *library.get::<abi::Release>(abi::RELEASE_SYMBOL).map_err(missing)?;
            let close = *library.get::<abi::Close>(abi::CLOSE_SYMBOL).map_err(missing)?;
            let symbols: Vec<Symbol> =
                symbols.iter().map(|&(name, address)| Symbol { name: Text::of(name), address }).collect();
            let setup = Setup { symbols: symbols.as_ptr(), symbol_count: symbols.len(), fatal };
            let mut error = Text::NONE;
            let session = open(&setup, &mut error);
            if session.is_null() {
                return Err(Error::Start(take(error, release)));
            }
            // It stays open: LLVM has threads' variables and handlers in the process.
            std::mem::forget(library);
            Ok(Library { session, compile, free, release, close })
        }
    }

    pub fn compile(&self, order: &Order, free: Sender<Message>) -> Result<Code, Error> {
        let request = Request {
            module: Text::of(&order.module),
            entry: Text::of(&order.entry),
            passes: Text::of(order.level.passes()),
            vector_bits: order.vector_bits,
            level: order.level.codegen(),
            texts: u32::from(order.texts),
        };
        let mut answer = Answer::NOTHING;
        // SAFETY: the session is open, the request's texts live through the call; each text is taken once.
        unsafe {
            (self.compile)(self.session, &request, &mut answer);
            if answer.address == 0 {
                return Err(Error::Refused(take(answer.error, self.release)));
            }
            let costs = Costs {
                code_bytes: answer.code_bytes,
                lines: 0,
                lowering_us: 0,
                parse_us: answer.parse_us,
                passes_us: answer.passes_us,
                codegen_us: answer.codegen_us,
                link_us: answer.link_us,
            };
            Ok(Code {
                address: answer.address,
                costs,
                large_frames: answer.large_frames != 0,
                before: take(answer.before, self.release),
                after: take(answer.after, self.release),
                assembly: take(answer.assembly, self.release),
                handle: Handle(answer.handle),
                free,
            })
        }
    }

    pub fn free(&self, handle: Handle) {
        // SAFETY: sent once, by the code's drop.
        unsafe { (self.free)(self.session, handle.0) }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: all code has been freed: each holds a sender of the thread's messages, which end before this is dropped.
        unsafe { (self.close)(self.session) }
    }
}

/// # Safety
/// The text is the library's, and not released yet.
unsafe fn take(text: Text, release: abi::Release) -> String {
    if text.bytes == 0 {
        return String::new();
    }
    // SAFETY: by the caller's promise.
    unsafe {
        let bytes = std::slice::from_raw_parts(text.start, text.bytes);
        let copy = String::from_utf8_lossy(bytes).into_owned();
        release(text);
        copy
    }
}

/// What the compiling thread works on, for when LLVM fails.
#[derive(Default)]
pub struct Work {
    pub answer: Option<Sender<Answered>>,
    pub dead: Option<Arc<AtomicBool>>,
}

thread_local! {
    pub static WORK: RefCell<Work> = RefCell::default();
}

/// LLVM ends the process when its handler of fatal errors returns: the thread stays here.
unsafe extern "C" fn fatal(message: Text) -> ! {
    WORK.with(|work| {
        if let Ok(mut work) = work.try_borrow_mut() {
            if let Some(dead) = &work.dead {
                dead.store(true, Ordering::SeqCst);
            }
            if let Some(answer) = work.answer.take() {
                // SAFETY: the library's text lives through the call.
                let bytes = unsafe { std::slice::from_raw_parts(message.start, message.bytes) };
                let _ = answer.send(Err(Error::Died(String::from_utf8_lossy(bytes).into_owned())));
            }
        }
    });
    loop {
        std::thread::park();
    }
}
