use super::*;

/// `mov eax, value; ret`
fn constant(value: u32) -> Vec<u8> {
    let [a, b, c, d] = value.to_le_bytes();
    vec![0xb8, a, b, c, d, 0xc3]
}

fn call(address: usize) -> u32 {
    // SAFETY: the tests call what they wrote there, functions of no arguments.
    unsafe { std::mem::transmute::<usize, extern "C" fn() -> u32>(address)() }
}

#[test]
fn writes_and_runs_functions() {
    let mut memory = CodeMemory::new(1 << 20).unwrap();
    let blocks: Vec<Block> = (0..100).map(|_| memory.reserve(6).unwrap()).collect();
    for (value, block) in blocks.iter().enumerate() {
        memory.write(block.address(), &constant(value as u32));
    }
    for (value, block) in blocks.iter().enumerate() {
        assert_eq!(call(block.address()), value as u32);
        assert_eq!(memory.read(block.address(), 6), constant(value as u32));
    }
    assert_eq!(memory.used(), 100 * GRAIN);
}

#[test]
fn fills_up_and_reuses() {
    let mut memory = CodeMemory::new(4 * COMMIT_STEP).unwrap();
    let mut blocks = Vec::new();
    let full = loop {
        match memory.reserve(1000) {
            Ok(block) => blocks.push(block),
            Err(error) => break error,
        }
    };
    let (limit, each) = (4 * COMMIT_STEP, 1000usize.next_multiple_of(GRAIN));
    assert_eq!(blocks.len(), limit / each);
    assert!(
        matches!(full, Error::NoRoom { wanted: 1000, used, limit: l } if l == limit && used == blocks.len() * each)
    );

    // Neighbours are joined, so that one block of twice the size fits where two were.
    let (second, first) = (blocks.remove(11), blocks.remove(10));
    let (at, behind) = (first.address(), second.address());
    memory.free(second);
    memory.free(first);
    assert!(behind > at);
    assert_eq!(memory.reserve(2 * each).unwrap().address(), at);

    for block in blocks {
        memory.free(block);
    }
    assert_eq!(memory.used(), 2 * each);
    assert!(memory.reserve(limit).is_err());
}

#[test]
fn what_is_freed_traps() {
    let mut memory = CodeMemory::new(1).unwrap();
    assert_eq!(memory.limit(), PAGE);
    let block = memory.reserve(PAGE).unwrap();
    memory.write(block.address(), &constant(1));
    let address = block.address();
    memory.free(block);
    assert_eq!(memory.read(address, PAGE), [TRAP; PAGE]);
}

#[test]
fn reads_and_writes_at_any_address() {
    let mut memory = CodeMemory::new(PAGE).unwrap();
    let block = memory.reserve(64).unwrap();
    let all: Vec<u8> = (0..64).collect();
    memory.write(block.address(), &all);
    for from in 0..64 {
        for to in from..=64 {
            assert_eq!(memory.read(block.address() + from, to - from), all[from..to]);
            memory.write(block.address() + from, &all[from..to]);
        }
    }
    assert_eq!(memory.read(block.address(), 64), all);
}

#[test]
#[should_panic(expected = "not in the code memory")]
fn refuses_to_write_elsewhere() {
    let mut memory = CodeMemory::new(COMMIT_STEP).unwrap();
    let block = memory.reserve(COMMIT_STEP).unwrap();
    memory.write(block.range().end - 3, &[0; 4]);
}

#[test]
#[should_panic(expected = "no single store")]
fn refuses_to_patch_what_is_not_aligned() {
    let mut memory = CodeMemory::new(PAGE).unwrap();
    let block = memory.reserve(16).unwrap();
    memory.patch_rel32(block.address() + 1, block.address());
}

/// A line of `/proc/self/maps`.
#[derive(Debug)]
struct Mapping {
    start: usize,
    permissions: String,
    /// Shared by all mappings of the same memory.
    inode: u64,
    name: String,
}

fn mappings() -> Vec<Mapping> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mapping = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        Mapping {
            start: usize::from_str_radix(fields[0].split('-').next().unwrap(), 16).unwrap(),
            permissions: fields[1].to_owned(),
            inode: fields[4].parse().unwrap(),
            name: fields[5..].join(" "),
        }
    };
    maps.lines().map(mapping).collect()
}

