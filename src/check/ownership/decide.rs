//! Decisions over the flow of a routine: what is a view, what is copied, what is moved, and which views are disturbed.
//!
//! Liveness runs backward over the blocks. A write to a place while something views it:
//!
//! | holder | plain slots written | plain elements written | storage may be given back |
//! |---|---|---|---|
//! | `let` of a place | copy | copy | copy |
//! | cursor | | becomes a variable of its own | likewise |
//! | `for`, `choose`, `while let` binding | | copy | error |
//! | `Slice`, the subject of a `for` | | sees it | error |
//!
//! A stored place whose root is neither used nor viewed any more before it is declared or assigned anew is moved.

use rustc_hash::FxHashSet;

use super::flow::{Bit, Escape, Event, Flow, Holder, HolderKind, Limit, Node, Write, Writer};
use super::place::{Place, Places, Root, Step};
use crate::check::hir::LocalId;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// What the tree is to say.
#[derive(Default)]
pub struct Decisions {
    /// `let`s of places, and cursors, that are views.
    pub views: FxHashSet<LocalId>,
    /// Bindings that need a value of their own.
    pub copied: FxHashSet<LocalId>,
    pub moves: FxHashSet<Node>,
    pub copies: FxHashSet<Node>,
    /// Lambdas that copy what they capture.
    pub kept: FxHashSet<Node>,
    /// Locals that slices view, and that must go on living where the slices count on it.
    viewed: FxHashSet<LocalId>,
    /// Cursors that cannot be views: the flow has to be found again without them.
    pub disturbed_cursors: Vec<LocalId>,
}

impl Decisions {
    /// The tree says so already.
    pub fn is_empty(&self) -> bool {
        let nodes = [&self.moves, &self.copies, &self.kept];
        self.views.is_empty() && self.copied.is_empty() && nodes.iter().all(|set| set.is_empty())
    }

    /// Nothing is a view that need not be one, nothing is moved.
    pub fn copy_all(&mut self, flow: &Flow) {
        self.views.retain(|local| self.viewed.contains(local));
        self.moves.clear();
        let bindings = flow.holders.iter().filter(|h| h.kind == HolderKind::Binding).filter_map(|h| h.local);
        self.copied.extend(bindings.filter(|local| !self.viewed.contains(local)));
    }
}

