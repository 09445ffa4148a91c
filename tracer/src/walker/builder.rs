//! The machine that builds a region: `step` runs over it, and what it asks for becomes instructions.
//!
//! A slot's value has no type until it is read as one: the type of a parameter or of a call's result is that of its first
//! reader, and where two meet that differ, the bits are reread.
//!
//! A branch is decided by running its instruction once for each side. What stands before the decision is emitted by the
//! first run and found again, value by value, by the second; what stands behind it goes to a block of its side.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use scaly_interp::machine::{
    Fault, FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntMemory, IntOp, IntUnary, Machine,
};
use scaly_interp::program::Pc;

use super::fold;
use super::scope::Scope;
use crate::region::{
    Block, BlockId, Chain, ChainId, Cycle, CycleId, Def, Effects, Exit, ExitId, ExitKind, Inst, InstId, Kept, Op,
    Param, Terminator, Type, Value,
};

/// A value under construction.
#[derive(Clone, Copy, Debug)]
pub struct Draft {
    /// Of a slot that nobody has read yet: none.
    pub ty: Option<Type>,
    pub def: Def,
}

/// How a branch is answered.
#[derive(Clone, Debug, PartialEq)]
enum Run {
    /// The first side; emitted values are written down.
    First,
    /// The second side; values up to the decision are found again.
    Second { at: usize },
}

/// What deciding an instruction came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    pub cond: Value,
    /// The block that holds what this side emits behind the decision.
    pub side: BlockId,
}

pub struct Builder {
    pub chains: Vec<Chain>,
    pub cycles: Vec<Cycle>,
    pub exits: Vec<Exit>,
    pub blocks: Vec<Block>,
    pub insts: Vec<Inst>,
    pub values: Vec<Draft>,
    pub constants: FxHashMap<Op, Value>,
    /// Conditions that are the same on every path.
    known: FxHashMap<Value, bool>,
    /// Where instructions go.
    pub block: BlockId,
    pub pc: Pc,
    /// The current activation's slots; none where nothing was written.
    pub frame: Vec<Option<Value>>,
    /// What guards of the current instruction keep.
    pub guards_keep: Vec<Kept>,
    /// The current instruction looks for room, and the interpreter makes it where there is none.
    pub finds_room: bool,
    /// Bytes of each string constant.
    text_lengths: Vec<i64>,
    scope: Scope,
    run: Run,
    written_down: Vec<Value>,
    decision: Option<Decision>,
}

pub const NOWHERE: BlockId = BlockId(u32::MAX);

impl Builder {
    pub fn new(text_lengths: Vec<i64>) -> Builder {
        Builder {
            chains: Vec::new(),
            cycles: Vec::new(),
            exits: Vec::new(),
            blocks: Vec::new(),
            insts: Vec::new(),
            values: Vec::new(),
            constants: FxHashMap::default(),
            known: FxHashMap::default(),
            block: NOWHERE,
            pc: Pc(0),
            frame: Vec::new(),
            guards_keep: Vec::new(),
            finds_room: false,
            text_lengths,
            scope: Scope::default(),
            run: Run::First,
            written_down: Vec::new(),
            decision: None,
        }
    }

    pub fn new_block(&mut self, chain: ChainId, pc: Pc, cycle: Option<CycleId>) -> BlockId {
        let id = BlockId(self.blocks.len() as u32);
        self.blocks.push(Block {
            chain,
            pc,
            cycle,
            params: Vec::new(),
            insts: Vec::new(),
            end: Terminator::Exit(ExitId(u32::MAX), Vec::new()),
            end_pc: pc,
        });
        id
    }

    pub fn add_param(&mut self, block: BlockId, slot: u16, ty: Option<Type>) -> Value {
        let value = Value(self.values.len() as u32);
        let position = self.blocks[block.index()].params.len() as u32;
        self.values.push(Draft { ty, def: Def::Param(block, position) });
        self.blocks[block.index()].params.push(Param { value, slot });
        value
    }

