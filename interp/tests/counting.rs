//! When back edges and calls are counted, and what is found of what gets hot.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Finished, Options, State, World, run_with_late_tier, run_with_tier};
use scaly_interp::program::{FunctionId, LoopId};
use scaly_interp::tier::{Goes, NativeCall, Position, Tier};

/// Notes which counters came to their end, and lets the interpreter go on.
#[derive(Default)]
struct Asked {
    loops: RefCell<Vec<LoopId>>,
    functions: RefCell<Vec<FunctionId>>,
    /// For the first time.
    when: Cell<Option<Instant>>,
    /// That the loop asked about last had made.
    trips: Cell<u64>,
}

impl Tier for Asked {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        // SAFETY: the counter of its loops is in this slot.
        self.trips.set(unsafe { *at.base().add(4) });
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
    run_listing(&listing(trips), prepare)
}

fn run_listing(listing: &str, prepare: impl FnOnce(&mut State)) -> (Finished, Rc<Asked>) {
    let program = Arc::new(parse(listing).unwrap_or_else(|error| panic!("{error}")));
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

/// Back edges that take some milliseconds at least, and some tenths of a second at most.
const LONG: u32 = 10_000_000;
const HOUR: Duration = Duration::from_secs(3600);

/// Whether a count is right by a twentieth.
fn is_about(found: u64, right: u64) -> bool {
    found.abs_diff(right) <= right / 20
}

#[test]
fn some_tell_about_all() {
    for stride in [2, 7, 64, 512] {
        let (finished, asked) = run([LONG / 100, 10, LONG / 10], |state| {
            (0..3).for_each(|id| state.set_loop_counter(LoopId(id), u32::MAX));
            state.set_function_counter(F, u32::MAX);
            state.count_some(stride, HOUR);
        });
        // In the third loop every other one is a call.
        let [first, short, third] = finished.loops[..] else { panic!("three loops") };
        assert!(is_about(first, 100_000) && short <= 10 + 2 * u64::from(stride), "{stride}: {:?}", finished.loops);
        assert!(is_about(third, 1_000_000) && is_about(finished.calls[1], 1_000_000), "{stride}: {third}");
        assert!(asked.loops.borrow().is_empty() && asked.functions.borrow().is_empty());
    }
}

#[test]
fn of_one_each_is_counted() {
    let (finished, _) = run([5, 10, 50], |state| state.count_some(1, HOUR));
    assert_eq!((finished.loops, finished.calls[1]), (vec![4, 9, 49], 50));
}

#[test]
fn nobody_is_asked_in_the_warm_up() {
    for stride in [1, 512] {
        let (_, asked) = run([LONG, 1000, 1000], |state| state.count_some(stride, HOUR));
        assert!(asked.loops.borrow().is_empty() && asked.functions.borrow().is_empty());
    }
}

#[test]
fn the_tier_is_asked_when_the_warm_up_is_over() {
    for stride in [1, 512] {
        let start = Instant::now();
        let warmup = Duration::from_millis(10);
        let (_, asked) = run([10 * LONG, 5, LONG / 100], |state| state.count_some(stride, warmup));
        assert_eq!(*asked.loops.borrow(), [LoopId(0), LoopId(2)]);
        assert_eq!(*asked.functions.borrow(), [F]);
        let first = asked.when.get().expect("it was asked") - start;
        assert!(first >= warmup && first < 10 * warmup, "{first:?}");
    }
}

#[test]
fn a_loop_of_long_trips_is_looked_at_soon() {
    // Each takes as long as what the routine does, and the first loop has made the stride as long as it gets.
    let text = listing([LONG / 100, 1, 1000]).replace("  Call s20, f\n", "  Runtime s20, TimeClock\n");
    let (finished, asked) = run_listing(&text, |state| {
        state.set_loop_counter(LoopId(0), u32::MAX);
        state.count_some(512, Duration::ZERO);
    });
    assert_eq!(*asked.loops.borrow(), [LoopId(2)]);
    // The counter stood at 56, and was set to u32::MAX then.
    let looked_at = asked.trips.get();
    assert!(looked_at < 150, "in trip {looked_at}");
    assert!(is_about(finished.loops[0], 100_000), "{:?}", finished.loops);
}

#[test]
fn all_is_counted_from_when_the_tier_says_so() {
    let (finished, asked) = run([LONG, 100, 1000], |state| {
        state.count_some(512, Duration::ZERO);
        // That asks the tier at once.
        state.count_always();
    });
    assert_eq!((finished.loops, finished.calls[1]), (vec![u64::from(LONG) - 1, 99, 999], 1000));
    assert_eq!(*asked.loops.borrow(), [LoopId(0), LoopId(1), LoopId(2)]);
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
    assert!(run_late([100, 1000, 1000], |state| state.count_some(512, HOUR)).1.is_none());
}
