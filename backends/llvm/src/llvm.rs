//! What is asked of LLVM: read a module, run passes, make an object, link it.
//!
//! The object is made by a target machine of our own and only linked by LLJIT, so that its size and each step's time are
//! known. JITLink writes code through memory that is writable and not executable, and changes that before it hands out an
//! address (`tests/memory.rs` looks at the process's mappings).
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::{Once, OnceLock};
use std::time::Instant;

use llvm_sys::analysis::{LLVMVerifierFailureAction, LLVMVerifyModule};
use llvm_sys::core::*;
use llvm_sys::error::{LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};
use llvm_sys::error_handling::LLVMInstallFatalErrorHandler;
use llvm_sys::ir_reader::LLVMParseIRInContext;
use llvm_sys::object::*;
use llvm_sys::orc2::lljit::*;
use llvm_sys::orc2::*;
use llvm_sys::prelude::*;
use llvm_sys::support::LLVMParseCommandLineOptions;
use llvm_sys::target::{
    LLVM_InitializeNativeAsmPrinter, LLVM_InitializeNativeTarget, LLVMDisposeTargetData, LLVMSetModuleDataLayout,
};
use llvm_sys::target_machine::*;
use llvm_sys::transforms::pass_builder::*;

use crate::abi::{self, Answer, Request, Text};

type Result<T> = std::result::Result<T, String>;

/// Innermost loops begin with a line of the instruction cache, 2^6 bytes: one that lies across two takes longer, the
/// sieve of `bench/scaling.py` 1.13 times. No other interface of LLVM's sets this.
const LOOP_LINES: &CStr = c"-x86-experimental-pref-innermost-loop-alignment=6";

/// LLVM wants an option no more than once in a process.
static OPTIONS: Once = Once::new();

/// Where fatal errors go; the handler has no argument for it.
static FATAL: OnceLock<abi::Fatal> = OnceLock::new();

extern "C" fn fatal(message: *const c_char) {
    let message = if message.is_null() {
        "LLVM failed".into()
    } else {
        // SAFETY: LLVM gives a string that ends.
        unsafe { CStr::from_ptr(message) }.to_string_lossy()
    };
    match FATAL.get() {
        // SAFETY: the host's function, which does not return.
        Some(fatal) => unsafe { fatal(Text::of(&message)) },
        None => std::process::abort(),
    }
}

/// Takes a message of LLVM's.
///
/// # Safety
/// The message is LLVM's to dispose, or null.
unsafe fn taken(message: *mut c_char) -> String {
    if message.is_null() {
        return String::new();
    }
    // SAFETY: by the caller's promise.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeMessage(message);
        text
    }
}

fn check(error: LLVMErrorRef) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: an error is consumed once.
    unsafe {
        let message = LLVMGetErrorMessage(error);
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeErrorMessage(message);
        Err(text)
    }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| "a zero byte in a text".into())
}

/// A pointer of LLVM's that is disposed of.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: owned, and disposed of once.
            unsafe { (self.1)(self.0) }
        }
    }
}

/// One compiler, and all code that it made.
pub struct Session {
    jit: LLVMOrcLLJITRef,
    triple: CString,
    cpu: CString,
    features: CString,
    target: LLVMTargetRef,
}

/// Made code; frees it.
pub struct Code(LLVMOrcResourceTrackerRef);

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the tracker is owned; who frees has promised that nobody runs the code.
        unsafe {
            let _ = check(LLVMOrcResourceTrackerRemove(self.0));
            LLVMOrcReleaseResourceTracker(self.0);
        }
    }
}

pub struct Made {
    pub code: Code,
    pub before: String,
    pub after: String,
    pub assembly: String,
}