    /// Ends the current block.
    pub fn end(&mut self, end: Terminator) {
        let block = &mut self.blocks[self.block.index()];
        block.end = end;
        block.end_pc = self.pc;
    }

    pub fn exit(&mut self, kind: ExitKind, pc: Pc, slots: &[u16]) -> ExitId {
        let exit = Exit { kind, pc, slots: slots.to_vec() };
        if let Some(at) = self.exits.iter().position(|e| *e == exit) {
            return ExitId(at as u32);
        }
        self.exits.push(exit);
        ExitId(self.exits.len() as u32 - 1)
    }

    /// Emits an instruction whose result, if any, has this type.
    pub fn emit(&mut self, op: Op, args: &[Value], results: &[Option<Type>]) -> Vec<Value> {
        if let Run::Second { at } = &mut self.run
            && self.decision.is_none()
        {
            let found = self.written_down[*at..*at + results.len()].to_vec();
            *at += results.len();
            return found;
        }
        // What stands behind a decision belongs to one side.
        if let Some(decision) = self.decision {
            return self.append(decision.side, op, args, results);
        }
        let values = self.find_or_append(op, args, results);
        self.written_down.extend(&values);
        values
    }

    fn find_or_append(&mut self, op: Op, args: &[Value], results: &[Option<Type>]) -> Vec<Value> {
        let key = (op, args.to_vec());
        let found = match op.effects() {
            Effects::Pure | Effects::Guard => self.scope.pure(&key),
            Effects::Load => self.scope.load(&key),
            Effects::Store | Effects::Call => None,
        };
        if let Some(found) = found {
            return found.clone();
        }
        let values = self.append(self.block, op, args, results);
        match op.effects() {
            Effects::Pure | Effects::Guard => self.scope.add_pure(key, values.clone()),
            Effects::Load => self.scope.add_load(key, values.clone()),
            Effects::Store | Effects::Call => self.scope.forget_loads(),
        }
        values
    }

    /// Begins a block that knows what is given, without its loads if memory may have changed since.
    pub fn open_scope(&mut self, known: Option<Rc<Scope>>, changed: bool) {
        self.scope = Scope::inside(known);
        if changed {
            self.scope.forget_loads();
        }
    }

    /// What is known at the end of the current block.
    pub fn close_scope(&mut self) -> Rc<Scope> {
        Rc::new(std::mem::take(&mut self.scope))
    }

    /// Here the condition has this value.
    pub fn assume(&mut self, cond: Value, holds: bool) {
        self.scope.add_condition(cond, holds);
        if let Some(Inst { op: Op::Not, args, .. }) = self.op_of(cond) {
            let cond = args[0];
            self.scope.add_condition(cond, !holds);
        }
    }

    fn append(&mut self, block: BlockId, op: Op, args: &[Value], results: &[Option<Type>]) -> Vec<Value> {
        let id = InstId(self.insts.len() as u32);
        let values: Vec<Value> = (0..results.len()).map(|i| Value((self.values.len() + i) as u32)).collect();
        for (i, &ty) in results.iter().enumerate() {
            self.values.push(Draft { ty, def: Def::Result(id, i as u32) });
        }
        let kept = if matches!(op, Op::Guard(_)) { self.guards_keep.clone() } else { Vec::new() };
        self.insts.push(Inst { op, args: args.to_vec(), results: values.clone(), pc: self.pc, block, kept });
        self.blocks[block.index()].insts.push(id);
        values
    }

    /// An instruction that is not run here may be run by the interpreter, with these slots.
    pub fn emit_call(&mut self, op: Op, args: &[Value], results: usize, kept: Vec<Kept>) -> Vec<Value> {
        let values = self.emit(op, args, &vec![None; results]);
        if let Some(inst) = self.insts.last_mut() {
            inst.kept = kept;
        }
        values
    }

    fn pure(&mut self, op: Op, args: &[Value], ty: Type) -> Value {
        self.emit(op, args, &[Some(ty)])[0]
    }

    /// Constants stand in the entry, each once.
    pub fn constant(&mut self, op: Op, ty: Type) -> Value {
        if let Some(&value) = self.constants.get(&op) {
            return value;
        }
        let value = self.append(BlockId(0), op, &[], &[Some(ty)])[0];
        self.constants.insert(op, value);
        value
    }

