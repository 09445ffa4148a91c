//! LLVM is loaded without an order: a test binary of its own, because other tests load it.

use std::time::{Duration, Instant};

use scaly_backends::{Compiler, Level, Order};

fn loaded() -> bool {
    std::fs::read_to_string("/proc/self/maps").unwrap().contains("libscaly_llvm")
}

#[test]
fn llvm_is_there_before_the_first_order() {
    let compiler = Compiler::new().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert!(!loaded(), "nobody asked for it");
    compiler.load();
    let end = Instant::now() + Duration::from_secs(60);
    while !loaded() {
        assert!(Instant::now() < end, "it is not loaded");
        std::thread::sleep(Duration::from_millis(1));
    }
    let order = Order {
        module: "define i32 @f() { ret i32 0 }".into(),
        entry: "f".into(),
        level: Level::Quick,
        vector_bits: 0,
        texts: false,
    };
    assert!(compiler.make(order).is_ok());
}
