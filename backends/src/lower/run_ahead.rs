//! Running ahead of a function's calls of itself, to find those that other threads can make.
//!
//! ```text
//! i32 @region.forking.ahead(ptr run, ptr arguments, i32 depth)
//! ```
//!
//! The function once more, without what depends on the results of its calls of itself: it makes none of them, and tells
//! their arguments ([`SEEN_AHEAD`]), in loops and on any way. The code that forks calls it where a call has nothing
//! that is offered, then makes the same calls in the same order, each by [`RECURSE_AHEAD`], which takes back what nobody
//! has taken (`crate::scale::fork::ahead`). What the function does ahead it does a second time: it only reads.
//!
//! # Where it stops
//!
//! At whatever it cannot know, and where the function itself might go on for ever or come to an error before it gets
//! there: at a branch or check on a result, a check that fails, a call of another function, the function's end, and
//! after so many back edges without a call. So it sees the calls that the function makes first, if each of them
//! returns; if one does not, nothing has happened that anybody sees. It steps over a branch on a result whose ways
//! only compute and meet again, as in `if r > best: best = r`; what they bring then is unknown.

use std::fmt::Write;
use std::mem::offset_of;

use scaly_tracer::region::{Block, BlockId, Edge, Effects, Inst, Region, Terminator, Value};

use super::restart::{MOST_PASSED, RECURSE};
use super::{Lowering, Refusal, Role, line, restart};
use crate::scale::fork::Activation;

/// The routines that the code calls.
pub const RECURSE_AHEAD: &str = "scaly_recurse_ahead";
pub const SEEN_AHEAD: &str = "scaly_seen_ahead";

/// Back edges without a call after which it stops: some microseconds, less than a call that is worth forking takes.
const BACK_EDGES: u32 = 4096;

/// What of a function's region can be known before its calls of itself return.
pub struct RunAhead {
    /// By value: whether it depends on a result.
    unknown: Vec<bool>,
    /// By block: whether it is come to.
    reached: Vec<bool>,
    /// By block: whether the program ends behind it.
    ending: Vec<bool>,
}

/// A branch whose ways only compute until they meet.
struct Hammock {
    meet: BlockId,
    /// What the parameters of the block are where they meet, if it is the same on all ways.
    brought: Vec<Option<Value>>,
}

/// Blocks of a hammock.
const MOST_BLOCKS: usize = 32;

impl Hammock {
    fn of(region: &Region, ending: &[bool], from: BlockId) -> Option<Hammock> {
        let computes = |id: BlockId| {
            let mut insts = region.block(id).insts.iter().map(|&inst| region.inst(inst).op.effects());
            !ending[id.index()] && insts.all(|effects| matches!(effects, Effects::Pure | Effects::Load))
        };
        let mut inside = vec![from];
        let mut ends: Vec<BlockId> = region.block(from).end.edges().map(|edge| edge.to).collect();
        // Blocks come behind those that lead to them: the first end is not the one that all others lead to.
        let meet = loop {
            ends.sort();
            ends.dedup();
            if let &[meet] = &ends[..] {
                break meet;
            }
            let at = ends.iter().position(|&end| end > from)?;
            let next = ends.remove(at);
            if inside.len() == MOST_BLOCKS || !computes(next) || matches!(region.block(next).end, Terminator::Exit(..))
            {
                return None;
            }
            inside.push(next);
            ends.extend(region.block(next).end.edges().map(|edge| edge.to));
        };
        let edges = inside.iter().flat_map(|&id| region.block(id).end.edges()).filter(|edge| edge.to == meet);
        let ways: Vec<&[Value]> = edges.map(|edge| &edge.args[..]).collect();
        let same = |n: usize| ways.iter().all(|args| args[n] == ways[0][n]).then_some(ways[0][n]);
        Some(Hammock { meet, brought: (0..region.block(meet).params.len()).map(same).collect() })
    }
}

/// What is done ahead of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreseen {
    /// The same.
    Done,
    /// Nothing: it waits for a result.
    Unknown,
    /// It stops if the check fails.
    Checked,
    /// A call of itself is told.
    Told,
    /// It stops.
    Stops,
}

impl RunAhead {
    /// For a function's region without calls of itself in place.
    pub fn of(region: &Region) -> RunAhead {
        let mut ahead = RunAhead {
            unknown: vec![false; region.values.len()],
            reached: vec![false; region.blocks.len()],
            ending: region.ending(),
        };
        while ahead.spread(region) {}
        ahead.reached[Region::ENTRY.index()] = true;
        // Blocks come behind those that lead to them, but for back edges.
        for i in 0..region.blocks.len() {
            if ahead.reached[i] {
                ahead.ways(region, BlockId(i as u32)).into_iter().for_each(|to| ahead.reached[to.index()] = true);
            }
        }
        ahead
    }

