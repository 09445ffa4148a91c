//! Lowering of small trees: the instructions of inner loops, and that what comes out is a program.

mod build;
mod folding;
mod inner_loops;
mod running;

use scaly_interp::dump::Printer;
use scaly_interp::program::Program;

use super::lower;
use crate::check::hir::{self, *};
use crate::check::ownership;
use build::*;

/// The program whose main routine is the last one.
fn lowered(mut types: Types, mut routines: Vec<Routine>) -> Program {
    let main = RoutineId(routines.len() as u32 - 1);
    let _ = &mut types;
    routines[main.0 as usize].kind = RoutineKind::Main;
    let mut program = hir::Program { types, routines, globals: Vec::new(), main, ..hir::Program::default() };
    let found = ownership::analyze(&mut program, false);
    assert!(found.is_empty(), "{found:?}");
    let out = lower(&program).unwrap();
    let verdict = scaly_interp::verify::verify(&out);
    assert!(verdict.is_ok(), "{verdict:?}\n{}", Printer::new(&out).library(true));
    out
}

/// The opcodes of a function.
fn opcodes(program: &Program, name: &str) -> String {
    let function = program.functions.iter().find(|f| f.name == name).unwrap();
    let code = &program.code[function.code.start as usize..function.code.end as usize];
    code.iter().map(|i| i.op.name()).collect::<Vec<_>>().join(" ")
}

fn main_of(parts: Vec<Expr>, locals: &[(LocalKind, TypeId)]) -> Routine {
    let mut parts = parts;
    parts.push(int(0));
    routine("main", &[], locals, Types::I64, code(block(parts, Types::I64)))
}

#[test]
fn fib_compares_and_branches_at_once() {
    let n = || local(0, Types::I64);
    let less = |k| call(0, vec![binary(BinaryOp::Sub, n(), int(k))], Types::I64);
    let body = conditional(compare(CompareOp::Lt, n(), int(2)), n(), binary(BinaryOp::Add, less(1), less(2)));
    let fib = routine("fib", &[Types::I64], &[], Types::I64, code(body));
    let main = main_of(vec![print(call(0, vec![int(20)], Types::I64))], &[]);
    let program = lowered(Types::default(), vec![fib, main]);
    assert_eq!(opcodes(&program, "fib"), "JGeSImm Return1 AddImm Call AddImm Call Add Return1");
}

#[test]
fn a_loop_over_elements() {
    let mut types = Types::default();
    let slice = types.intern(Type::Slice(Types::F64));
    let element = index(local(0, slice), local(3, Types::I64), Types::F64);
    let sum = assign(local(2, Types::F64), binary(BinaryOp::Add, local(2, Types::F64), element));
    let body = block(
        vec![
            bind(2, e(ExprKind::Float(0.0), Types::F64)),
            for_range(3, int(0), local(1, Types::I64), block(vec![sum], Types::VOID)),
            local(2, Types::F64),
        ],
        Types::F64,
    );
    let locals = [(LocalKind::Var, Types::F64), (LocalKind::Binding, Types::I64)];
    let sum = routine("sum", &[slice, Types::I64], &locals, Types::F64, code(body));
    let array = types.intern(Type::Array(Types::F64));
    let empty = e(ExprKind::AsSlice(Box::new(e(ExprKind::Elements(vec![]), array))), slice);
    let main = main_of(vec![print(call(0, vec![empty, int(20)], Types::F64))], &[]);
    let program = lowered(types, vec![sum, main]);
    assert_eq!(opcodes(&program, "sum"), "ConstF64 Const ForPrepS LoadElemF64 AddF64 ForLoop Return1");
}

#[test]
fn strings_of_an_iteration_go_at_its_end() {
    let s = || local(0, Types::STRING);
    let step = assign(s(), binary(BinaryOp::Concat, text("a"), text("b")));
    let main = main_of(
        vec![
            bind(0, text("")),
            for_range(1, int(0), int(10), block(vec![step, print(binary(BinaryOp::Concat, s(), s()))], Types::VOID)),
        ],
        &[(LocalKind::Var, Types::STRING), (LocalKind::Binding, Types::I64)],
    );
    let program = lowered(Types::default(), vec![main]);
    let text = Printer::new(&program).to_string();
    assert_eq!(text.matches("RegionEnter").count(), 2, "{text}");
    assert_eq!(text.matches("RegionReset").count(), 1, "{text}");
    assert_eq!(text.matches("RegionExit").count(), 2, "{text}");
    assert_eq!(text.matches("Free").count(), 1, "{text}");
}