    pub fn word_constant(&mut self, value: i64) -> Value {
        self.constant(Op::Const(value), Type::Word)
    }

    pub fn op_of(&self, value: Value) -> Option<&Inst> {
        match self.values[value.index()].def {
            Def::Result(inst, _) => Some(&self.insts[inst.index()]),
            Def::Param(..) => None,
        }
    }

    pub fn constant_of(&self, value: Value) -> Option<i64> {
        match self.op_of(value)?.op {
            Op::Const(c) => Some(c),
            _ => None,
        }
    }

    /// The value in a slot whatever its type; a slot that was never written reads 0.
    pub fn slot(&mut self, slot: u16) -> Value {
        match self.frame.get(usize::from(slot)).copied().flatten() {
            Some(value) => value,
            None => self.word_constant(0),
        }
    }

    pub fn set_slot(&mut self, slot: u16, value: Value) {
        if let Some(place) = self.frame.get_mut(usize::from(slot)) {
            *place = Some(value);
        }
    }

    /// The value in a slot as this type.
    fn read(&mut self, slot: u16, ty: Type) -> Value {
        let value = self.slot(slot);
        self.as_type(value, ty)
    }

    fn as_type(&mut self, value: Value, ty: Type) -> Value {
        match self.values[value.index()].ty {
            None => {
                self.values[value.index()].ty = Some(ty);
                value
            }
            Some(found) if found == ty => value,
            Some(_) => {
                // All-zero bits are the zero of every type.
                if self.constant_of(value) == Some(0) {
                    return match ty {
                        Type::Float => self.constant(Op::ConstF64(0), ty),
                        _ => self.constant(Op::ConstF32(0), ty),
                    };
                }
                self.pure(Op::Reread(ty), &[value], ty)
            }
        }
    }

    /// Starts an instruction.
    pub fn begin(&mut self, pc: Pc) {
        self.pc = pc;
        self.run = Run::First;
        self.decision = None;
        self.written_down.clear();
    }

    /// Starts the same instruction again for its other side.
    pub fn begin_again(&mut self) {
        self.run = Run::Second { at: 0 };
        self.decision = None;
    }

    /// What was decided since `begin`; forgets it.
    pub fn take_decision(&mut self) -> Option<Decision> {
        self.decision.take()
    }

    fn known_cond(&self, cond: Value) -> Option<bool> {
        self.known.get(&cond).copied().or_else(|| self.scope.condition(cond))
    }

    fn note(&mut self, cond: Value, known: Option<bool>) -> Value {
        if let Some(known) = known {
            self.known.insert(cond, known);
        }
        cond
    }

    /// Instructions so far, constants apart.
    pub fn size(&self) -> usize {
        self.insts.len() - self.blocks.first().map_or(0, |b| b.insts.len())
    }
}

impl Machine for Builder {
    type Word = Value;
    type Float = Value;
    type Single = Value;
    type Cond = Value;

    fn word(&mut self, slot: u16) -> Value {
        self.read(slot, Type::Word)
    }

    fn float(&mut self, slot: u16) -> Value {
        self.read(slot, Type::Float)
    }

    fn single(&mut self, slot: u16) -> Value {
        self.read(slot, Type::Single)
    }

    fn set_word(&mut self, slot: u16, value: Value) {
        self.set_slot(slot, value);
    }

    fn set_float(&mut self, slot: u16, value: Value) {
        self.set_slot(slot, value);
    }

    fn set_single(&mut self, slot: u16, value: Value) {
        self.set_slot(slot, value);
    }

    fn move_slots(&mut self, to: u16, from: u16, count: u32) {
        let values: Vec<Value> = (0..count as u16).map(|i| self.slot(from.saturating_add(i))).collect();
        for (i, value) in values.into_iter().enumerate() {
            self.set_slot(to.saturating_add(i as u16), value);
        }
    }

    fn const_word(&mut self, value: i64) -> Value {
        self.word_constant(value)
    }