    /// Marks what depends on what is marked; whether that was anything new.
    fn spread(&mut self, region: &Region) -> bool {
        let mut news = false;
        for (i, block) in region.blocks.iter().enumerate() {
            for &id in &block.insts {
                let inst = region.inst(id);
                if inst.op == restart::own_call(region) || !self.knows(&inst.args) {
                    for &result in &inst.results {
                        news |= !std::mem::replace(&mut self.unknown[result.index()], true);
                    }
                }
            }
            if let Some(hammock) = self.steps_over(region, BlockId(i as u32)) {
                for (param, brought) in region.block(hammock.meet).params.iter().zip(hammock.brought) {
                    if brought.is_none() {
                        news |= !std::mem::replace(&mut self.unknown[param.value.index()], true);
                    }
                }
            }
            for edge in block.end.edges() {
                for (param, arg) in region.block(edge.to).params.iter().zip(&edge.args) {
                    if self.unknown[arg.index()] {
                        news |= !std::mem::replace(&mut self.unknown[param.value.index()], true);
                    }
                }
            }
        }
        news
    }

    pub fn knows(&self, values: &[Value]) -> bool {
        values.iter().all(|value| !self.unknown[value.index()])
    }

    /// Of an instruction in a block behind which the program does not end.
    pub fn foresees(&self, region: &Region, inst: &Inst) -> Foreseen {
        let known = self.knows(&inst.args);
        match inst.op.effects() {
            Effects::Call if inst.op == restart::own_call(region) => {
                if known {
                    Foreseen::Told
                } else {
                    Foreseen::Unknown
                }
            }
            Effects::Pure | Effects::Load if known => Foreseen::Done,
            Effects::Pure | Effects::Load => Foreseen::Unknown,
            Effects::Guard if known => Foreseen::Checked,
            // What follows may depend on a check without naming it.
            Effects::Guard | Effects::Call | Effects::Store => Foreseen::Stops,
        }
    }

    /// A branch on a result that is stepped over.
    fn steps_over(&self, region: &Region, id: BlockId) -> Option<Hammock> {
        match &region.block(id).end {
            Terminator::Branch(cond, ..) if !self.knows(&[*cond]) => Hammock::of(region, &self.ending, id),
            _ => None,
        }
    }

    /// Where a block leads that is come to.
    fn ways(&self, region: &Region, id: BlockId) -> Vec<BlockId> {
        let block = region.block(id);
        let stops = |inst: &Inst| self.foresees(region, inst) == Foreseen::Stops;
        if self.ending[id.index()] || block.insts.iter().any(|&id| stops(region.inst(id))) {
            return Vec::new();
        }
        match &block.end {
            Terminator::Branch(cond, ..) if !self.knows(&[*cond]) => {
                self.steps_over(region, id).map(|hammock| hammock.meet).into_iter().collect()
            }
            end => end.edges().map(|edge| edge.to).collect(),
        }
    }

    /// Whether it sees several calls on a way; `in_loops`: one call in several iterations.
    pub fn sees_several(&self, region: &Region, in_loops: bool) -> bool {
        let told = |id: BlockId| {
            let insts = region.block(id).insts.iter().map(|&inst| self.foresees(region, region.inst(inst)));
            insts.take_while(|&seen| seen != Foreseen::Stops).filter(|&seen| seen == Foreseen::Told).count()
        };
        let blocks = (0..region.blocks.len()).map(|i| BlockId(i as u32));
        let telling = blocks.filter(|&id| self.reached[id.index()] && !self.ending[id.index()] && told(id) > 0);
        telling.into_iter().any(|id| {
            let behind = self.behind(region, id);
            if in_loops {
                return behind[id.index()];
            }
            told(id) > 1 || behind.iter().enumerate().any(|(i, &reached)| reached && told(BlockId(i as u32)) > 0)
        })
    }

    /// By block: whether it is come to behind another.
    fn behind(&self, region: &Region, from: BlockId) -> Vec<bool> {
        let mut behind = vec![false; region.blocks.len()];
        let mut todo = self.ways(region, from);
        while let Some(id) = todo.pop() {
            if !std::mem::replace(&mut behind[id.index()], true) {
                todo.extend(self.ways(region, id));
            }
        }
        behind
    }
}

/// The name of the function that runs ahead of one that forks.
pub fn function_ahead(forking: &str) -> String {
    format!("{forking}.ahead")
}

