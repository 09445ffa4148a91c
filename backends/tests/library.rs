//! The library as such: code memory, freeing, texts, and what happens without it.

mod common;

use std::time::Duration;

use common::*;
use scaly_backends::{Compiler, Error, Level, Order, Uncompiled};

const ENDLESS: &str = "chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @4 (0)
block0 chain0 @1 (v0: i64 = 0):
  v1: i64 = const 1 @1
  v2: i64 = const 100000 @1
  jump block1(v0) @1
block1 chain0 @1 cycle0 (v3: i64 = 0):
  v4: i64 = add v3, v1 @1
  v5: bool = lt_s v4, v2 @1
  branch v5, block1(v4), block2() @1
block2 chain0 @4 ():
  exit exit0 (v4) @1
";

fn order(module: &str) -> Order {
    let module = module.to_string();
    Order { module, entry: "f".into(), level: Level::Passes(""), vector_bits: 0, texts: false }
}

#[test]
fn no_memory_is_writable_and_executable() {
    let compiler = compiler(Level::Quick);
    let natives: Vec<_> = (0..20).map(|_| compile(&compiler, ENDLESS)).collect();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let bad: Vec<_> = maps.lines().filter(|l| l.split(' ').nth(1).is_some_and(|p| p.starts_with("rwx"))).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let protection = |address: usize| {
        let holds = |line: &&str| {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let number = |hex| usize::from_str_radix(hex, 16).unwrap();
            (number(from)..number(to)).contains(&address)
        };
        maps.lines().find(holds).and_then(|l| l.split(' ').nth(1)).map(str::to_string)
    };
    for native in &natives {
        assert_eq!(protection(native.code().address).as_deref(), Some("r-xp"));
    }
}

#[test]
fn freed_code_is_gone_and_the_rest_runs() {
    let compiler = compiler(Level::Quick);
    let kept = compile(&compiler, ENDLESS);
    for _ in 0..50 {
        drop(compile(&compiler, ENDLESS));
    }
    with_frame(|state, at| {
        frame(at)[0] = 5;
        enter(&kept, state, at, 4);
        assert_eq!(frame(at)[0], 100_000);
    });
}

#[test]
fn texts_and_costs() {
    let mut compiler = compiler(Level::Quick);
    compiler.texts = true;
    let native = compile(&compiler, ENDLESS);
    let code = native.code();
    assert!(code.before.contains("define i32 @region_0(ptr %run, ptr %frame)"), "{}", code.before);
    assert!(code.before.contains("\"target-cpu\"="), "{}", code.before);
    assert!(code.after.contains("define i32 @region_0"), "{}", code.after);
    assert!(code.assembly.contains("region_0:"), "{}", code.assembly);
    let costs = native.costs();
    assert!(costs.code_bytes > 0 && costs.code_bytes < 1000, "{costs:?}");
    assert!(costs.codegen_us > 0, "{costs:?}");
}

#[test]
fn loops_begin_with_a_line() {
    let mut compiler = compiler(Level::Quick);
    compiler.texts = true;
    // Of the sum, passes know where it ends.
    let native = compile(&compiler, &ENDLESS.replace("const 1 ", "const 3 ").replace("add v3", "mul v3"));
    let assembly = &native.code().assembly;
    assert!(assembly.contains(".p2align\t6"), "{assembly}");
}

/// What a background promotion does: the order is given, and asked for until it is there.
#[test]
fn code_comes_later() {
    let compiler = compiler(Level::Quick);
    let program = program();
    let addresses = scaly_backends::lower::Addresses::default();
    let context = scaly_backends::lower::Context {
        program: &program,
        addresses: &addresses,
        waits: &[false],
        parameters: scaly_tracer::parameters::Parameters::default(),
        profile: &scaly_tracer::manager::Profile::default(),
    };
    let mut building = compiler.begin(&region(ENDLESS), context).unwrap();
    let native = loop {
        match building.poll() {
            Some(made) => break made.unwrap(),
            None => std::thread::yield_now(),
        }
    };
    // The code outlives the compiler.
    drop(compiler);
    with_frame(|state, at| {
        frame(at)[0] = 0;
        enter(&native, state, at, 4);
        assert_eq!(frame(at)[0], 100_000);
    });
}

#[test]
fn a_wrong_module_is_an_error() {
    let compiler = Compiler::new().unwrap();
    let wrong = compiler.make(order("define i32 @f() { ret i64 0 }")).unwrap_err();
    assert!(matches!(&wrong, Error::Refused(why) if why.contains("i64")), "{wrong}");
    let unknown = compiler.make(order("declare void @g()\ndefine void @f() { call void @g() ret void }")).unwrap_err();
    assert!(matches!(&unknown, Error::Refused(_)), "{unknown}");
    let passes = Order { level: Level::Passes("frobnicate"), ..order("define i32 @f() { ret i32 0 }") };
    assert!(matches!(compiler.make(passes).unwrap_err(), Error::Refused(why) if why.contains("frobnicate")));
    // It is none the worse for it.
    assert!(compiler.make(order("define i32 @f() { ret i32 0 }")).is_ok());
}

#[test]
fn each_answer_is_told_when_it_is_there() {
    let (told, answers) = std::sync::mpsc::channel();
    let compiler = Compiler::telling(move || told.send(()).unwrap_or(())).unwrap();
    compiler.load();
    for module in ["define i32 @f() { ret i32 0 }", "define i32 @f() { ret i64 0 }"] {
        let pending = compiler.start(order(module));
        answers.recv_timeout(Duration::from_secs(60)).expect("an answer");
        assert!(pending.poll().is_some());
    }
    drop(compiler);
    assert!(answers.recv().is_err(), "loading is no answer");
}

/// What would end the process leaves the compiler dead, and says so from then on.
#[test]
fn a_fatal_error_ends_the_compiler_only() {
    let compiler = Compiler::new().unwrap();
    let module = "declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n\
        define i32 @f() { %a = call i32 @llvm.nvvm.read.ptx.sreg.tid.x() ret i32 %a }";
    let died = compiler.make(order(module)).unwrap_err();
    assert!(matches!(&died, Error::Died(why) if why.contains("annot select")), "{died}");
    assert!(matches!(compiler.make(order("define i32 @f() { ret i32 0 }")).unwrap_err(), Error::Died(_)));
    // Another one works.
    assert!(Compiler::new().unwrap().make(order("define i32 @f() { ret i32 0 }")).is_ok());
}

#[test]
fn a_region_that_keeps_nothing_is_refused() {
    let text = ENDLESS
        .replace("  v4: i64 = add", "  v6: bool = lt_s v3, v2 @1\n  guard v6 IndexOutOfRange @1\n  v4: i64 = add");
    let text = text.replace("v6", "v9").replace("v5", "v6").replace("v4", "v5").replace("v9", "v4");
    let program = program();
    let addresses = scaly_backends::lower::Addresses::default();
    let context = scaly_backends::lower::Context {
        program: &program,
        addresses: &addresses,
        waits: &[false],
        parameters: scaly_tracer::parameters::Parameters::default(),
        profile: &scaly_tracer::manager::Profile::default(),
    };
    let refused = Compiler::new().unwrap().compile(&region(&text), context).unwrap_err();
    assert!(matches!(refused, Uncompiled::Lowering(_)), "{refused}");
}