    fn const_float(&mut self, bits: u64) -> Value {
        self.constant(Op::ConstF64(bits), Type::Float)
    }

    fn const_single(&mut self, bits: u32) -> Value {
        self.constant(Op::ConstF32(bits), Type::Single)
    }

    fn text(&mut self, id: u32) -> (Value, Value) {
        let pointer = self.constant(Op::Text(id), Type::Word);
        let length = self.text_lengths.get(id as usize).copied().unwrap_or(0);
        (pointer, self.word_constant(length))
    }

    fn global(&mut self, offset: u32) -> Value {
        self.constant(Op::Global(offset), Type::Word)
    }

    fn int(&mut self, op: IntOp, a: Value, b: Value) -> Value {
        let (left, right) = (self.constant_of(a), self.constant_of(b));
        if let (Some(left), Some(right)) = (left, right)
            && let Some(value) = fold::int(op, left, right)
        {
            return self.word_constant(value);
        }
        match (op, left, right) {
            // x + 0 = x, x - 0 = x, x | 0 = x, x ^ 0 = x
            (IntOp::Add | IntOp::Sub | IntOp::Or | IntOp::Xor, _, Some(0)) => return a,
            // 0 + x = x
            (IntOp::Add, Some(0), _) => return b,
            // x * 1 = x
            (IntOp::Mul, _, Some(1)) => return a,
            (IntOp::Mul, Some(1), _) => return b,
            _ => {}
        }
        // word(c) ^ 1 = word(not c)
        if op == IntOp::Xor
            && right == Some(1)
            && let Some(Inst { op: Op::CondWord, args, .. }) = self.op_of(a)
        {
            let cond = args[0];
            let not = self.not(cond);
            return self.cond_word(not);
        }
        self.pure(Op::Int(op), &[a, b], Type::Word)
    }

    fn int_unary(&mut self, op: IntUnary, a: Value) -> Value {
        if let Some(value) = self.constant_of(a).and_then(|a| fold::int_unary(op, a)) {
            return self.word_constant(value);
        }
        self.pure(Op::IntUnary(op), &[a], Type::Word)
    }

    fn compare(&mut self, op: IntCompare, a: Value, b: Value) -> Value {
        // word(c) <> 0 = c, (word(c) = 0) = not c
        if self.constant_of(b) == Some(0)
            && let Some(Inst { op: Op::CondWord, args, .. }) = self.op_of(a)
        {
            let cond = args[0];
            match op {
                IntCompare::Ne => return cond,
                IntCompare::Eq => return self.not(cond),
                _ => {}
            }
        }
        let known = match (self.constant_of(a), self.constant_of(b)) {
            (Some(left), Some(right)) => Some(fold::compare(op, left, right)),
            _ if a == b => Some(matches!(op, IntCompare::Eq | IntCompare::LeS | IntCompare::LeU)),
            _ => None,
        };
        let cond = self.pure(Op::Compare(op), &[a, b], Type::Cond);
        self.note(cond, known)
    }

    fn float_op(&mut self, op: FloatOp, a: Value, b: Value) -> Value {
        self.pure(Op::Float(op), &[a, b], Type::Float)
    }

    fn float_unary(&mut self, op: FloatUnary, a: Value) -> Value {
        self.pure(Op::FloatUnary(op), &[a], Type::Float)
    }

    fn float_compare(&mut self, op: FloatCompare, a: Value, b: Value) -> Value {
        self.pure(Op::FloatCompare(op), &[a, b], Type::Cond)
    }

    fn single_op(&mut self, op: FloatOp, a: Value, b: Value) -> Value {
        self.pure(Op::Single(op), &[a, b], Type::Single)
    }

    fn single_unary(&mut self, op: FloatUnary, a: Value) -> Value {
        self.pure(Op::SingleUnary(op), &[a], Type::Single)
    }

    fn single_compare(&mut self, op: FloatCompare, a: Value, b: Value) -> Value {
        self.pure(Op::SingleCompare(op), &[a, b], Type::Cond)
    }

