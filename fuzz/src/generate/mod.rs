//! Random programs that are well typed, keep the rules of ownership, and end.
//!
//! What ends them: loops over ranges and collections that the body may not reshape, fuel variables in `while` and
//! `repeat`, and recursion on a parameter that shrinks. Whether a program really ends soon, and without a runtime error
//! where none is wanted, is then found out by the model; what does not is thrown away.

mod divided;
mod expression;
mod gathered;
mod hot;
mod loops;
mod names;
mod places;
mod recursion;
mod routine;
mod slices;
mod statement;
mod sums;
mod types;
mod windows;

use crate::choice::Choices;
use crate::evaluate::{Limits, Outcome, Refused, evaluate};
use crate::tree::*;
use scaly_interp::machine::Fault;

/// What kind of programs are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// Mostly loops over arrays, among them many that only look independent.
    pub loops: bool,
    /// A runtime error may end the program.
    pub faults: bool,
    /// Made for a trace compiler: loops that iterate often and take many paths.
    pub hot: bool,
}

/// A program and what it must do.
#[derive(Clone, Debug)]
pub struct Sample {
    pub tree: Program,
    pub expected: Outcome,
}

/// What the model may do for a sample.
pub const LIMITS: Limits = Limits { steps: 300_000, depth: 40, exhausts: false };

/// A program of these choices, if it is one to test.
pub fn sample(choices: Choices, style: Style, limits: Limits) -> Result<Sample, Refused> {
    let tree = program(choices, style);
    let expected = evaluate(&tree, limits)?;
    // An exhausted stack is one of the sizes that a run has, not of the program.
    if expected.fault.is_some_and(|fault| fault != Fault::StackExhausted) && !style.faults {
        return Err(Refused::Broken("a runtime error"));
    }
    Ok(Sample { tree, expected })
}

/// A tree of these choices.
pub fn program(choices: Choices, style: Style) -> Program {
    let mut generator = Generator {
        choices,
        style,
        program: Program::default(),
        recursive: Vec::new(),
        linear: Vec::new(),
        branching: Vec::new(),
        next: 0,
        scope: Vec::new(),
        owned: Vec::new(),
        loops: Vec::new(),
        result: None,
        budget: 0,
        current: None,
    };
    generator.definitions();
    generator.main();
    generator.program
}

/// How much of a variable may change while something views it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Frozen {
    No,
    /// Plain elements may be written.
    Shape,
    All,
}

/// A variable in scope.
#[derive(Clone, Debug)]
struct Known {
    var: Var,
    ty: Type,
    mutable: bool,
    frozen: Frozen,
    /// An array of exactly this length, which nothing reshapes.
    length: Option<usize>,
    /// An integer from 0 to before this.
    below: Option<usize>,
    /// An index of this array or slice.
    indexes: Option<Var>,
    /// Not to be assigned: fuel, counters, bindings.
    reserved: bool,
}

/// A loop around what is generated.
#[derive(Clone, Copy, Debug)]
struct Around {
    label: Option<u32>,
    /// `continue` does not skip a counter's step.
    continues: bool,
    /// What counts its iterations, up or down.
    counter: Option<Var>,
}

struct Generator {
    choices: Choices,
    style: Style,
    program: Program,
    /// By routine: the first parameter (behind `this`) bounds the depth of its recursion.
    recursive: Vec<bool>,
    /// Recursive routines that call one another once at each level.
    linear: Vec<usize>,
    /// Those that call themselves several times: not to be begun deep.
    branching: Vec<usize>,
    next: Var,
    scope: Vec<Known>,
    /// Tables whose elements own storage.
    owned: Vec<Known>,
    loops: Vec<Around>,
    /// What the routine around gives; none in the main program.
    result: Option<Option<Type>>,
    /// Statements that may still be made in this body.
    budget: usize,
    /// The routine whose body is made, if it may call itself.
    current: Option<usize>,
}

impl Generator {
    fn fresh(&mut self) -> Var {
        self.next += 1;
        self.next
    }

    /// Adds a routine that is no method, and says its number.
    fn add_routine(&mut self, routine: Routine, recursive: bool) -> usize {
        self.program.routines.push(routine);
        self.recursive.push(recursive);
        self.program.routines.len() - 1
    }

    fn declare(&mut self, ty: Type, mutable: bool) -> Known {
        Known {
            var: self.fresh(),
            ty,
            mutable,
            frozen: Frozen::No,
            length: None,
            below: None,
            indexes: None,
            reserved: false,
        }
    }