impl Session {
    pub fn new(symbols: &[(&str, usize)], fatal_error: abi::Fatal) -> Result<Session> {
        let _ = FATAL.set(fatal_error);
        // SAFETY: plain calls of LLVM's C interface, with what they ask for.
        unsafe {
            LLVMInstallFatalErrorHandler(Some(fatal));
            if LLVM_InitializeNativeTarget() != 0 || LLVM_InitializeNativeAsmPrinter() != 0 {
                return Err("LLVM does not know this machine".into());
            }
            if cfg!(target_arch = "x86_64") {
                let arguments = [c"scaly".as_ptr(), LOOP_LINES.as_ptr()];
                OPTIONS.call_once(|| LLVMParseCommandLineOptions(arguments.len() as i32, arguments.as_ptr(), null()));
            }
            let mut jit = null_mut();
            check(LLVMOrcCreateLLJIT(&mut jit, LLVMOrcCreateLLJITBuilder()))?;
            LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(jit), reported, null_mut());
            let text = |message: *mut c_char| c_string(&taken(message));
            let triple = CStr::from_ptr(LLVMOrcLLJITGetTripleString(jit)).to_owned();
            let (cpu, features) = (text(LLVMGetHostCPUName())?, text(LLVMGetHostCPUFeatures())?);
            let mut target = null_mut();
            let mut error = null_mut();
            if LLVMGetTargetFromTriple(triple.as_ptr(), &mut target, &mut error) != 0 {
                LLVMOrcDisposeLLJIT(jit);
                return Err(taken(error));
            }
            let session = Session { jit, triple, cpu, features, target };
            session.define(symbols)?;
            Ok(session)
        }
    }

    fn define(&self, symbols: &[(&str, usize)]) -> Result<()> {
        let mut pairs = Vec::new();
        for &(name, address) in symbols {
            let name = c_string(name)?;
            let flags = LLVMJITSymbolFlags {
                GenericFlags: LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsExported as u8,
                TargetFlags: 0,
            };
            // SAFETY: the session is open; the interned name goes to the definition.
            let name = unsafe { LLVMOrcLLJITMangleAndIntern(self.jit, name.as_ptr()) };
            pairs.push(LLVMOrcCSymbolMapPair {
                Name: name,
                Sym: LLVMJITEvaluatedSymbol { Address: address as u64, Flags: flags },
            });
        }
        // SAFETY: as above.
        unsafe {
            let unit = LLVMOrcAbsoluteSymbols(pairs.as_mut_ptr(), pairs.len());
            check(LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(self.jit), unit))
        }
    }

    fn machine(&self, level: u32) -> Result<Owned<LLVMOpaqueTargetMachine>> {
        let level = match level {
            0 => LLVMCodeGenOptLevel::LLVMCodeGenLevelNone,
            1 => LLVMCodeGenOptLevel::LLVMCodeGenLevelLess,
            2 => LLVMCodeGenOptLevel::LLVMCodeGenLevelDefault,
            _ => LLVMCodeGenOptLevel::LLVMCodeGenLevelAggressive,
        };
        // SAFETY: all texts end and live through the call.
        let machine = unsafe {
            LLVMCreateTargetMachine(
                self.target,
                self.triple.as_ptr(),
                self.cpu.as_ptr(),
                self.features.as_ptr(),
                level,
                LLVMRelocMode::LLVMRelocPIC,
                LLVMCodeModel::LLVMCodeModelSmall,
            )
        };
        if machine.is_null() {
            return Err("LLVM makes no code for this machine".into());
        }
        Ok(Owned(machine, LLVMDisposeTargetMachine))
    }

    /// Makes code of a module's text. Fills in the answer's address, size and times.
    pub fn compile(
        &self,
        module: &str,
        entry: &str,
        passes: &str,
        request: &Request,
        answer: &mut Answer,
    ) -> Result<Made> {
        let mut clock = Instant::now();
        let mut lap = || {
            let before = std::mem::replace(&mut clock, Instant::now());
            (clock - before).as_micros() as u64
        };
        let machine = self.machine(request.level)?;
        let told = RefCell::new(Told::default());
        // SAFETY: the context outlives what is made in it: the module is dropped first.
        let context = unsafe { Owned(LLVMContextCreate(), LLVMContextDispose) };
        // SAFETY: the handler is called only while the context lives, which `told` outlives.
        unsafe { LLVMContextSetDiagnosticHandler(context.0, Some(note), (&raw const told).cast_mut().cast()) };
        let module = self.parse(&context, module, &machine)?;
        self.attribute(&context, &module, request.vector_bits)?;
        answer.parse_us = lap();
        // SAFETY: the module is whole.
        let text = |on: bool| if on { unsafe { taken(LLVMPrintModuleToString(module.0)) } } else { String::new() };
        let texts = request.texts != 0;
        let before = text(texts);
        lap();
        run(&module, passes, &machine)?;
        answer.passes_us = lap();
        let after = text(texts);
        let assembly = if texts {
            // Code generation changes the module.
            // SAFETY: the module is whole.
            let copy = unsafe { Owned(LLVMCloneModule(module.0), LLVMDisposeModule) };
            let buffer = emit(&copy, &machine, LLVMCodeGenFileType::LLVMAssemblyFile)?;
            String::from_utf8_lossy(bytes(&buffer)).into_owned()
        } else {
            String::new()
        };
        lap();
        let object = emit(&module, &machine, LLVMCodeGenFileType::LLVMObjectFile)?;
        let Told { error, large_frames } = told.take();
        if !error.is_empty() {
            return Err(error);
        }
        answer.large_frames = u32::from(large_frames);
        answer.codegen_us = lap();
        answer.code_bytes = code_bytes(&object)?;
        lap();
        let (code, address) = self.link(object, entry)?;
        answer.link_us = lap();
        answer.address = address;
        Ok(Made { code, before, after, assembly })
    }

    fn parse(
        &self,
        context: &Owned<llvm_sys::LLVMContext>,
        text: &str,
        machine: &Owned<LLVMOpaqueTargetMachine>,
    ) -> Result<Owned<llvm_sys::LLVMModule>> {
        let text = c_string(text)?;
        let (mut module, mut error) = (null_mut(), null_mut());
        // SAFETY: the buffer is a copy, which the parser takes; it wants a zero behind the text, which a copy has.
        unsafe {
            let buffer =
                LLVMCreateMemoryBufferWithMemoryRangeCopy(text.as_ptr(), text.count_bytes(), c"region".as_ptr());
            if LLVMParseIRInContext(context.0, buffer, &mut module, &mut error) != 0 {
                return Err(taken(error));
            }
            let module = Owned(module, LLVMDisposeModule);
            LLVMSetTarget(module.0, self.triple.as_ptr());
            let layout = LLVMCreateTargetDataLayout(machine.0);
            LLVMSetModuleDataLayout(module.0, layout);
            LLVMDisposeTargetData(layout);
            let broken = LLVMVerifyModule(module.0, LLVMVerifierFailureAction::LLVMReturnStatusAction, &mut error);
            let message = taken(error);
            if broken != 0 { Err(message) } else { Ok(module) }
        }
    }

    /// Functions that have a body are for this machine.
    fn attribute(
        &self,
        context: &Owned<llvm_sys::LLVMContext>,
        module: &Owned<llvm_sys::LLVMModule>,
        vector_bits: u32,
    ) -> Result<()> {
        let width = c_string(&vector_bits.to_string())?;
        let mut attributes = vec![(c"target-cpu", self.cpu.as_c_str()), (c"target-features", self.features.as_c_str())];
        if vector_bits != 0 {
            attributes.push((c"prefer-vector-width", width.as_c_str()));
        }
        // SAFETY: the module and its functions live; texts are copied.
        unsafe {
            let mut function = LLVMGetFirstFunction(module.0);
            while !function.is_null() {
                if LLVMIsDeclaration(function) == 0 {
                    for (name, value) in &attributes {
                        let (name, value) = (name.to_bytes(), value.to_bytes());
                        let attribute = LLVMCreateStringAttribute(
                            context.0,
                            name.as_ptr().cast(),
                            name.len() as u32,
                            value.as_ptr().cast(),
                            value.len() as u32,
                        );
                        LLVMAddAttributeAtIndex(function, llvm_sys::LLVMAttributeFunctionIndex, attribute);
                    }
                }
                function = LLVMGetNextFunction(function);
            }
        }
        Ok(())
    }

    fn link(&self, object: Owned<llvm_sys::LLVMMemoryBuffer>, entry: &str) -> Result<(Code, usize)> {
        let name = c_string(entry)?;
        // SAFETY: the session is open. The object goes to the linker whatever comes of it.
        unsafe {
            let library = LLVMOrcLLJITGetMainJITDylib(self.jit);
            let code = Code(LLVMOrcJITDylibCreateResourceTracker(library));
            let buffer = object.0;
            std::mem::forget(object);
            check(LLVMOrcLLJITAddObjectFileWithRT(self.jit, code.0, buffer))?;
            let mut address = 0;
            REPORTED.take();
            let found = check(LLVMOrcLLJITLookup(self.jit, &mut address, name.as_ptr()));
            // What is found says only that there is nothing; why has been reported.
            found.map_err(|said| Some(REPORTED.take()).filter(|why| !why.is_empty()).unwrap_or(said))?;
            Ok((code, address as usize))
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: closed once; by the host's promise none of its code runs.
        let _ = check(unsafe { LLVMOrcDisposeLLJIT(self.jit) });
    }
}