impl Lowering<'_> {
    /// The head of the function that runs ahead.
    pub fn write_ahead_head(&self, name: &str, module: &mut String) {
        let _ = write!(
            module,
            "define internal i32 @{name}(ptr %run, ptr %frame, i32 %depth) #0 {{\nentry:\n  \
             %arguments = alloca [{MOST_PASSED} x i64], align 8\n  \
             %back_edges = alloca i32, align 4\n  store i32 {BACK_EDGES}, ptr %back_edges\n  br label %block0\n"
        );
    }

    /// Whether a block is written: all are, but what is not come to ahead.
    pub fn is_come_to(&self, id: BlockId) -> bool {
        self.role != Role::Ahead || self.ahead.is_none_or(|ahead| ahead.reached[id.index()])
    }

    /// Whether a value is computed.
    pub fn is_done(&self, value: Value) -> bool {
        self.role != Role::Ahead || self.ahead.is_none_or(|ahead| ahead.knows(&[value]))
    }

    /// What a block does ahead, behind its parameters.
    pub fn block_ahead(&mut self, ahead: &RunAhead, id: BlockId, block: &Block) -> Result<(), Refusal> {
        let ending = self.ending[id.index()];
        for &inst in &block.insts {
            let inst = self.region.inst(inst);
            match ahead.foresees(self.region, inst) {
                _ if ending => break,
                Foreseen::Done => self.inst(block.chain, inst)?,
                Foreseen::Unknown => {}
                Foreseen::Checked => {
                    let (cond, (then, _)) = (self.operand(inst.args[0]), self.fork());
                    line!(self, "br i1 {cond}, label %{then}, label %stopped, !prof !0");
                    self.begin(then);
                }
                Foreseen::Told => {
                    for (i, &arg) in inst.args.iter().enumerate() {
                        let place = self.temporary();
                        line!(self, "{place} = getelementptr i8, ptr %arguments, i64 {}", 8 * i);
                        self.store_at(&place, arg);
                    }
                    let (frame, more) = (self.call_frame(block.chain, inst)?, self.temporary());
                    line!(self, "{more} = call i1 @{SEEN_AHEAD}(ptr %run, ptr %arguments, i32 {frame})");
                    let (then, _) = self.fork();
                    line!(self, "br i1 {more}, label %{then}, label %stopped");
                    self.begin(then);
                    line!(self, "store i32 {BACK_EDGES}, ptr %back_edges");
                }
                Foreseen::Stops => {
                    line!(self, "br label %stopped");
                    return Ok(());
                }
            }
        }
        let over = ahead.steps_over(self.region, id).filter(|_| !ending);
        let mut to = block.end.edges().map(|edge| edge.to).chain(over.as_ref().map(|hammock| hammock.meet));
        if !ending && to.any(|to| to <= id) {
            let (before, after, none) = (self.temporary(), self.temporary(), self.temporary());
            line!(self, "{before} = load i32, ptr %back_edges");
            line!(self, "{after} = sub i32 {before}, 1");
            line!(self, "store i32 {after}, ptr %back_edges");
            line!(self, "{none} = icmp eq i32 {after}, 0");
            let (then, _) = self.fork();
            line!(self, "br i1 {none}, label %stopped, label %{then}");
            self.begin(then);
        }
        match &block.end {
            Terminator::Jump(edge) if !ending => {
                line!(self, "br label %{}", edge.to);
                self.come(self.label.clone(), edge);
            }
            Terminator::Branch(cond, yes, no) if !ending && ahead.knows(&[*cond]) => {
                self.branch(*cond, yes, no, block.end_pc)
            }
            _ => match over {
                Some(Hammock { meet, brought }) => {
                    line!(self, "br label %{meet}");
                    // What differs is unknown, and is not asked for.
                    let params = self.region.block(meet).params.iter().map(|param| param.value);
                    let args = brought.into_iter().zip(params).map(|(brought, param)| brought.unwrap_or(param));
                    self.come(self.label.clone(), &Edge { to: meet, args: args.collect() });
                }
                None => {
                    line!(self, "br label %stopped");
                }
            },
        }
        Ok(())
    }

    /// Where a function that forks begins: what is known of this activation.
    pub fn write_activation(&self, name: &str, module: &mut String) {
        let (params, size) =
            (self.region.blocks[0].params.iter().map(|param| param.slot + 1).max(), size_of::<Activation>());
        let _ = writeln!(module, "  %ahead = alloca [{size} x i8], align 8");
        let mut store = |offset: usize, what: &str| {
            let _ = write!(
                module,
                "  %ahead{offset} = getelementptr i8, ptr %ahead, i64 {offset}\n  store {what}, ptr %ahead{offset}, align 8\n"
            );
        };
        store(offset_of!(Activation, code), &format!("ptr @{}", function_ahead(name)));
        store(offset_of!(Activation, frame), "ptr %frame");
        store(offset_of!(Activation, made), "i64 0");
        store(offset_of!(Activation, offered), "i64 0");
        store(offset_of!(Activation, stopped), "i64 0");
        let _ = write!(
            module,
            "  %own = getelementptr i8, ptr %ahead, i64 {}\n  \
             call void @llvm.memcpy.p0.p0.i64(ptr align 8 %own, ptr align 8 %frame, i64 {}, i1 false)\n",
            offset_of!(Activation, arguments),
            u32::from(params.unwrap_or(0)) * 8
        );
    }

    /// A call of itself whose arguments are in its frame.
    pub fn call_ahead(&mut self, ahead: &RunAhead, place: &str, inst: &Inst) -> String {
        if ahead.knows(&inst.args) {
            format!("@{RECURSE_AHEAD}(ptr %run, ptr {place}, i32 %deeper, ptr %ahead)")
        } else {
            format!("@{RECURSE}(ptr %run, ptr {place}, i32 %deeper)")
        }
    }
}

