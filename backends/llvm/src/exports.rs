//! The functions that the host looks up. None of them unwinds.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::abi::{self, Answer, Request, Setup, Text};
use crate::exit;
use crate::llvm::{Code, Session};

/// Text that the host releases.
fn given(text: String) -> Text {
    let text = Box::leak(text.into_boxed_str());
    Text { start: text.as_ptr(), bytes: text.len() }
}

/// # Safety
/// The text is live and UTF-8.
unsafe fn read<'a>(text: Text) -> &'a str {
    if text.bytes == 0 {
        return "";
    }
    // SAFETY: by the caller's promise.
    unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(text.start, text.bytes)) }
}

#[unsafe(no_mangle)]
pub extern "C" fn scaly_llvm_version() -> u32 {
    abi::VERSION
}

/// # Safety
/// The setup and its texts are live; what its symbols name lives as long as the session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scaly_llvm_open(setup: *const Setup, error: *mut Text) -> *mut c_void {
    let _inside = exit::enter();
    let made = catch_unwind(|| {
        // SAFETY: by the caller's promise.
        let symbols: Vec<(&str, usize)> = unsafe {
            let symbols = std::slice::from_raw_parts((*setup).symbols, (*setup).symbol_count);
            symbols.iter().map(|s| (read(s.name), s.address)).collect()
        };
        // SAFETY: as above.
        Session::new(&symbols, unsafe { (*setup).fatal })
    });
    match made.unwrap_or_else(|_| Err("a panic in the LLVM library".into())) {
        Ok(session) => Box::into_raw(Box::new(session)).cast(),
        Err(message) => {
            // SAFETY: by the caller's promise.
            unsafe { error.write(given(message)) };
            std::ptr::null_mut()
        }
    }
}

/// # Safety
/// The session is open; the request and its texts are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scaly_llvm_compile(session: *mut c_void, request: *const Request, answer: *mut Answer) {
    let _inside = exit::enter();
    let mut filled = Answer::NOTHING;
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: by the caller's promise.
        let (session, request) = unsafe { (&*session.cast::<Session>(), &*request) };
        // SAFETY: as above.
        let texts = unsafe { (read(request.module), read(request.entry), read(request.passes)) };
        session.compile(texts.0, texts.1, texts.2, request, &mut filled)
    }));
    match result.unwrap_or_else(|_| Err("a panic in the LLVM library".into())) {
        Ok(made) => {
            filled.handle = Box::into_raw(Box::new(made.code)).cast();
            filled.before = given(made.before);
            filled.after = given(made.after);
            filled.assembly = given(made.assembly);
        }
        Err(message) => {
            filled.address = 0;
            filled.error = given(message);
        }
    }
    // SAFETY: by the caller's promise.
    unsafe { answer.write(filled) };
}

/// # Safety
/// The handle is an answer's, of this session, and was not freed; nobody runs its code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scaly_llvm_free(_session: *mut c_void, handle: *mut c_void) {
    let _inside = exit::enter();
    if !handle.is_null() {
        // SAFETY: by the caller's promise.
        let _ = catch_unwind(|| drop(unsafe { Box::from_raw(handle.cast::<Code>()) }));
    }
}

/// # Safety
/// The text came from this library and was not released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scaly_llvm_release(text: Text) {
    if text.bytes != 0 {
        // SAFETY: by the caller's promise it was leaked by `given`.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(text.start.cast_mut(), text.bytes)) });
    }
}

/// # Safety
/// The session is open; no code of it runs, nor is a handle of it used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scaly_llvm_close(session: *mut c_void) {
    let _inside = exit::enter();
    // SAFETY: by the caller's promise.
    let _ = catch_unwind(|| drop(unsafe { Box::from_raw(session.cast::<Session>()) }));
}