    fn cond_word(&mut self, cond: Value) -> Value {
        match self.known_cond(cond) {
            Some(known) => self.word_constant(i64::from(known)),
            None => self.pure(Op::CondWord, &[cond], Type::Word),
        }
    }

    fn not(&mut self, cond: Value) -> Value {
        // not not c = c
        if let Some(Inst { op: Op::Not, args, .. }) = self.op_of(cond) {
            return args[0];
        }
        let known = self.known_cond(cond).map(|k| !k);
        let value = self.pure(Op::Not, &[cond], Type::Cond);
        self.note(value, known)
    }

    fn int_to_float(&mut self, signed: bool, a: Value) -> Value {
        self.pure(Op::IntToFloat(signed), &[a], Type::Float)
    }

    fn int_to_single(&mut self, signed: bool, a: Value) -> Value {
        self.pure(Op::IntToSingle(signed), &[a], Type::Single)
    }

    fn single_to_float(&mut self, a: Value) -> Value {
        self.pure(Op::SingleToFloat, &[a], Type::Float)
    }

    fn float_to_single(&mut self, a: Value) -> Value {
        self.pure(Op::FloatToSingle, &[a], Type::Single)
    }

    fn float_to_int(&mut self, kind: IntKind, a: Value) -> Value {
        self.pure(Op::FloatToInt(kind), &[a], Type::Word)
    }

    fn float_bits(&mut self, a: Value) -> Value {
        self.pure(Op::FloatBits, &[a], Type::Word)
    }

    fn single_bits(&mut self, a: Value) -> Value {
        self.pure(Op::SingleBits, &[a], Type::Word)
    }

    fn bits_float(&mut self, a: Value) -> Value {
        self.pure(Op::BitsFloat, &[a], Type::Float)
    }

    fn bits_single(&mut self, a: Value) -> Value {
        self.pure(Op::BitsSingle, &[a], Type::Single)
    }

    fn element(&mut self, base: Value, index: Value, stride: u32, offset: u32) -> Value {
        self.pure(Op::Element { stride, offset }, &[base, index], Type::Word)
    }

    fn load_int(&mut self, kind: IntMemory, address: Value, offset: u32) -> Value {
        self.pure(Op::LoadInt(kind, offset), &[address], Type::Word)
    }

    fn load_pointer(&mut self, address: Value, offset: u32) -> Value {
        self.pure(Op::LoadPointer(offset), &[address], Type::Word)
    }

    fn load_float(&mut self, address: Value, offset: u32) -> Value {
        self.pure(Op::LoadFloat(offset), &[address], Type::Float)
    }

    fn load_single(&mut self, address: Value, offset: u32) -> Value {
        self.pure(Op::LoadSingle(offset), &[address], Type::Single)
    }

    fn store_int(&mut self, kind: IntMemory, address: Value, offset: u32, value: Value) {
        self.emit(Op::StoreInt(kind, offset), &[address, value], &[]);
    }

    fn store_float(&mut self, address: Value, offset: u32, value: Value) {
        self.emit(Op::StoreFloat(offset), &[address, value], &[]);
    }

    fn store_single(&mut self, address: Value, offset: u32, value: Value) {
        self.emit(Op::StoreSingle(offset), &[address, value], &[]);
    }

    fn capacity(&mut self, base: Value) -> Value {
        self.pure(Op::Capacity, &[base], Type::Word)
    }

    fn check(&mut self, cond: Value, fault: Fault) -> bool {
        if self.known_cond(cond) != Some(true) {
            self.emit(Op::Guard(fault), &[cond], &[]);
            self.assume(cond, true);
        }
        true
    }

    fn decide(&mut self, cond: Value) -> bool {
        if let Some(known) = self.known_cond(cond) {
            return known;
        }
        if self.finds_room {
            return self.check(cond, Fault::OutOfMemory);
        }
        let (chain, cycle) = {
            let block = &self.blocks[self.block.index()];
            (block.chain, block.cycle)
        };
        let side = self.new_block(chain, self.pc, cycle);
        self.decision = Some(Decision { cond, side });
        self.run == Run::First
    }
}
