//! When back edges and calls are counted, and what is found of what gets hot.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Finished, Options, State, Windows, World, run_with_late_tier, run_with_tier};
use scaly_interp::program::{FunctionId, LoopId};
use scaly_interp::tier::{Goes, NativeCall, Position, Tier};

/// Notes which counters came to their end, and lets the interpreter go on.
#[derive(Default)]
struct Asked {
    loops: RefCell<Vec<LoopId>>,
    functions: RefCell<Vec<FunctionId>>,
    /// For the first time.
    when: Cell<Option<Instant>>,
}

impl Tier for Asked {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        state.set_loop_counter(id, u32::MAX);
        self.loops.borrow_mut().push(id);
        self.when.set(self.when.get().or(Some(Instant::now())));
        Goes::On(at)
    }

    fn hot_function(&self, state: &mut State, id: FunctionId, at: Position) -> Goes {
        state.set_function_counter(id, u32::MAX);
        self.functions.borrow_mut().push(id);
        Goes::On(at)
    }

    fn finish_call(&self, _: &mut State, call: NativeCall) -> bool {
        panic!("{call:?} has been finished")
    }
}

/// Three loops one behind another; a call in the last.
fn listing(trips: [u32; 3]) -> String {
    let mut text = String::from("main start\nfunction start(params 0, results 1, frame 40)\n");
    for i in 0..3 {
        text += &format!("  loop counted s4..6 @top{i}..@out{i}\n");
    }
    for (i, trips) in trips.iter().enumerate() {
        let call = if i == 2 { "  Call s20, f\n" } else { "" };
        text += &format!(
            "  Const s6, {trips}
  Const s4, 0
  ForPrepS s4..6, s6 -> @out{i}
top{i}:
{call}  ForLoop s4..6, loop{i} -> @top{i}
out{i}:
"
        );
    }
    text + "  Nop
  Const s0, 0
  Return1 s0
function f(params 0, results 1, frame 4)
  Const s0, 7
  Return1 s0
"
}

/// The functions are `start` and `f`.
const F: FunctionId = FunctionId(1);

fn run(trips: [u32; 3], prepare: impl FnOnce(&mut State)) -> (Finished, Rc<Asked>) {
    let program = Arc::new(parse(&listing(trips)).unwrap_or_else(|error| panic!("{error}")));
    let asked = Rc::new(Asked::default());
    let tier = asked.clone();
    let finished = run_with_tier(program, World::standard(Vec::new()), Options::default(), move |state| {
        prepare(state);
        tier
    });
    let finished = finished.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(finished.ended, Ended::Status(0));
    (finished, asked)
}

fn windows(warmup: Duration) -> Windows {
    Windows { warmup, window: Duration::from_millis(1), rest: 3 }
}

#[test]
fn everything_is_counted_by_default() {
    let (finished, asked) = run([5, 100, 1000], |_| {});
    assert_eq!((finished.loops, finished.calls[1]), (vec![4, 99, 999], 1000));
    assert_eq!(*asked.loops.borrow(), [LoopId(1), LoopId(2)]);
    assert_eq!(*asked.functions.borrow(), [F]);
}

#[test]
fn nothing_is_counted_where_it_is_switched_off() {
    let (finished, asked) = run([5, 100, 1000], |state| {
        state.set_loop_counter(LoopId(0), 1);
        state.set_function_counter(F, 1);
        state.count_never();
    });
    assert_eq!((finished.loops, finished.calls), (vec![0; 3], vec![0; 2]));
    assert!(asked.loops.borrow().is_empty() && asked.functions.borrow().is_empty());
}

/// Back edges that take more than the time of a window, and some tenths of a second at most.
const LONG: u32 = 100_000_000;

/// Counting rests as it does where nothing is hot.
#[test]
fn nobody_is_asked_in_the_warm_up() {
    let hour = Duration::from_secs(3600);
    let (finished, asked) = run([LONG, 1000, 1000], |state| state.count_in_windows(windows(hour)));
    let counted = finished.loops[0];
    assert!(counted > 56, "there was no window");
    assert!(counted < u64::from(LONG) / 4 * 3, "there was no rest: {counted} back edges of {LONG} were counted");
    assert!(asked.loops.borrow().is_empty() && asked.functions.borrow().is_empty());
}

