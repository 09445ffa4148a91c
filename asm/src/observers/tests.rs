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

    /// The map of the process whose jitdump is here.
    fn profiled_map(&self) -> PathBuf {
        let names = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let pids = names.filter_map(|name| Some(name.strip_prefix("jit-")?.strip_suffix(".dump")?.to_owned()));
        Path::new(PERF_MAP_DIRECTORY).join(format!("perf-{}.map", pids.last().unwrap()))
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

/// The values of a file in the order of this machine's bytes, one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }

    fn u16(&mut self) -> u16 {
        u16::from_ne_bytes(self.bytes(2).try_into().unwrap())
    }

    fn u32(&mut self) -> u32 {
        u32::from_ne_bytes(self.bytes(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_ne_bytes(self.bytes(8).try_into().unwrap())
    }

    /// Up to a zero, which is skipped.
    fn text(&mut self) -> &'a str {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap();
        let text = std::str::from_utf8(self.bytes(end)).unwrap();
        self.bytes(1);
        text
    }
}

const FIRST: Code<'static> = Code { address: 0x7000_0000_1000, bytes: &STOPS, name: "scaly:trace7", lines: &LINES };
const SECOND: Code<'static> = Code { address: 0x7000_0000_1010, bytes: &[0xc3], name: "two\nlines", lines: &[] };

#[test]
fn perf_map_has_a_line_for_each() {
    let directory = Directory::new("map");
    let options = Options { perf_map: Some(directory.0.clone()), ..Options::default() };
    let (mut observers, errors) = Observers::open(&options);
    assert!(errors.is_empty() && observers.any());
    assert!(observers.add(&FIRST).is_empty());
    assert!(observers.add(&SECOND).is_empty());
    observers.remove(FIRST.address);
    let text = std::fs::read_to_string(directory.file("perf-PID.map")).unwrap();
    assert_eq!(text, "700000001000 3 scaly:trace7\n700000001010 1 two lines\n");
}

#[test]
fn jitdump_reads_back() {
    let directory = Directory::new("dump");
    let options = Options { jitdump: Some(directory.0.clone()), ..Options::default() };
    let path = directory.file("jit-PID.dump");
    let (mut observers, errors) = Observers::open(&options);
    assert!(errors.is_empty() && observers.any());
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let marker = maps.lines().find(|line| line.ends_with(path.to_str().unwrap())).unwrap();
    assert!(marker.contains(" r-xp "), "{marker}");
    observers.add(&FIRST);
    observers.add(&SECOND);
    drop(observers);

    let file = std::fs::read(path).unwrap();
    let mut file = Reader(&file);
    assert_eq!([file.u32(), file.u32(), file.u32(), file.u32()], [0x4a69_5444, 1, 40, u32::from(elf::MACHINE)]);
    assert_eq!([file.u32(), file.u32()], [0, std::process::id()]);
    let mut time = file.u64();
    assert_eq!(file.u64(), 0);

    let mut record = |kind: u32| {
        assert_eq!(file.u32(), kind);
        let size = file.u32();
        let before = std::mem::replace(&mut time, file.u64());
        assert!(before <= time);
        Reader(file.bytes(size as usize - 16))
    };
    let mut lines = record(2);
    assert_eq!([lines.u64(), lines.u64()], [FIRST.address, 4]);
    for line in [LINES[0], LINES[1], LINES[2], Line { offset: STOPS.len(), ..LINES[2] }] {
        assert_eq!(lines.u64(), FIRST.address + line.offset as u64);
        assert_eq!([lines.u32(), lines.u32()], [line.line, 0]);
        assert_eq!(lines.text(), line.file);
    }
    assert!(lines.0.is_empty());
    for (index, (code, name)) in [(FIRST, "scaly:trace7"), (SECOND, "two lines")].into_iter().enumerate() {
        let mut load = record(0);
        assert_eq!(load.u32(), std::process::id());
        assert_ne!(load.u32(), 0);
        assert_eq!([load.u64(), load.u64()], [code.address; 2]);
        assert_eq!([load.u64(), load.u64()], [code.bytes.len() as u64, index as u64]);
        assert_eq!(load.text(), name);
        assert_eq!(load.0, code.bytes);
    }
    assert!(record(3).0.is_empty());
    assert!(file.0.is_empty());
}

#[test]
fn what_cannot_be_written_is_said_once() {
    let nowhere = Some(PathBuf::from("/nowhere"));
    let (mut observers, errors) =
        Observers::open(&Options { perf_map: nowhere.clone(), jitdump: nowhere, ..Options::default() });
    let paths: Vec<_> = errors.iter().map(|error| error.path.parent().unwrap()).collect();
    assert_eq!(paths, [Path::new("/nowhere"); 2]);
    assert!(errors[0].to_string().ends_with(".map is not written: No such file or directory (os error 2)"));
    assert!(!observers.any());
    assert!(observers.add(&FIRST).is_empty());

    // A device that is always full stands for a file that no longer takes anything.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    observers.perf_map = Some(PerfMap::of("/dev/full".into(), full));
    let errors = observers.add(&FIRST);
    assert_eq!(errors[0].source.raw_os_error(), Some(libc::ENOSPC));
    assert!(!observers.any() && observers.add(&FIRST).is_empty());
}

#[test]
fn a_link_is_not_followed() {
    let directory = Directory::new("link");
    let victim = directory.file("victim");
    std::fs::write(&victim, "kept").unwrap();
    std::os::unix::fs::symlink(&victim, directory.file("perf-PID.map")).unwrap();
    let (_, errors) = Observers::open(&Options { perf_map: Some(directory.0.clone()), ..Options::default() });
    assert_eq!(errors[0].source.raw_os_error(), Some(libc::ELOOP));
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "kept");
}