#[cfg(test)]
mod tests {
    use scaly_interp::dump::parse;
    use scaly_interp::program::FunctionId;
    use scaly_tracer::parameters::Parameters;
    use scaly_tracer::walker::Walker;

    use super::*;

    /// What is seen of a function of two ints that calls itself in a loop whose counter is s4, with the result in s10 and a
    /// sum in s3: in several iterations, or several calls on a way.
    fn seen(body: &str) -> (bool, bool) {
        let text = format!(
            "main f\nfunction f(params 2, results 1, frame 24)\n  JLtSImm s0, 1 -> @none\n  Const s3, 0\n  Const s4, 0\n\
             loop open @top..@out\ntop: JLeS s1, s4 -> @out\n{body}  AddImm s4, s4, 1\n  Loop loop0 -> @top\n\
             out: Return1 s3\nnone: Return1 s1\n"
        );
        let program = parse(&text).unwrap();
        let parameters = Parameters { recursion_depth: 0, ..Parameters::default() };
        let region = Walker::new(&program, parameters).keeping().walk_function(FunctionId(0)).unwrap();
        let ahead = RunAhead::of(&region);
        (ahead.sees_several(&region, true), ahead.sees_several(&region, false))
    }

    const CALL: &str = "  AddImm s10, s0, -1\n  Move s11, s4\n  Call s10, f\n";

    #[test]
    fn calls_of_several_iterations_are_seen() {
        assert_eq!(seen(&format!("{CALL}  Add s3, s3, s10\n")), (true, true));
        assert_eq!(seen(&format!("  JLtSImm s4, 3 -> @next\n{CALL}next: Add s3, s3, s4\n")), (true, true));
    }

    #[test]
    fn a_call_that_needs_a_result_is_not_seen() {
        let call = CALL.replace("s0, -1", "s3, -1");
        assert_eq!(seen(&format!("{call}  Add s3, s3, s10\n")), (false, false));
        assert_eq!(seen(&format!("{CALL}  Add s1, s1, s10\n")), (false, false), "the loop's condition does");
    }

    #[test]
    fn nothing_is_seen_behind_a_result_that_decides() {
        assert_eq!(seen(&format!("{CALL}  JLtSImm s10, 7 -> @out\n")), (false, false));
        let before = format!("  Move s14, s0\n  Move s15, s4\n  Call s14, f\n{CALL}  JLtSImm s10, 7 -> @out\n");
        assert_eq!(seen(&before.replace("Move s14, s0", "AddImm s14, s0, -2")), (false, true), "two are before that");
    }

    #[test]
    fn what_only_chooses_by_a_result_is_stepped_over() {
        assert_eq!(seen(&format!("{CALL}  JLtS s10, s3 -> @less\n  Move s3, s10\nless: Move s12, s3\n")), (true, true));
        let chosen = "  JLtSImm s10, 7 -> @less\n  AddImm s4, s4, 1\nless: Move s12, s3\n";
        assert_eq!(seen(&format!("{CALL}{chosen}")), (false, false), "the loop's counter depends on it");
        let calls = format!("  JLtSImm s10, 7 -> @less\n{CALL}less: Move s12, s3\n");
        assert_eq!(seen(&format!("{CALL}{calls}")), (false, false), "a call does");
        let repeats = "loop open @again..@done\nagain: JLeS s10, s13 -> @done\n  AddImm s13, s13, 1\n  \
                       Loop loop1 -> @again\ndone: Move s12, s3\n";
        assert_eq!(seen(&format!("{CALL}  Const s13, 0\n{repeats}")), (false, false), "it may never end");
    }
}
