//! Sets `threaded` where opcodes may go on to one another by calls in tail position: wherever code is optimized, since
//! the stack would grow with every instruction if such a call were not turned into a jump.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(threaded)");
    println!("cargo::rerun-if-changed=build.rs");
    let optimized = std::env::var("OPT_LEVEL").is_ok_and(|level| level != "0");
    let known = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64" || arch == "aarch64");
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Instrumentation puts code behind calls.
    let instrumented = flags.contains("sanitizer") || flags.contains("instrument-coverage");
    if optimized && known && !instrumented {
        println!("cargo::rustc-cfg=threaded");
    }
}