pub fn decide(flow: &mut Flow) -> Decisions {
    if flow.holders.is_empty() && flow.escapes.is_empty() {
        let (copies, kept) = (std::mem::take(&mut flow.copies), std::mem::take(&mut flow.kept));
        return Decisions { copies, kept, ..Decisions::default() };
    }
    let live = Liveness::of(flow);
    let mut copied = vec![false; flow.holders.len()];
    let mut stores: Vec<(Node, Bit)> = Vec::new();
    let mut conflicts: Vec<(Bit, u32)> = Vec::new();
    // Which holders view a place of each local.
    let mut viewers: Vec<(LocalId, Bit)> = Vec::new();
    for (bit, holder) in flow.holders.iter().enumerate() {
        for place in &holder.places {
            if let Some(local) = place.local() {
                viewers.push((local, bit as Bit));
            }
        }
    }
    viewers.sort_unstable();
    viewers.dedup();
    let mut now = Bits(vec![0; live.words]);
    for (n, block) in flow.blocks.iter().enumerate() {
        now.0.copy_from_slice(live.row(n));
        for event in flow.events[block.start as usize..block.end as usize].iter().rev() {
            match *event {
                Event::Use(bit) => now.insert(bit),
                Event::Declare(bit) => now.remove(bit),
                Event::Store(node, bit) => {
                    if !now.contains(bit) {
                        stores.push((node, bit));
                    }
                    now.insert(bit);
                }
                Event::Write(number) => {
                    let write = &flow.writes[number as usize];
                    let Some(local) = write.place.local() else { continue };
                    let from = viewers.partition_point(|v| v.0 < local);
                    for &(_, bit) in viewers[from..].iter().take_while(|v| v.0 == local) {
                        let holder = &flow.holders[bit as usize];
                        if !now.contains(bit) || !holder.places.iter().any(|p| p.overlaps(&write.place)) {
                            continue;
                        }
                        let slots = !write.reshapes && !write.in_memory;
                        match holder.kind {
                            HolderKind::Candidate => copied[bit as usize] = true,
                            // A loop walks by the cursor's own slots.
                            HolderKind::Subject if slots && flow.is_cursor(local) => conflicts.push((bit, number)),
                            // These have slots of their own.
                            _ if slots => {}
                            HolderKind::Cursor => copied[bit as usize] = true,
                            HolderKind::Binding if !write.reshapes => copied[bit as usize] = true,
                            HolderKind::Slice | HolderKind::Subject if !moves_elements(holder, write) => {}
                            _ => conflicts.push((bit, number)),
                        }
                    }
                }
            }
        }
    }
    let mut decisions = Decisions {
        copies: std::mem::take(&mut flow.copies),
        kept: std::mem::take(&mut flow.kept),
        ..Decisions::default()
    };
    for (bit, holder) in flow.holders.iter().enumerate() {
        let Some(local) = holder.local else { continue };
        match (holder.kind, copied[bit]) {
            (HolderKind::Candidate | HolderKind::Cursor, false) => {
                decisions.views.insert(local);
            }
            (HolderKind::Cursor, true) => decisions.disturbed_cursors.push(local),
            (HolderKind::Binding, true) => {
                decisions.copied.insert(local);
            }
            _ => {}
        }
    }
    if !decisions.disturbed_cursors.is_empty() {
        return decisions;
    }
    for (node, bit) in stores {
        let owner = match flow.holders[bit as usize].kind {
            HolderKind::Owner => true,
            HolderKind::Candidate => copied[bit as usize],
            _ => false,
        };
        if owner && !decisions.copies.contains(&node) && !flow.unmovable.contains(&node) {
            decisions.moves.insert(node);
        }
    }
    conflicts.sort_unstable_by_key(|c| c.1);
    let mut told: FxHashSet<u32> = FxHashSet::default();
    for (bit, number) in conflicts {
        if told.insert(number) {
            let diagnostic = conflict(flow, bit, &flow.writes[number as usize]);
            flow.report.add(diagnostic);
        }
    }
    let slices = flow.holders.iter().filter(|h| h.kind == HolderKind::Slice).flat_map(|h| &h.places);
    let leaving = flow.escapes.iter().flat_map(|escape| &escape.places);
    decisions.viewed.extend(slices.chain(leaving).filter_map(Place::local));
    // One message for each view: that it must not leave the routine says more than that it leaves a block.
    let mut left = std::mem::take(&mut flow.escapes);
    left.sort_by_key(|escape| escape.limit != Limit::Caller);
    let mut told = FxHashSet::default();
    for escape in left {
        if let Some(diagnostic) = escapes(flow, &copied, &escape)
            && told.insert(escape.span)
        {
            flow.report.add(diagnostic);
        }
    }
    decisions
}

/// Whether the write may give back the elements that the holder walks or views. What an element owns may be replaced:
/// the elements stay where they are.
fn moves_elements(holder: &Holder, write: &Write) -> bool {
    let inside = |place: &Place| {
        !place.open && write.place.steps.get(place.steps.len()..).is_some_and(|rest| rest.contains(&Step::Index))
    };
    write.reshapes && holder.places.iter().any(|p| p.overlaps(&write.place) && !inside(p))
}

/// Rule 4.
fn conflict(flow: &Flow, bit: Bit, write: &Write) -> Diagnostic {
    let (types, routine) = (flow.types(), flow.views.routine);
    let holder = &flow.holders[bit as usize];
    let name = write.place.describe(types, routine);
    let viewed = holder.places.iter().find(|p| p.overlaps(&write.place)).map(|p| p.describe(types, routine));
    let viewed = viewed.unwrap_or_else(|| name.clone());
    let what = match write.writer {
        Writer::Assignment | Writer::Move(_) => format!("`{name}` cannot be assigned while it is viewed"),
        Writer::Call { routine, .. } => {
            let callee = &flow.views.program.routine(routine).name;
            format!("`{name}` cannot be changed by `{callee}` while it is viewed")
        }
    };
    let local = holder.local.map(|l| routine.locals[l.0 as usize].name.clone()).unwrap_or_default();
    let (label, help) = match holder.kind {
        HolderKind::Subject => {
            ("the loop walks it here".to_string(), format!("walk a copy: `for … in {viewed}.copy()`"))
        }
        HolderKind::Binding => (
            format!("`{local}` is a view of `{viewed}` and is used afterwards"),
            format!("take a copy first: `let c: {local}.copy()`, and use `c` afterwards"),
        ),
        _ => (
            format!("`{local}` is a view of `{viewed}` and is used afterwards"),
            "keep a copy instead of the view: `.copy()`".to_string(),
        ),
    };
    Diagnostic::error(write.span, what)
        .label("this may move or free what is viewed")
        .secondary(holder.span, label)
        .help(help)
}