    /// Makes something with the scope as it is, and forgets what was declared in it.
    fn scoped<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        let height = self.scope.len();
        let made = make(self);
        self.scope.truncate(height);
        made
    }

    /// The same while a variable is viewed.
    fn frozen<T>(&mut self, root: Option<Var>, how: Frozen, make: impl FnOnce(&mut Self) -> T) -> T {
        let at = root.and_then(|root| self.scope.iter().position(|k| k.var == root));
        let before = at.map(|at| self.scope[at].frozen);
        if let (Some(at), Some(before)) = (at, before)
            && how > before
        {
            self.scope[at].frozen = how;
        }
        let made = self.scoped(make);
        if let (Some(at), Some(before)) = (at, before) {
            self.scope[at].frozen = before;
        }
        made
    }

    fn definitions(&mut self) {
        for _ in 0..self.choices.below(4) {
            let fields = (0..1 + self.choices.below(4)).map(|_| self.member_type()).collect();
            self.program.structs.push(Struct { fields });
        }
        for _ in 0..self.choices.below(3) {
            let variants = (0..2 + self.choices.below(3))
                .map(|_| {
                    (0..self.choices.weighted(&[(3, 1), (2, 0), (2, 2), (1, 3)])).map(|_| self.member_type()).collect()
                })
                .collect();
            self.program.unions.push(Union { variants });
            if self.choices.chance(35) {
                self.make_recursive();
            }
        }
        for _ in 0..self.choices.below(3) {
            let ty = self.scalar_type();
            // What begins with a parenthesis would belong to the type.
            let value = match self.literal(&ty) {
                Expr::Int { value, kind, .. } => Expr::Int { value: value.max(0), kind, bare: true },
                Expr::F64(x) if x.is_finite() => Expr::F64(x.abs()),
                Expr::F64(_) => Expr::F64(2.5),
                Expr::F32 { value, .. } if value.is_finite() => Expr::F32 { value: value.abs(), bare: true },
                Expr::F32 { .. } => Expr::F32 { value: 0.5, bare: true },
                other => other,
            };
            self.program.constants.push((ty, value));
        }
        let routines = self.choices.below(if self.style.hot { 3 } else { 6 });
        for _ in 0..routines {
            self.routine();
        }
        if self.style.hot {
            self.hot_routines();
        }
    }

    fn main(&mut self) {
        self.budget = 2 + self.choices.below(34);
        let mut body = Vec::new();
        for _ in 0..1 + self.choices.below(6) {
            let statement = self.declaration();
            body.push(statement);
        }
        if self.style.hot {
            self.hot_main(&mut body);
        } else if self.style.loops {
            for _ in 0..2 + self.choices.below(4) {
                match self.choices.weighted(&[(5, 0), (3, 1), (4, 3), (2, 4), (3, 5), (1, 2)]) {
                    0 => self.loop_sample(&mut body),
                    4 => self.slices_sample(&mut body),
                    5 => self.windows_sample(&mut body),
                    1 => self.sum_sample(&mut body),
                    3 => self.gathered_sample(&mut body),
                    _ => self.two_names(&mut body),
                }
            }
        } else {
            self.statements(&mut body, 0);
        }
        // Nothing that was computed is lost.
        for known in std::mem::take(&mut self.scope) {
            self.show(&known, &mut body);
        }
        self.program.main = body;
    }

    /// Prints a variable.
    fn show(&mut self, known: &Known, body: &mut Block) {
        match &known.ty {
            Type::Map(..) => {
                let (key, value) = (self.fresh(), self.fresh());
                body.push(Statement::Each {
                    var: key,
                    value: Some(value),
                    of: Expr::Var(known.var),
                    body: vec![Statement::Print(vec![Expr::Var(key), Expr::Var(value)])],
                    label: None,
                });
            }
            Type::Builder => {
                let text = Expr::Library(Library::ToString, vec![Expr::Var(known.var)]);
                body.push(Statement::Print(vec![text]));
            }
            Type::Lambda(params, _) => {
                let args = params.clone().iter().map(|ty| self.literal(ty)).collect();
                body.push(Statement::Print(vec![Expr::Apply(Box::new(Expr::Var(known.var)), args)]));
            }
            Type::F64 => {
                let bits = Expr::Unary(Unary::Bits, Box::new(Expr::Var(known.var)));
                body.push(Statement::Print(vec![Expr::Var(known.var), bits]));
            }
            _ => body.push(Statement::Print(vec![Expr::Var(known.var)])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::print;

    #[test]
    fn most_seeds_give_programs_that_end() {
        for style in [Style::default(), Style { loops: true, ..Style::default() }] {
            let good = (0..300).filter(|&seed| sample(Choices::seeded(seed), style, LIMITS).is_ok()).count();
            assert!(good > 200, "{good} of 300 in {style:?}");
        }
    }

    #[test]
    fn no_tree_names_what_does_not_exist() {
        for seed in 0..500 {
            let style = Style { loops: seed % 2 == 0, faults: true, hot: seed % 5 == 1 };
            if let Err(Refused::Broken(what)) = sample(Choices::seeded(seed), style, LIMITS) {
                panic!("seed {seed}: {what}\n{}", print(&program(Choices::seeded(seed), style)));
            }
        }
    }

    #[test]
    fn no_choices_at_all_give_a_small_program() {
        let tree = program(Choices::recorded(Vec::new()), Style::default());
        assert!(print(&tree).lines().count() < 20, "{}", print(&tree));
    }
}