/// Tests run beside each other and share GDB's list, so this one looks for what is its own.
#[test]
fn gdb_lists_what_lives() {
    let named = |name: &str| {
        let images = gdb::images();
        images
            .into_iter()
            .filter(|image| image.windows(name.len()).any(|part| part == name.as_bytes()))
            .collect::<Vec<_>>()
    };
    let (mut observers, _) = Observers::open(&Options { gdb: true, ..Options::default() });
    let codes = [1u64, 2, 3].map(|n| Code { address: n << 12, name: "scaly:listed", ..FIRST });
    codes.iter().for_each(|code| drop(observers.add(code)));
    assert_eq!(named("scaly:listed").len(), 3);
    observers.remove(2 << 12);
    observers.remove(99);
    assert_eq!(named("scaly:listed").len(), 2);
    observers.add(&Code { name: "scaly:replaced", ..codes[0] });
    assert_eq!([named("scaly:listed").len(), named("scaly:replaced").len()], [1, 1]);
    check_image(&named("scaly:replaced")[0], 1 << 12);
    drop(observers);
    assert!(named("scaly:listed").is_empty() && named("scaly:replaced").is_empty());
}

/// The sections are where the file says, and the symbol is the code's.
fn check_image(image: &[u8], address: u64) {
    let mut header = Reader(image);
    assert_eq!(header.bytes(6), [0x7f, b'E', b'L', b'F', 2, 1]);
    header.bytes(10);
    assert_eq!([header.u16(), header.u16()], [2, elf::MACHINE]);
    header.bytes(4 + 16);
    let sections_at = header.u64() as usize;
    header.bytes(4 + 2 + 2 + 2);
    let (size, count, names) = (header.u16() as usize, header.u16() as usize, header.u16() as usize);
    let section = |number: usize| {
        let mut section = Reader(&image[sections_at + number * size..]);
        let (name, kind) = (section.u32() as usize, section.u32());
        section.u64();
        let (at, offset, bytes) = (section.u64(), section.u64() as usize, section.u64() as usize);
        (name, kind, at, if kind == 8 { &[][..] } else { &image[offset..offset + bytes] })
    };
    let names = section(names).3;
    let all: Vec<&str> = (0..count).map(|number| Reader(&names[section(number).0..]).text()).collect();
    let debug = [".debug_abbrev", ".debug_info", ".debug_line"];
    assert_eq!(all, [&["", ".text", ".symtab", ".strtab"][..], &debug, &[".shstrtab"]].concat());
    assert_eq!(section(1).2, address);
    let mut symbol = Reader(&section(2).3[24..]);
    assert_eq!(Reader(&section(3).3[symbol.u32() as usize..]).text(), "scaly:replaced");
    assert_eq!((symbol.u16(), symbol.u16()), (0x12, 1));
    assert_eq!([symbol.u64(), symbol.u64()], [address, 3]);
}

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
    let works = Command::new("gdb").args(["-nx", "-batch", "-ex", "run", "true"]).output();
    if !works.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("exited normally")) {
        eprintln!("skipped: there is no gdb, or it may not debug");
        return;
    }
    let output = gdb.output().unwrap();
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
    let directory = Directory::new("perf");
    let perf = |arguments: &[&str]| Command::new("perf").args(arguments).current_dir(&directory.0).output();
    let test = std::env::current_exe().unwrap();
    let mut record = Command::new("perf");
    record.args(["record", "-k", "1", "-e", "cpu-clock:u", "-o", "perf.data"]).arg(test);
    record.args(["--exact", "observers::tests::perf_sees_names_and_lines"]);
    record.current_dir(&directory.0).env(PROFILED, &directory.0);
    let works = perf(&["record", "-k", "1", "-e", "cpu-clock:u", "-o", "perf.data", "true"]);
    if !works.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no perf, or it may not record");
        return;
    }
    assert!(record.output().unwrap().status.success());
    let report = |data| {
        let report = perf(&["report", "--stdio", "-s", "dso,sym,srcline", "-i", data]).unwrap();
        String::from_utf8_lossy(&report.stdout).into_owned()
    };
    let by_map = report("perf.data");
    assert!(by_map.contains("scaly:trace7"), "{by_map}");
    let _ = std::fs::remove_file(directory.profiled_map());

    assert!(perf(&["inject", "--jit", "-i", "perf.data", "-o", "jit.data"]).unwrap().status.success());
    let by_dump = report("jit.data");
    for part in ["jitted-", "scaly:trace7", "lib.scaly:300"] {
        assert!(by_dump.contains(part), "{by_dump}");
    }
}