/// Rule 5: a view outlives what it views.
fn escapes(flow: &Flow, copied: &[bool], escape: &Escape) -> Option<Diagnostic> {
    let routine = flow.views.routine;
    let mut places: Places = escape.places.clone();
    let mut next = 0;
    while let Some(place) = places.get(next).cloned() {
        next += 1;
        let ends = |span: Span, what: String| {
            let (message, help) = match escape.limit {
                Limit::Caller => ("a result may only view parameters", "give an `Array`: `.copy()`"),
                Limit::Depth(_) => ("this view outlives what it views", "take a copy: `.copy()`"),
            };
            let mut diagnostic = Diagnostic::error(escape.span, message).label(format!("a view of {what}")).help(help);
            if span != escape.span {
                diagnostic = diagnostic.secondary(span, "which ends with its block");
            }
            Some(diagnostic)
        };
        match place.root {
            Root::Global(_) => {}
            Root::Temporary { depth, span } => {
                if !matches!(escape.limit, Limit::Depth(limit) if depth <= limit) {
                    return ends(span, "a temporary value".into());
                }
            }
            Root::Local(local) => {
                let inside = match escape.limit {
                    Limit::Depth(limit) => flow.depths[local.0 as usize] <= limit,
                    Limit::Caller => routine.params.contains(&local),
                };
                if inside {
                    continue;
                }
                if let Some(bit) = flow.bit(local) {
                    let holder = &flow.holders[bit as usize];
                    let view = match holder.kind {
                        HolderKind::Candidate | HolderKind::Binding | HolderKind::Cursor => !copied[bit as usize],
                        _ => false,
                    };
                    if view {
                        places.extend(holder.places.iter().cloned());
                        continue;
                    }
                }
                let declared = &routine.locals[local.0 as usize];
                return ends(declared.span, format!("`{}`", declared.name));
            }
        }
    }
    None
}

/// A set of bits.
struct Bits(Vec<u64>);

impl Bits {
    fn insert(&mut self, bit: Bit) {
        self.0[bit as usize / 64] |= 1 << (bit % 64);
    }

    fn remove(&mut self, bit: Bit) {
        self.0[bit as usize / 64] &= !(1 << (bit % 64));
    }

    fn contains(&self, bit: Bit) -> bool {
        self.0[bit as usize / 64] & (1 << (bit % 64)) != 0
    }
}

/// What lives at the ends of blocks: a row of words for each.
struct Liveness {
    words: usize,
    after: Vec<u64>,
}

impl Liveness {
    fn of(flow: &Flow) -> Liveness {
        let words = flow.holders.len().div_ceil(64);
        let count = flow.blocks.len();
        let mut live = Liveness { words, after: vec![0; count * words] };
        if words == 0 || count == 1 {
            return live;
        }
        // The edges turned around.
        let mut first = vec![0u32; count + 1];
        for &next in flow.blocks.iter().flat_map(|b| &b.next) {
            first[next as usize + 1] += 1;
        }
        for n in 0..count {
            first[n + 1] += first[n];
        }
        let mut previous = vec![0u32; first[count] as usize];
        let mut at = first.clone();
        for (n, block) in flow.blocks.iter().enumerate() {
            for &next in &block.next {
                previous[at[next as usize] as usize] = n as u32;
                at[next as usize] += 1;
            }
        }
        let mut before = vec![0; count * words];
        let mut now = Bits(vec![0; words]);
        let mut waiting = vec![true; count];
        let mut work: Vec<u32> = (0..count as u32).collect();
        while let Some(n) = work.pop() {
            let n = n as usize;
            waiting[n] = false;
            let block = &flow.blocks[n];
            now.0.copy_from_slice(live.row(n));
            for event in flow.events[block.start as usize..block.end as usize].iter().rev() {
                match *event {
                    Event::Use(bit) | Event::Store(_, bit) => now.insert(bit),
                    Event::Declare(bit) => now.remove(bit),
                    Event::Write(_) => {}
                }
            }
            let known = &mut before[n * words..][..words];
            if *known == *now.0 {
                continue;
            }
            known.copy_from_slice(&now.0);
            for &p in &previous[first[n] as usize..first[n + 1] as usize] {
                let row = &mut live.after[p as usize * words..][..words];
                let grown = row.iter().zip(&now.0).any(|(a, b)| b & !a != 0);
                row.iter_mut().zip(&now.0).for_each(|(a, b)| *a |= b);
                if grown && !waiting[p as usize] {
                    waiting[p as usize] = true;
                    work.push(p);
                }
            }
        }
        live
    }

    fn row(&self, block: usize) -> &[u64] {
        &self.after[block * self.words..][..self.words]
    }
}