#[test]
fn nothing_is_writable_and_executable_and_a_drop_unmaps() {
    let mut memory = CodeMemory::new(1 << 20).unwrap();
    let start = memory.range().start;
    let inode = mappings().iter().find(|mapping| mapping.start == start).unwrap().inode;
    let views =
        || mappings().into_iter().filter(|mapping| mapping.inode == inode && mapping.name.starts_with("/dev/zero"));
    let check = || {
        let mut seen: Vec<String> = views().map(|view| view.permissions).collect();
        seen.sort();
        assert_eq!(seen, ["r-xs", "rw-s"]);
        for Mapping { permissions, .. } in mappings() {
            assert!(!(permissions.contains('w') && permissions.contains('x')), "{permissions}");
        }
    };
    check();
    let block = memory.reserve(6).unwrap();
    check();
    memory.write(block.address(), &constant(7));
    check();
    call(block.address());
    memory.free(block);
    check();
    drop(memory);
    assert_eq!(views().count(), 0);
}

#[test]
fn a_refusal_names_its_step() {
    for step in [Step::MapExecutable, Step::MapWritable] {
        let error = CodeMemory::with_refusal(1 << 20, Some(step)).unwrap_err();
        assert!(matches!(error, Error::Refused { step: at, .. } if at == step), "{error}");
    }
    let mut memory = CodeMemory::with_refusal(1 << 20, Some(Step::Commit)).unwrap();
    for _ in 0..2 {
        let error = memory.reserve(16).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no code memory, the system refuses committing memory: Operation not permitted (os error 1)"
        );
        assert_eq!(memory.used(), 0);
    }
}

/// A process of its own, because limits are of the whole process; the variable says that this is it.
#[test]
fn a_poor_process_gets_an_error() {
    const POOR: &str = "SCALY_TEST_POOR";
    if std::env::var_os(POOR).is_none() {
        let name = "memory::tests::a_poor_process_gets_an_error";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", name]).env(POOR, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let restrict = |resource, bytes| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: both calls are given a local.
        unsafe {
            assert_eq!(libc::getrlimit(resource, &mut limit), 0);
            limit.rlim_cur = bytes;
            assert_eq!(libc::setrlimit(resource, &limit), 0);
        }
    };
    let refused = |limit| match CodeMemory::new(limit) {
        Err(Error::Refused { step, .. }) => step,
        other => panic!("{other:?}"),
    };
    restrict(libc::RLIMIT_AS, 1 << 30);
    assert_eq!(refused(1 << 30), Step::MapExecutable);
    assert_eq!(refused(600 << 20), Step::MapWritable);
    let mut memory = CodeMemory::new(64 << 20).unwrap();
    assert!(memory.reserve(64 << 20).is_ok());

    // What hardened services are: nothing becomes executable that was not from the start. Kernels before 6.3 know it not.
    const SET_MDWE: libc::c_int = 65;
    // SAFETY: concerns only what this process may map from now on.
    unsafe { libc::prctl(SET_MDWE, 1, 0, 0, 0) };
    let mut memory = CodeMemory::new(64 << 20).unwrap();
    let block = memory.reserve(6).unwrap();
    memory.write(block.address(), &constant(3));
    assert_eq!(call(block.address()), 3);
}

mod threads {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    const CALLERS: usize = 2;
    const CALLS: usize = 500_000;

    /// A function that jumps, and the address of the jump's field.
    fn jump(memory: &mut CodeMemory, target: usize) -> (usize, usize) {
        let block = memory.reserve(8).unwrap();
        // `nop dword [rax]; jmp $`: the field is on a multiple of 4.
        memory.write(block.address(), &[0x0f, 0x1f, 0x00, 0xe9, 0xfb, 0xff, 0xff, 0xff]);
        let field = block.address() + 4;
        memory.patch_rel32(field, target);
        (block.address(), field)
    }

    fn function(memory: &mut CodeMemory, value: u32) -> usize {
        let block = memory.reserve(6).unwrap();
        memory.write(block.address(), &constant(value));
        block.address()
    }

