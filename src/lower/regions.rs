//! Which region owns a value, and where regions begin and end.
//!
//! Each block and loop is a scope. A scope gets a region of its own only if something is allocated in it, which is known
//! when its end has been lowered: so the instruction that enters the region and those that leave it are holes
//! ([`Code::hole`]) that are filled at the end of the function. Leaving a region leaves all that were entered after it,
//! so each way out of scopes needs one instruction: for the outermost region on the way.
//!
//! A loop's scope is entered before the loop and reset at the end of each iteration; its conditions and its body
//! allocate there.
//!
//! **Locals of the result.** A local that is returned lies in the region of the result from the start, so that returning
//! it copies nothing. On the ways out of its scope on which it is not what is returned it is freed, else the caller's
//! region would grow. What has been moved out of such a local is zero, and freeing zero does nothing.

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::routine::Routine;

use super::body::Body;
use super::code::Hole;
use super::frame::Slot;
use crate::check::hir::{Expr, ExprKind, LocalId, Type};

/// The region that a value's owned storage lies in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Region {
    Scope(ScopeId),
    /// Handed in by the caller, in this slot.
    Param(Slot),
    /// Somebody else's, never stored to: an argument passed by value, a constant.
    Foreign,
}

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// It is only looked at, and nothing that it may point to changes meanwhile.
    Borrow,
    /// It is kept: all its storage must be its own and lie in this region.
    Own(Region),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScopeId(u32);

struct Scope {
    parent: Option<ScopeId>,
    handle: Slot,
    enter: Option<Hole>,
    used: bool,
    /// Locals of the result that are declared here.
    escaping: Vec<LocalId>,
    mark: u32,
    names: usize,
    depth: u32,
}

struct Exit {
    hole: Hole,
    from: ScopeId,
    /// The scope that is not left, if any.
    until: Option<ScopeId>,
    /// Not needed if that scope has a region: its end or reset follows. Only for `break`.
    covered: bool,
}

#[derive(Default)]
pub struct Scopes {
    all: Vec<Scope>,
    current: Option<ScopeId>,
    exits: Vec<Exit>,
    resets: Vec<(Hole, ScopeId)>,
}

impl Scopes {
    fn get(&self, id: ScopeId) -> &Scope {
        &self.all[id.0 as usize]
    }
}

