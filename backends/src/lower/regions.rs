//! Which slots of a region's frame hold handles of regions: where a part of a loop gets others.

use scaly_interp::routine::{Kind, Routine};
use scaly_tracer::region::{Def, Inst, Op, Region, Value};

use super::callees::Callees;

/// The slots of the entry's parameters that are used as handles of regions, by the region or by functions of the module.
/// None if a handle comes from somewhere else, memory for example.
pub fn slots(region: &Region, callees: &Callees) -> Option<Vec<u16>> {
    Handled::of(callees)?.params(region)
}

/// By function of a module: its slots that hold handles when it is called.
struct Handled<'a> {
    callees: &'a Callees,
    slots: Vec<Vec<u16>>,
}

impl Handled<'_> {
    /// Grows until nothing is new: functions may call one another.
    fn of(callees: &Callees) -> Option<Handled<'_>> {
        let mut handled = Handled { callees, slots: vec![Vec::new(); callees.functions.len()] };
        loop {
            let mut news = false;
            for (i, callee) in callees.functions.iter().enumerate() {
                let slots = handled.params(&callee.region)?;
                news |= slots.len() != handled.slots[i].len();
                handled.slots[i] = slots;
            }
            if !news {
                return Some(handled);
            }
        }
    }

    /// The slots of the region's parameters that are handles.
    fn params(&self, region: &Region) -> Option<Vec<u16>> {
        let preds = region.predecessors();
        let mut todo: Vec<Value> = region.insts.iter().flat_map(|inst| self.handles(inst)).collect();
        let mut seen = vec![false; region.values.len()];
        let mut slots = Vec::new();
        while let Some(value) = todo.pop() {
            if std::mem::replace(&mut seen[value.index()], true) {
                continue;
            }
            match region.values[value.index()].def {
                Def::Param(block, position) if block == Region::ENTRY => {
                    slots.push(region.block(block).params[position as usize].slot);
                }
                Def::Param(block, position) => {
                    let edges =
                        preds[block.index()].iter().filter_map(|&(from, n)| region.block(from).end.edges().nth(n));
                    todo.extend(edges.filter_map(|edge| edge.args.get(position as usize)));
                }
                Def::Result(inst, _) if region.inst(inst).op == Op::Runtime(Routine::RegionEnter) => {}
                Def::Result(..) => return None,
            }
        }
        slots.sort_unstable();
        Some(slots)
    }

    /// The operands of an instruction that are handles.
    fn handles(&self, inst: &Inst) -> Vec<Value> {
        let at = |slots: &mut dyn Iterator<Item = u16>| -> Vec<Value> {
            slots.filter_map(|slot| inst.args.get(usize::from(slot)).copied()).collect()
        };
        match inst.op {
            Op::Runtime(routine) => {
                let params = routine.signature().params;
                let starts = params.iter().scan(0, |slot, param| {
                    let start = *slot;
                    *slot += param.kind.slots();
                    Some((start, param.kind))
                });
                at(&mut starts.filter(|(_, kind)| *kind == Kind::Region).map(|(slot, _)| slot))
            }
            Op::Call(id) => match self.callees.find(id) {
                Some(callee) => at(&mut self.slots[callee].iter().copied()),
                None => Vec::new(),
            },
            Op::CallAny(class) => {
                let known = self.callees.candidates(class).filter_map(|id| self.callees.find(id));
                // The function's id comes first.
                at(&mut known.flat_map(|callee| self.slots[callee].iter().map(|slot| slot + 1)))
            }
            _ => Vec::new(),
        }
    }
}