    #[test]
    fn jumps_are_patched_under_their_callers() {
        let mut memory = CodeMemory::new(1 << 20).unwrap();
        // So far apart that their distances differ in three bytes: half a field leads to neither.
        let near = function(&mut memory, 1);
        let _between = memory.reserve(0x2_3450).unwrap();
        let targets = [near, function(&mut memory, 2)];
        let (entry, field) = jump(&mut memory, targets[0]);
        let (start, done) = (Barrier::new(CALLERS + 1), AtomicUsize::new(0));
        let seen = thread::scope(|scope| {
            let caller = || {
                start.wait();
                let (mut seen, mut calls) = ([0usize; 2], 0);
                let late = Instant::now() + Duration::from_secs(60);
                // Where there is one core for all the patcher may come late: then more calls than asked for.
                while calls < CALLS || (seen.contains(&0) && Instant::now() < late) {
                    match call(entry) {
                        1 => seen[0] += 1,
                        2 => seen[1] += 1,
                        other => panic!("{other}"),
                    }
                    calls += 1;
                }
                done.fetch_add(1, Ordering::Relaxed);
                seen
            };
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(caller)).collect();
            start.wait();
            for turn in 1.. {
                memory.patch_rel32(field, targets[turn % 2]);
                if done.load(Ordering::Relaxed) == CALLERS {
                    break;
                }
            }
            callers.into_iter().map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
        });
        for [first, second] in seen {
            assert!(first > 0 && second > 0, "{first} {second}");
            assert!(first + second >= CALLS);
        }
    }

    #[test]
    fn code_written_just_before_the_patch_is_what_runs() {
        const VERSIONS: u32 = 20_000;
        // Two more: the first, and the jump.
        let mut memory = CodeMemory::new(((VERSIONS as usize + 2) * GRAIN).next_multiple_of(COMMIT_STEP)).unwrap();
        let first = function(&mut memory, 0);
        let (entry, field) = jump(&mut memory, first);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let caller = || {
                let mut last = 0;
                while !stop.load(Ordering::Acquire) {
                    let value = call(entry);
                    assert!(last <= value && value <= VERSIONS, "{value} after {last}");
                    last = value;
                }
                assert_eq!(call(entry), VERSIONS);
            };
            for _ in 0..CALLERS {
                scope.spawn(caller);
            }
            for version in 1..=VERSIONS {
                let target = function(&mut memory, version);
                memory.patch_rel32(field, target);
            }
            stop.store(true, Ordering::Release);
        });
    }
}

mod model {
    use proptest::prelude::*;

    use super::super::blocks::{Blocks, GRAIN};

    const GRAINS: usize = 64;

    /// What the free parts must be, by a look at every grain.
    fn holes(taken: &[bool; GRAINS]) -> Vec<std::ops::Range<usize>> {
        let mut holes: Vec<std::ops::Range<usize>> = Vec::new();
        for at in (0..GRAINS).filter(|&at| !taken[at]) {
            let (start, end) = (at * GRAIN, (at + 1) * GRAIN);
            match holes.last_mut() {
                Some(hole) if hole.end == start => hole.end = end,
                _ => holes.push(start..end),
            }
        }
        holes
    }

    proptest! {
        #[test]
        fn blocks_agree_with_a_table_of_grains(steps in prop::collection::vec((any::<bool>(), 0usize..300), 0..200)) {
            let mut blocks = Blocks::new(GRAINS * GRAIN);
            let (mut taken, mut live) = ([false; GRAINS], Vec::new());
            for (free, number) in steps {
                if free && !live.is_empty() {
                    let block: std::ops::Range<usize> = live.swap_remove(number % live.len());
                    taken[block.start / GRAIN..block.end / GRAIN].fill(false);
                    blocks.free(block);
                } else {
                    let bytes = number.max(1).next_multiple_of(GRAIN);
                    let fits = holes(&taken).into_iter().filter(|hole| hole.len() >= bytes);
                    let best = fits.min_by_key(|hole| (hole.len(), hole.start));
                    let block = blocks.reserve(number);
                    prop_assert_eq!(&block, &best.map(|hole| hole.start..hole.start + bytes));
                    if let Some(block) = block {
                        taken[block.start / GRAIN..block.end / GRAIN].fill(true);
                        live.push(block);
                    }
                }
                prop_assert_eq!(blocks.holes(), holes(&taken));
                prop_assert_eq!(blocks.used(), taken.iter().filter(|&&t| t).count() * GRAIN);
            }
        }
    }
}
