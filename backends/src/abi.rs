//! What crosses between the command and the shared library that links LLVM. Compiled into both.
//!
//! Strings and plain structs only: the two may have been built by different compilers. [`VERSION`] changes with anything
//! in this file.

use std::ffi::c_void;

/// Of this interface; the library answers it from [`VERSION_SYMBOL`].
pub const VERSION: u32 = 2;

pub const VERSION_SYMBOL: &[u8] = b"scaly_llvm_version\0";
pub const OPEN_SYMBOL: &[u8] = b"scaly_llvm_open\0";
pub const COMPILE_SYMBOL: &[u8] = b"scaly_llvm_compile\0";
pub const FREE_SYMBOL: &[u8] = b"scaly_llvm_free\0";
pub const RELEASE_SYMBOL: &[u8] = b"scaly_llvm_release\0";
pub const CLOSE_SYMBOL: &[u8] = b"scaly_llvm_close\0";

/// Bytes of UTF-8 that somebody else owns.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Text {
    pub start: *const u8,
    pub bytes: usize,
}

impl Text {
    pub const NONE: Text = Text { start: std::ptr::null(), bytes: 0 };

    pub fn of(text: &str) -> Text {
        Text { start: text.as_ptr(), bytes: text.len() }
    }
}

/// A name that code may call, and where it leads.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Symbol {
    pub name: Text,
    pub address: usize,
}

/// Told of an error after which LLVM cannot be used any more; it must not return.
pub type Fatal = unsafe extern "C" fn(message: Text) -> !;

/// What the host gives when it opens the library.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Setup {
    pub symbols: *const Symbol,
    pub symbol_count: usize,
    pub fatal: Fatal,
}

/// A module to make code of.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Request {
    /// LLVM's own text form, without target and attributes of functions.
    pub module: Text,
    /// The function whose address is asked for.
    pub entry: Text,
    /// A pipeline as `opt -passes` spells it.
    pub passes: Text,
    /// Vectors are made this wide at most, if that is not 0.
    pub vector_bits: u32,
    /// 0 to 3, of instruction selection and register allocation.
    pub level: u32,
    /// 1 to give the module before and after the passes, and the assembly, as texts.
    pub texts: u32,
}

/// What came of a request. Texts belong to the library until they are released.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Answer {
    /// Of the entry; 0 if there is an error.
    pub address: usize,
    /// By which the code is freed.
    pub handle: *mut c_void,
    /// Of machine code.
    pub code_bytes: usize,
    /// 1 if the native frames of a function are larger than its attribute `warn-stack-size` says.
    pub large_frames: u32,
    /// Microseconds.
    pub parse_us: u64,
    pub passes_us: u64,
    pub codegen_us: u64,
    pub link_us: u64,
    /// Why there is no code.
    pub error: Text,
    pub before: Text,
    pub after: Text,
    pub assembly: Text,
}

impl Answer {
    pub const NOTHING: Answer = Answer {
        address: 0,
        handle: std::ptr::null_mut(),
        code_bytes: 0,
        large_frames: 0,
        parse_us: 0,
        passes_us: 0,
        codegen_us: 0,
        link_us: 0,
        error: Text::NONE,
        before: Text::NONE,
        after: Text::NONE,
        assembly: Text::NONE,
    };
}

pub type Version = unsafe extern "C" fn() -> u32;
/// Null if there is an error, which is then in `error`.
pub type Open = unsafe extern "C" fn(setup: *const Setup, error: *mut Text) -> *mut c_void;
pub type Compile = unsafe extern "C" fn(session: *mut c_void, request: *const Request, answer: *mut Answer);
/// No thread is in the code, nor comes there any more.
pub type Free = unsafe extern "C" fn(session: *mut c_void, handle: *mut c_void);
pub type Release = unsafe extern "C" fn(text: Text);
/// Frees all code too.
pub type Close = unsafe extern "C" fn(session: *mut c_void);
