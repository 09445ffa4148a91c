use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::memory::CodeMemory;

/// A directory of the test's own, gone at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("scaly-observers-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name.replace("PID", &std::process::id().to_string()))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const LINES: [Line<'static>; 3] = [
    Line { offset: 0, file: "/tmp/loop.scaly", line: 12 },
    Line { offset: 1, file: "/tmp/lib.scaly", line: 300 },
    Line { offset: 2, file: "/tmp/loop.scaly", line: 9 },
];

/// `nop; int3; ret`
const STOPS: [u8; 3] = [0x90, 0xcc, 0xc3];

/// In a process of its own under a debugger.
#[test]
fn gdb_sees_names_and_lines() {
    const DEBUGGED: &str = "SCALY_TEST_DEBUGGED";
    if std::env::var_os(DEBUGGED).is_some() {
        let mut memory = CodeMemory::new(4096).unwrap();
        let block = memory.reserve(STOPS.len()).unwrap();
        memory.write(block.address(), &STOPS);
        let (mut observers, errors) = Observers::open(&Options { gdb: true, ..Options::default() });
        assert!(errors.is_empty());
        let code = Code { address: block.address() as u64, bytes: &STOPS, name: "scaly:trace7", lines: &LINES };
        observers.add(&code);
        // SAFETY: a function of no arguments.
        unsafe { std::mem::transmute::<usize, extern "C" fn()>(block.address())() };
        return;
    }
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", "run", "-ex", "info symbol $pc", "-ex", "info line *$pc", "-ex", "backtrace"]);
    gdb.arg("--args").arg(std::env::current_exe().unwrap());
    gdb.args(["--exact", "observers::tests::gdb_sees_names_and_lines"]).env(DEBUGGED, "1");
    let Ok(output) = gdb.output() else {
        eprintln!("skipped: there is no gdb");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("scaly:trace7 + 2 in section .text"), "{text}");
    assert!(text.contains("Line 9 of \"/tmp/loop.scaly\""), "{text}");
    assert!(text.contains("#0  scaly:trace7 () at /tmp/loop.scaly:9"), "{text}");
}

/// In a process of its own under a profiler.
#[test]
fn perf_sees_names_and_lines() {
    const PROFILED: &str = "SCALY_TEST_PROFILED";
    // `mov eax, 300000000; dec eax; jnz; ret`
    const SPINS: [u8; 10] = [0xb8, 0x00, 0xa3, 0xe1, 0x11, 0xff, 0xc8, 0x75, 0xfc, 0xc3];
    if let Some(directory) = std::env::var_os(PROFILED) {
        let mut memory = CodeMemory::new(4096).unwrap();
        let block = memory.reserve(SPINS.len()).unwrap();
        memory.write(block.address(), &SPINS);
        let (perf_map, jitdump) = (Some(PERF_MAP_DIRECTORY.into()), Some(directory.into()));
        let (mut observers, errors) = Observers::open(&Options { perf_map, jitdump, gdb: false });
        assert!(errors.is_empty(), "{errors:?}");
        let lines = [Line { offset: 0, ..LINES[0] }, Line { offset: 5, ..LINES[1] }];
        observers.add(&Code { address: block.address() as u64, bytes: &SPINS, name: "scaly:trace7", lines: &lines });
        // SAFETY: a function of no arguments.
        unsafe { std::mem::transmute::<usize, extern "C" fn()>(block.address())() };
        return;
    }
}
