//! Without the library: a test binary of its own, because it sets the variable that names the file.

use scaly_backends::{Compiler, Error, Level, Order, VARIABLE};

#[test]
fn a_missing_library_is_an_error() {
    // SAFETY: no other thread of this process is there yet to read its environment.
    unsafe { std::env::set_var(VARIABLE, "/nowhere/libscaly_llvm.so") };
    let compiler = Compiler::new().unwrap();
    let order = || Order {
        module: "define i32 @f() { ret i32 0 }".into(),
        entry: "f".into(),
        level: Level::Quick,
        vector_bits: 0,
        texts: false,
    };
    assert!(matches!(compiler.make(order()).unwrap_err(), Error::Missing(_)));
    // A file that is no library, for a new compiler: an open one stays as it is.
    let file = std::env::temp_dir().join(format!("scaly-missing-{}", std::process::id()));
    std::fs::write(&file, "no library").unwrap();
    // SAFETY: the compiling thread waits for orders.
    unsafe { std::env::set_var(VARIABLE, &file) };
    assert!(matches!(Compiler::new().unwrap().make(order()).unwrap_err(), Error::Missing(_)));
    std::fs::remove_file(&file).unwrap();
}
