//! Which functions a function calls, and which of them are reached from where.

use rustc_hash::FxHashSet;
use scaly_interp::bytecode::Opcode;
use scaly_interp::program::{Class, FunctionId, Program};

/// What an instruction calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Callee {
    Function(FunctionId),
    /// A function value: any function of the class whose id the program takes.
    Any(Class),
}

/// The calls of a program, read from its bytecode when they are asked for.
pub struct Calls<'a> {
    pub program: &'a Program,
    taken: Vec<FunctionId>,
}

/// The functions that a function value may be.
pub fn taken(program: &Program) -> Vec<FunctionId> {
    let ids = program.code.iter().filter(|ins| ins.op == Opcode::FunctionId).map(|ins| FunctionId(ins.x));
    let mut taken: Vec<FunctionId> = ids.filter(|id| (id.0 as usize) < program.functions.len()).collect();
    taken.sort_unstable();
    taken.dedup();
    taken
}

impl<'a> Calls<'a> {
    pub fn of_program(program: &'a Program) -> Calls<'a> {
        Calls { program, taken: taken(program) }
    }

    /// In the order of a function's bytecode, each as often as it stands there.
    pub fn of(&self, id: FunctionId) -> impl Iterator<Item = Callee> + '_ {
        let code = self.program.function(id).code.clone();
        self.program.code[code.start as usize..code.end as usize].iter().filter_map(|ins| match ins.op {
            Opcode::Call if (ins.x as usize) < self.program.functions.len() => {
                Some(Callee::Function(FunctionId(ins.x)))
            }
            Opcode::CallIndirect => Some(Callee::Any(Class(ins.x))),
            _ => None,
        })
    }

    pub fn is_taken(&self, id: FunctionId) -> bool {
        self.taken.binary_search(&id).is_ok()
    }

    /// The functions that a call may enter.
    pub fn entered(&self, callee: Callee) -> impl Iterator<Item = FunctionId> + '_ {
        let (direct, class) = match callee {
            Callee::Function(id) => (Some(id), None),
            Callee::Any(class) => (None, Some(class)),
        };
        let of_class = move |id: &FunctionId| Some(self.program.function(*id).class()) == class;
        direct.into_iter().chain(self.taken.iter().copied().filter(of_class))
    }

    /// These functions and all that they may call, but for those that are `known` and what is called from there only.
    /// Callees stand before their callers, as far as they do not call one another.
    pub fn reached(&self, roots: &[FunctionId], known: impl Fn(FunctionId) -> bool) -> Vec<FunctionId> {
        let (mut seen, mut found) = (FxHashSet::default(), Vec::new());
        // A function comes again when all behind it are done.
        let mut todo: Vec<(FunctionId, bool)> = roots.iter().rev().map(|&id| (id, false)).collect();
        while let Some((id, done)) = todo.pop() {
            if done {
                found.push(id);
            } else if !known(id) && seen.insert(id) {
                todo.push((id, true));
                todo.extend(self.of(id).flat_map(|callee| self.entered(callee)).map(|id| (id, false)));
            }
        }
        found
    }

    /// The functions in which an address of the globals is made, and those that may call them: no other knows one that
    /// was not given to it.
    pub fn touching_globals(&self) -> Vec<FunctionId> {
        let program = self.program;
        let all = || (0..program.functions.len() as u32).map(FunctionId);
        let mut touching: Vec<bool> = all().map(|id| self.makes_global(id)).collect();
        loop {
            let calls = |id: FunctionId| {
                self.of(id).flat_map(|callee| self.entered(callee)).any(|callee| touching[callee.0 as usize])
            };
            let more: Vec<FunctionId> = all().filter(|id| !touching[id.0 as usize] && calls(*id)).collect();
            if more.is_empty() {
                return all().filter(|id| touching[id.0 as usize]).collect();
            }
            more.iter().for_each(|id| touching[id.0 as usize] = true);
        }
    }

    /// Whether an address of the globals is made in a function, or in one that it may call.
    pub fn touches_globals(&self, id: FunctionId) -> bool {
        self.reached(&[id], |_| false).into_iter().any(|id| self.makes_global(id))
    }

    fn makes_global(&self, id: FunctionId) -> bool {
        let code = self.program.function(id).code.clone();
        self.program.code[code.start as usize..code.end as usize].iter().any(|ins| ins.op == Opcode::Global)
    }
}
