//! What routines of the library cost, in iterations of their loops.

mod common;

use common::{finish, scaly, statistics};

/// Iterations of the loops of library routines with this name, in a run of a program.
fn iterations(program: &str, routine: &str) -> u64 {
    let mut command = scaly();
    command.args(["--jit", "llvm=0", statistics::OPTION, "-e", program]);
    let mut outcome = finish(command, "").expect("a run");
    let statistics = statistics::take(&mut outcome.error).expect("statistics");
    let of = statistics.loops.iter().filter(|each| each.name.contains(&format!(".{routine} ")));
    of.map(|each| each.interpreted + each.native).sum()
}

/// However many keys a map holds, one that comes where another has gone costs a few iterations of a rebuild.
#[test]
fn keys_that_come_and_go_do_not_rebuild_a_map_all_the_time() {
    for kept in [10, 100, 511, 512, 1000, 1023, 1024, 1500] {
        let program = format!(
            "var m: HashMap[int, int]\nfor i in {kept}: m.set(i, i)\nfor i in 10000 {{\n    m.remove(i)\n    \
             m.set(i + {kept}, i)\n}}\nprintln(m.length())"
        );
        let made = iterations(&program, "rebuild");
        assert!(made > 0 && made < 80_000, "{kept} keys: {made} iterations for 10000 keys");
    }
}
