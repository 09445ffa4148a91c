//! How much a loop is: the instructions that traces of it may go through.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use scaly_interp::bytecode::Opcode;
use scaly_interp::program::{FunctionId, LoopId, Program};

/// Beyond this nobody asks how large a loop is.
const MOST: u32 = 1000;

/// A loop with all that it calls, as often as calls stand there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    pub instructions: u32,
    /// None of them is run twice in an iteration, and no function is called.
    pub flat: bool,
}

/// Those of a program, by need.
#[derive(Debug, Default)]
pub struct Sizes {
    functions: RefCell<HashMap<FunctionId, Option<u32>>>,
    loops: RefCell<HashMap<LoopId, Option<Size>>>,
}

impl Sizes {
    /// None where that is too much, or where calls lead anywhere or round.
    pub fn of(&self, program: &Program, id: LoopId) -> Option<Size> {
        if let Some(&known) = self.loops.borrow().get(&id) {
            return known;
        }
        let code = program.loops[id.0 as usize].code.clone();
        let holds_others = program.loops.iter().any(|other| other.parent == Some(id));
        let size = self
            .instructions(program, code.clone())
            .map(|instructions| Size { instructions, flat: !holds_others && instructions as usize == code.len() });
        self.loops.borrow_mut().insert(id, size);
        size
    }

    fn instructions(&self, program: &Program, code: Range<u32>) -> Option<u32> {
        let mut sum = code.len() as u32;
        for ins in &program.code[code.start as usize..code.end as usize] {
            match ins.op {
                Opcode::Call => sum = sum.checked_add(self.function(program, FunctionId(ins.x))?)?,
                Opcode::CallIndirect => return None,
                _ => {}
            }
            if sum > MOST {
                return None;
            }
        }
        Some(sum)
    }

    fn function(&self, program: &Program, id: FunctionId) -> Option<u32> {
        if let Some(&known) = self.functions.borrow().get(&id) {
            return known;
        }
        // Whoever comes back here calls itself.
        self.functions.borrow_mut().insert(id, None);
        let size = self.instructions(program, program.function(id).code.clone());
        self.functions.borrow_mut().insert(id, size);
        size
    }
}

#[cfg(test)]
mod tests {
    use scaly_interp::dump::parse;

    use super::*;

    const PROGRAM: &str = "
main f
function f(params 5, results 1, frame 12)
  Const s5, 0
  ForPrepS s5..7, s4 -> @done
loop counted s5..7 @outer..@done
outer: Const s7, 0
  ForPrepS s7..9, s4 -> @inner_end
loop counted s7..9 @inner..@inner_end
inner: Add s9, s7, s5
  ForLoop s7..9, loop1 -> @inner
inner_end: Call s9, g
  Call s9, g
  ForLoop s5..7, loop0 -> @outer
done: Const s0, 0
  Return1 s0
function g(params 1, results 1, frame 4)
  Add s0, s0, s0
  Return1 s0
function h(params 1, results 1, frame 8)
  Const s1, 0
  ForPrepS s1..3, s0 -> @out
loop counted s1..3 @top..@out
top: Call s3, h
  ForLoop s1..3, loop2 -> @top
out: Return1 s0
";

    #[test]
    fn a_loop_is_as_large_as_what_it_calls() {
        let program = parse(PROGRAM).unwrap_or_else(|error| panic!("{error}"));
        let sizes = Sizes::default();
        let of = |id| sizes.of(&program, LoopId(id));
        assert_eq!(of(1), Some(Size { instructions: 2, flat: true }));
        assert_eq!(of(0), Some(Size { instructions: 7 + 2 * 2, flat: false }));
        assert_eq!(of(2), None, "it calls itself");
    }
}