#[test]
fn the_tier_is_asked_when_the_warm_up_is_over() {
    let start = Instant::now();
    let warmup = Duration::from_millis(20);
    let (finished, asked) = run([LONG, 1000, 1000], |state| state.count_in_windows(windows(warmup)));
    assert_eq!(*asked.loops.borrow(), [LoopId(0), LoopId(1), LoopId(2)]);
    let first = asked.when.get().expect("it was asked") - start;
    assert!(first >= warmup && first < 10 * warmup, "{first:?}");
    assert_eq!((finished.loops[1..].to_vec(), finished.calls[1]), (vec![999; 2], 1000));
}

/// The first loop is never hot: counting rests within it. The second one is found nevertheless, and from then on
/// everything is counted.
#[test]
fn what_gets_hot_after_a_long_quiet_time_is_found() {
    let (finished, asked) = run([LONG, LONG, 1000], |state| {
        state.set_loop_counter(LoopId(0), u32::MAX);
        state.count_in_windows(windows(Duration::from_millis(10)));
    });
    assert_eq!(*asked.loops.borrow(), [LoopId(1), LoopId(2)]);
    assert_eq!(*asked.functions.borrow(), [F]);
    let [quiet, found, last] = finished.loops[..] else { panic!("three loops") };
    assert!(quiet > 0, "there was no window");
    assert!(quiet < u64::from(LONG) / 4 * 3, "there was no rest: {quiet} back edges of {LONG} were counted");
    assert!(found > 56 && found < u64::from(LONG), "{found}");
    assert_eq!((last, finished.calls[1]), (999, 1000));
}

#[test]
fn windows_end_where_everything_is_to_be_counted() {
    let hour = Duration::from_secs(3600);
    let (finished, asked) = run([5, 100, 1000], |state| {
        // That would not ask the tier.
        state.count_in_windows(windows(hour));
        state.count_always();
    });
    assert_eq!(finished.loops, vec![4, 99, 999]);
    assert_eq!(*asked.loops.borrow(), [LoopId(1), LoopId(2)]);
}

/// The same with a tier that is made late; none if it was not.
fn run_late(trips: [u32; 3], prepare: impl FnOnce(&mut State)) -> (Finished, Option<Rc<Asked>>) {
    let program = Arc::new(parse(&listing(trips)).unwrap_or_else(|error| panic!("{error}")));
    let made = Rc::new(RefCell::new(Vec::new()));
    let making = made.clone();
    let make = move || -> Rc<dyn Tier> {
        let asked = Rc::new(Asked::default());
        making.borrow_mut().push(asked.clone());
        asked
    };
    let world = World::standard(Vec::new());
    let finished = run_with_late_tier(program, world, Options::default(), prepare, Box::new(make));
    let finished = finished.unwrap_or_else(|error| panic!("{error}"));
    let mut made = made.take();
    assert!(made.len() <= 1, "it is made once");
    (finished, made.pop())
}

#[test]
fn a_late_tier_is_made_by_the_first_that_is_hot() {
    let (finished, asked) = run_late([5, 100, 1000], |_| {});
    let asked = asked.expect("it was made");
    assert_eq!(finished.loops, [4, 99, 999]);
    assert_eq!(*asked.loops.borrow(), [LoopId(1), LoopId(2)]);
    assert_eq!(*asked.functions.borrow(), [F]);
}

#[test]
fn a_late_tier_is_not_made_where_nothing_is_hot_nor_in_the_warm_up() {
    assert!(run_late([5, 6, 7], |_| {}).1.is_none());
    let hour = Duration::from_secs(3600);
    assert!(run_late([100, 1000, 1000], |state| state.count_behind(hour)).1.is_none());
}

#[test]
fn everything_is_counted_before_the_warm_up_is_over() {
    let start = Instant::now();
    let warmup = Duration::from_millis(20);
    let (finished, asked) = run([LONG, 1000, 1000], |state| state.count_behind(warmup));
    assert_eq!((finished.loops, finished.calls[1]), (vec![u64::from(LONG) - 1, 999, 999], 1000));
    assert_eq!(*asked.loops.borrow(), [LoopId(0), LoopId(1), LoopId(2)]);
    assert!(asked.when.get().expect("it was asked") - start >= warmup);
}
