//! What is local: variables, parameters and bindings of the routines that are being checked.
//!
//! Each symbol has a chain of the bindings that it has now, the innermost first: looking a name up costs one step,
//! whatever the length of the program. A lambda is a frame on top of the routine it stands in; bindings of frames below
//! are captured. Below `base` lies what cannot be seen at all: a default argument or an operator that is expanded in place
//! sees none of its caller's names.

use super::Checker;
use super::hir::{Capture, Local, LocalId, LocalKind, LoopTag, RoutineId, RoutineKind, TypeId};
use super::projection::AliasId;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::{Symbol, ast};

#[derive(Clone, Copy, Debug)]
pub enum Bound {
    Local(LocalId),
    /// A place that stands for `this` or a parameter of an operator that is expanded in place.
    Alias(AliasId),
}

#[derive(Clone, Copy, Debug)]
pub struct Binding {
    symbol: Symbol,
    /// The binding that this one hides, counted from 1.
    hides: u32,
    pub frame: u32,
    block: u32,
    pub bound: Bound,
    pub span: Span,
}

#[derive(Debug)]
pub struct Scopes {
    /// The innermost binding of each symbol, counted from 1.
    heads: Vec<u32>,
    bindings: Vec<Binding>,
    base: u32,
    block: u32,
}

/// Where to return to at the end of a block.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bindings: u32,
    block: u32,
}

impl Scopes {
    pub fn new(symbols: usize) -> Self {
        Scopes { heads: vec![0; symbols], bindings: Vec::new(), base: 0, block: 0 }
    }

    pub fn open(&mut self) -> Mark {
        let mark = Mark { bindings: self.bindings.len() as u32, block: self.block };
        self.block += 1;
        mark
    }

    pub fn close(&mut self, mark: Mark) {
        while self.bindings.len() > mark.bindings as usize {
            if let Some(binding) = self.bindings.pop() {
                self.heads[binding.symbol.0 as usize] = binding.hides;
            }
        }
        self.block = mark.block;
    }

    /// Hides all bindings until [`Scopes::show`] gets the result.
    pub fn hide(&mut self) -> u32 {
        std::mem::replace(&mut self.base, self.bindings.len() as u32)
    }

    pub fn show(&mut self, base: u32) {
        self.base = base;
    }

    pub fn get(&self, symbol: Symbol) -> Option<Binding> {
        let head = *self.heads.get(symbol.0 as usize)?;
        (head > self.base).then(|| self.bindings[head as usize - 1])
    }

    /// A name of the same block.
    fn double(&self, symbol: Symbol) -> Option<Span> {
        self.get(symbol).filter(|b| b.block == self.block).map(|b| b.span)
    }

    pub fn bind(&mut self, symbol: Symbol, frame: u32, bound: Bound, span: Span) {
        let head = &mut self.heads[symbol.0 as usize];
        self.bindings.push(Binding { symbol, hides: *head, frame, block: self.block, bound, span });
        *head = self.bindings.len() as u32;
    }

    /// All visible names, for suggestions.
    pub fn visible(&self) -> impl Iterator<Item = Symbol> {
        self.bindings[self.base as usize..].iter().map(|b| b.symbol)
    }
}

/// A loop that `break` and `continue` can name.
#[derive(Clone, Copy, Debug)]
pub struct Loop {
    pub label: Option<Symbol>,
    pub tag: LoopTag,
    pub broken: bool,
}

/// A routine or lambda while its body is checked.
#[derive(Debug)]
pub struct Frame {
    pub routine: RoutineId,
    pub kind: RoutineKind,
    pub locals: Vec<Local>,
    pub captures: Vec<Capture>,
    /// Declared, or not known yet of a lambda.
    pub result: Option<TypeId>,
    /// Of a lambda without a known result: what its `return`s gave so far.
    pub returned: Option<TypeId>,
    pub loops: Vec<Loop>,
    pub tags: u32,
}

impl Frame {
    pub fn new(routine: RoutineId, kind: RoutineKind, result: Option<TypeId>) -> Self {
        Frame {
            routine,
            kind,
            locals: Vec::new(),
            captures: Vec::new(),
            result,
            returned: None,
            loops: Vec::new(),
            tags: 0,
        }
    }
}

impl<'a> Checker<'a> {
    /// The routine that is being checked. There is always one: expressions stand in routines, in the main program, or
    /// in a constant, which has a frame too.
    pub fn frame(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// A local without a name.
    pub fn temporary(&mut self, ty: TypeId, span: Span) -> LocalId {
        self.local(String::new(), ty, LocalKind::Temporary, span)
    }

    pub fn local(&mut self, name: String, ty: TypeId, kind: LocalKind, span: Span) -> LocalId {
        let locals = &mut self.frame().locals;
        locals.push(Local { name, ty, kind, span });
        LocalId(locals.len() as u32 - 1)
    }

    /// A new local under its name, reported if the block has one already. `_` is never found again.
    pub fn bind(&mut self, name: ast::Name, ty: TypeId, kind: LocalKind) -> LocalId {
        let text = self.text(name.symbol).to_string();
        if name.symbol == self.known.discard {
            return self.local(text, ty, kind, name.span);
        }
        if let Some(earlier) = self.scopes.double(name.symbol) {
            let diagnostic = Diagnostic::error(name.span, format!("`{text}` is declared twice in this block"))
                .label("declared again")
                .secondary(earlier, "first declared here");
            self.report(match kind {
                LocalKind::Let | LocalKind::Var => diagnostic.help(format!("to change it, write `set {text}: …`")),
                _ => diagnostic,
            });
        }
        let local = self.local(text, ty, kind, name.span);
        let frame = self.frames.len() as u32 - 1;
        self.scopes.bind(name.symbol, frame, Bound::Local(local), name.span);
        local
    }

    /// The local of the innermost frame that a binding is, captured through the lambdas between where there are some.
    pub fn captured(&mut self, binding: Binding, local: LocalId) -> LocalId {
        let mut outer = local;
        for frame in binding.frame as usize + 1..self.frames.len() {
            if let Some(known) = self.frames[frame].captures.iter().find(|c| c.outer == outer) {
                outer = known.inner;
                continue;
            }
            let Local { name, ty, span, .. } = self.frames[frame - 1].locals[outer.0 as usize].clone();
            let locals = &mut self.frames[frame].locals;
            locals.push(Local { name, ty, kind: LocalKind::Binding, span });
            let inner = LocalId(locals.len() as u32 - 1);
            self.frames[frame].captures.push(Capture { outer, inner });
            outer = inner;
        }
        outer
    }
}
