//! The interpreter asks a tier where loops and functions are hot.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Options, State, World, run_with_tier};
use scaly_interp::program::{FunctionId, LoopId};
use scaly_interp::tier::{Goes, NativeCall, Position, Tier};

/// Is asked at each back edge and each call, and goes on; notes where the native stack was.
#[derive(Default)]
struct Asked {
    loops: Cell<u32>,
    functions: Cell<u32>,
    stack: RefCell<Vec<usize>>,
}

impl Asked {
    fn note(&self, count: &Cell<u32>) {
        let here = 0u8;
        self.stack.borrow_mut().push(&raw const here as usize);
        count.set(count.get() + 1);
    }
}

impl Tier for Asked {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        state.set_loop_counter(id, 1);
        self.note(&self.loops);
        Goes::On(at)
    }

    fn hot_function(&self, state: &mut State, id: FunctionId, at: Position) -> Goes {
        state.set_function_counter(id, 1);
        self.note(&self.functions);
        Goes::On(at)
    }

    fn finish_call(&self, _: &mut State, call: NativeCall) -> bool {
        panic!("{call:?} has been finished")
    }
}

#[test]
fn asking_a_tier_leaves_nothing_on_the_native_stack() {
    let listing = "main start
function start(params 0, results 1, frame 40)
  loop counted s4..6 @top..@out
  Const s6, 5000
  Const s4, 0
  ForPrepS s4..6, s6 -> @out
top:
  Call s20, f
  ForLoop s4..6, loop0 -> @top
out:
  Const s0, 0
  Return1 s0
function f(params 0, results 1, frame 4)
  Const s0, 7
  Return1 s0
";
    let program = Arc::new(parse(listing).unwrap_or_else(|error| panic!("{error}")));
    let asked = Rc::new(Asked::default());
    let tier = asked.clone();
    let finished = run_with_tier(program, World::standard(Vec::new()), Options::default(), move |state| {
        state.set_loop_counter(LoopId(0), 1);
        (0..2).for_each(|id| state.set_function_counter(FunctionId(id), 1));
        tier
    });
    assert_eq!(finished.map(|f| f.ended).map_err(|e| e.to_string()), Ok(Ended::Status(0)));
    assert_eq!((asked.loops.get(), asked.functions.get()), (4999, 5000));
    let stack = asked.stack.borrow();
    let (lowest, highest) = (stack.iter().min(), stack.iter().max());
    let grown = highest.zip(lowest).map_or(0, |(high, low)| high - low);
    assert!(grown < 4096, "the native stack has grown by {grown} bytes");
}
