//! A process that ends while something is being compiled ends as it wants to.

use std::process::Command;
use std::time::Duration;

use scaly_backends::{Compiler, Level, Order, end_process};

const VARIABLE: &str = "SCALY_TEST_EXIT_AFTER";
/// Whether the process ends by the function that is made for it.
const PLAINLY: &str = "SCALY_TEST_EXIT_PLAINLY";

/// Long enough to be at work when the process ends.
fn module() -> String {
    let mut module = "define i64 @f(i64 %v0, ptr %p) {\n".to_string();
    for i in 1..3000 {
        module += &format!("  %v{i} = mul i64 %v{}, {}\n  store i64 %v{i}, ptr %p\n", i - 1, 2 * i + 1);
    }
    module + "  ret i64 %v2999\n}\n"
}

fn order() -> Order {
    Order { module: module(), entry: "f".into(), level: Level::Best, vector_bits: 0, texts: false }
}

#[test]
fn ends_in_the_middle() {
    if let Ok(after) = std::env::var(VARIABLE) {
        let compiler = Compiler::new().unwrap();
        let plainly = std::env::var_os(PLAINLY).is_some();
        if plainly {
            // While LLVM is loaded only the other way is safe.
            let small = Order { module: "define i32 @g() { ret i32 0 }".into(), entry: "g".into(), ..order() };
            compiler.make(small).unwrap();
        }
        let _pending = compiler.start(order());
        std::thread::sleep(Duration::from_millis(after.parse().unwrap()));
        if plainly {
            std::process::exit(3);
        }
        end_process(3);
    }
    for after in [0, 5, 15, 18, 20, 25, 30, 40, 60, 100, 150] {
        for plainly in [false, true] {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "ends_in_the_middle"]).env(VARIABLE, after.to_string());
            if plainly {
                command.env(PLAINLY, "1");
            }
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(3), "{after} ms, plainly: {plainly}: {output:?}");
        }
    }
}