thread_local! {
    /// What went wrong in a session; it works on the thread that asks.
    static REPORTED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What goes wrong in a session is answered, and not printed.
extern "C" fn reported(_: *mut c_void, error: LLVMErrorRef) {
    if let Err(why) = check(error) {
        REPORTED.with_borrow_mut(|first| {
            if first.is_empty() {
                *first = why
            }
        });
    }
}

/// What LLVM tells of a module.
#[derive(Default)]
struct Told {
    error: String,
    /// A function's frame is larger than its attribute `warn-stack-size`.
    large_frames: bool,
}

/// Notes what is told; without a handler LLVM would end the process at an error.
extern "C" fn note(info: LLVMDiagnosticInfoRef, told: *mut c_void) {
    const ERROR: u32 = llvm_sys::LLVMDiagnosticSeverity::LLVMDSError as u32;
    const WARNING: u32 = llvm_sys::LLVMDiagnosticSeverity::LLVMDSWarning as u32;
    // SAFETY: LLVM gives a live diagnostic, and the context the place for it, which nobody borrows meanwhile.
    unsafe {
        let told: &RefCell<Told> = &*told.cast();
        match LLVMGetDiagInfoSeverity(info) as u32 {
            ERROR => told.borrow_mut().error = taken(LLVMGetDiagInfoDescription(info)),
            // Of warnings the interface of C gives no kind; this is the only one that functions ask for.
            WARNING => {
                let large = taken(LLVMGetDiagInfoDescription(info)).contains("stack frame size");
                told.borrow_mut().large_frames |= large;
            }
            _ => {}
        }
    }
}

fn run(module: &Owned<llvm_sys::LLVMModule>, passes: &str, machine: &Owned<LLVMOpaqueTargetMachine>) -> Result<()> {
    if passes.is_empty() {
        return Ok(());
    }
    let passes = c_string(passes)?;
    // SAFETY: the module and the machine live.
    unsafe {
        let options = Owned(LLVMCreatePassBuilderOptions(), LLVMDisposePassBuilderOptions);
        LLVMPassBuilderOptionsSetLoopVectorization(options.0, 1);
        LLVMPassBuilderOptionsSetSLPVectorization(options.0, 1);
        LLVMPassBuilderOptionsSetLoopUnrolling(options.0, 1);
        LLVMPassBuilderOptionsSetLoopInterleaving(options.0, 1);
        check(LLVMRunPasses(module.0, passes.as_ptr(), machine.0, options.0))
    }
}

fn emit(
    module: &Owned<llvm_sys::LLVMModule>,
    machine: &Owned<LLVMOpaqueTargetMachine>,
    what: LLVMCodeGenFileType,
) -> Result<Owned<llvm_sys::LLVMMemoryBuffer>> {
    let (mut error, mut buffer) = (null_mut(), null_mut());
    // SAFETY: the module and the machine live.
    unsafe {
        if LLVMTargetMachineEmitToMemoryBuffer(machine.0, module.0, what, &mut error, &mut buffer) != 0 {
            return Err(taken(error));
        }
    }
    Ok(Owned(buffer, LLVMDisposeMemoryBuffer))
}

fn bytes(buffer: &Owned<llvm_sys::LLVMMemoryBuffer>) -> &[u8] {
    // SAFETY: the buffer lives as long as the result.
    unsafe { std::slice::from_raw_parts(LLVMGetBufferStart(buffer.0).cast(), LLVMGetBufferSize(buffer.0)) }
}

/// Bytes of machine code in an object.
fn code_bytes(object: &Owned<llvm_sys::LLVMMemoryBuffer>) -> Result<usize> {
    let mut error = null_mut();
    let mut total = 0;
    // SAFETY: the binary reads the buffer, which outlives it.
    unsafe {
        let binary = LLVMCreateBinary(object.0, null_mut(), &mut error);
        if binary.is_null() {
            return Err(taken(error));
        }
        let binary = Owned(binary, LLVMDisposeBinary);
        let section = Owned(LLVMObjectFileCopySectionIterator(binary.0), LLVMDisposeSectionIterator);
        while LLVMObjectFileIsSectionIteratorAtEnd(binary.0, section.0) == 0 {
            let name = LLVMGetSectionName(section.0);
            if !name.is_null() && CStr::from_ptr(name).to_bytes().starts_with(b".text") {
                total += LLVMGetSectionSize(section.0) as usize;
            }
            LLVMMoveToNextSection(section.0);
        }
    }
    Ok(total)
}