impl<'h> Body<'_, 'h> {
    /// Enters a scope: slots and names taken from here on are given back at its end.
    pub fn open_scope(&mut self) -> ScopeId {
        let mark = self.code.frame.mark();
        let handle = self.code.frame.take(1);
        let enter = self.code.hole();
        let parent = self.scopes.current;
        let depth = parent.map_or(0, |p| self.scopes.get(p).depth + 1);
        let names = self.code.names();
        self.scopes.all.push(Scope { parent, handle, enter, used: false, escaping: Vec::new(), mark, names, depth });
        let id = ScopeId(self.scopes.all.len() as u32 - 1);
        self.scopes.current = Some(id);
        id
    }

    pub fn close_scope(&mut self, id: ScopeId) {
        debug_assert_eq!(self.scopes.current, Some(id));
        let parent = self.scopes.get(id).parent;
        self.leave_to(parent, false);
        self.code.end_names(self.scopes.get(id).names);
        self.code.frame.reset(self.scopes.get(id).mark);
        self.scopes.current = parent;
    }

    /// The code of leaving all scopes inside of `until`. `covered`: the end of `until` follows at once.
    pub fn leave_to(&mut self, until: Option<ScopeId>, covered: bool) {
        if self.code.is_dead() || self.scopes.current == until {
            return;
        }
        let mut scope = self.scopes.current;
        while let Some(id) = scope.filter(|_| scope != until) {
            for i in 0..self.scopes.get(id).escaping.len() {
                let local = self.scopes.get(id).escaping[i];
                self.free_escaping(local);
            }
            scope = self.scopes.get(id).parent;
        }
        if let (Some(hole), Some(from)) = (self.code.hole(), self.scopes.current) {
            self.scopes.exits.push(Exit { hole, from, until, covered });
        }
    }

    pub fn has_escaping(&self, id: ScopeId) -> bool {
        !self.scopes.get(id).escaping.is_empty()
    }

    /// Frees the locals of the result that a loop's body has declared so far: on each way out of an iteration.
    pub fn free_escaping_of(&mut self, id: ScopeId) {
        for i in 0..self.scopes.get(id).escaping.len() {
            let local = self.scopes.get(id).escaping[i];
            self.free_escaping(local);
        }
    }

    /// The end of an iteration of a loop, behind the places where its ways join.
    pub fn reset_scope(&mut self, id: ScopeId) {
        // On the loop's way out at its header they are not there.
        self.scopes.all[id.0 as usize].escaping.clear();
        if let Some(hole) = self.code.hole() {
            self.scopes.resets.push((hole, id));
        }
    }

    fn free_escaping(&mut self, local: LocalId) {
        if self.moved_out.contains(&local) {
            return;
        }
        let variable = self.locals[local.0 as usize];
        self.free_slots(variable.ty, variable.slot, variable.region);
    }

    /// A local of the result, declared in the innermost scope.
    pub fn note_escaping(&mut self, local: LocalId) {
        if let Some(current) = self.scopes.current {
            self.scopes.all[current.0 as usize].escaping.push(local);
        }
    }

    pub fn current_scope(&self) -> Option<ScopeId> {
        self.scopes.current
    }

    /// The region of temporaries.
    pub fn here(&self) -> Region {
        self.scopes.current.map_or(Region::Foreign, Region::Scope)
    }

    /// Where a value that must be built is built.
    pub fn target(&self, want: Want) -> Region {
        match want {
            Want::Borrow => self.here(),
            Want::Own(region) => region,
        }
    }

    /// The slot that holds the handle of a region.
    pub fn handle(&mut self, region: Region) -> Slot {
        match region {
            Region::Scope(id) => {
                let scope = &mut self.scopes.all[id.0 as usize];
                scope.used = true;
                scope.handle
            }
            Region::Param(slot) => slot,
            Region::Foreign => {
                let span = self.code.span;
                self.m.internal(span, "something is stored in a place whose region is not known");
                Slot(0)
            }
        }
    }

    /// Whether what a local owns outlives the scope.
    pub fn declared_outside(&self, local: LocalId, scope: ScopeId) -> bool {
        match self.locals[local.0 as usize].scope {
            Some(declared) => self.scopes.get(declared).depth < self.scopes.get(scope).depth,
            None => true,
        }
    }

    /// The region of the root of a place, or of what a slice views.
    pub fn region_of(&self, e: &Expr) -> Region {
        match &e.kind {
            ExprKind::Local(local) => self.locals[local.0 as usize].region,
            ExprKind::Global(_) => Region::Foreign,
            ExprKind::Field { base, .. }
            | ExprKind::Index { base, .. }
            | ExprKind::Payload { base, .. }
            | ExprKind::AnyPayload { base }
            | ExprKind::AsSlice(base)
            | ExprKind::Move(base) => self.region_of(base),
            ExprKind::Call { routine, arguments } if matches!(self.hir.types.get(e.ty), Type::Slice(_)) => {
                let summary = &self.hir.routine(*routine).summary;
                let viewed = summary.params.iter().position(|p| p.viewed_by_result).unwrap_or(0);
                arguments.get(viewed).map_or(self.here(), |a| self.region_of(a))
            }
            ExprKind::Block(parts) => parts.last().map_or(self.here(), |p| self.region_of(p)),
            _ => self.here(),
        }
    }

    /// Fills the holes: which regions exist is known now.
    pub fn settle_regions(&mut self) {
        for scope in &self.scopes.all {
            if let (true, Some(hole)) = (scope.used, scope.enter) {
                self.code.fill(hole, region_instruction(scope.handle, Routine::RegionEnter));
            }
        }
        for &(hole, id) in &self.scopes.resets {
            let scope = self.scopes.get(id);
            if scope.used {
                self.code.fill(hole, region_instruction(scope.handle, Routine::RegionReset));
            }
        }
        for exit in &self.scopes.exits {
            if exit.covered && exit.until.is_some_and(|u| self.scopes.get(u).used) {
                continue;
            }
            let mut outermost = None;
            let mut scope = Some(exit.from);
            while let Some(id) = scope.filter(|_| scope != exit.until) {
                let state = self.scopes.get(id);
                if state.used {
                    outermost = Some(state.handle);
                }
                scope = state.parent;
            }
            if let Some(handle) = outermost {
                self.code.fill(exit.hole, region_instruction(handle, Routine::RegionExit));
            }
        }
    }
}

fn region_instruction(handle: Slot, routine: Routine) -> Instruction {
    Instruction::with(Opcode::Runtime, handle.0, 0, 0, routine as u32, 0)
}
