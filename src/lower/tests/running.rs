//! Trees that run, with every region guarded: what is freed too early ends in a fault.

use std::io::{Read, Seek, SeekFrom};
use std::os::fd::IntoRawFd;
use std::sync::Arc;

use scaly_interp::interpreter::{Ended, Options, World, run};
use scaly_runtime::console::{Input, Output};
use scaly_runtime::memory::{MemoryOptions, RegionMode};

use super::build::*;
use super::{lowered, main_of};
use crate::check::hir::*;
use crate::source::Span;

pub fn output(types: Types, routines: Vec<Routine>) -> String {
    let program = lowered(types, routines);
    let mut file = std::env::temp_dir();
    file.push(format!("scaly-lower-{}-{:?}", std::process::id(), std::thread::current().id()));
    let handle = std::fs::File::options().create(true).truncate(true).read(true).write(true).open(&file).unwrap();
    let mut reader = handle.try_clone().unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    let world = World {
        output: Output::new(handle.into_raw_fd()),
        input: Input::new(null.into_raw_fd()),
        arguments: Vec::new(),
    };
    let memory = MemoryOptions { mode: RegionMode::Guard, limit: None };
    let listing = scaly_interp::dump::Printer::new(&program).to_string();
    let finished = run(Arc::new(program), world, Options { memory, ..Options::default() }).unwrap();
    assert_eq!(finished.ended, Ended::Status(0), "{listing}");
    let mut text = String::new();
    reader.seek(SeekFrom::Start(0)).unwrap();
    reader.read_to_string(&mut text).unwrap();
    std::fs::remove_file(&file).unwrap();
    text
}

fn field(base: Expr, field: u32, ty: TypeId) -> Expr {
    e(ExprKind::Field { base: Box::new(base), field }, ty)
}

fn define(types: &mut Types, name: &str, fields: &[TypeId]) -> TypeId {
    let field = |(i, &ty): (usize, &TypeId)| Field {
        name: format!("f{i}"),
        ty,
        private: false,
        boxed: false,
        span: Span::default(),
    };
    let fields = fields.iter().enumerate().map(field).collect();
    types.add_struct(Struct { name: name.into(), arguments: vec![], fields, span: Span::default() }).1
}

/// `Option[payload]`.
fn option(types: &mut Types, payload: TypeId, boxed: bool) -> TypeId {
    let field = Field { name: "value".into(), ty: payload, private: false, boxed, span: Span::default() };
    let variants = vec![
        Variant { name: "None".into(), payload: vec![], inline: false },
        Variant { name: "Some".into(), payload: vec![field], inline: false },
    ];
    let union = Union { name: "Option".into(), arguments: vec![payload], variants, span: Span::default() };
    let (_, ty) = types.add_union(union);
    types.set_option(payload, ty);
    ty
}

fn some(value: Expr, ty: TypeId) -> Expr {
    e(ExprKind::Variant { variant: 1, payload: vec![value] }, ty)
}

fn none(ty: TypeId) -> Expr {
    e(ExprKind::Variant { variant: 0, payload: vec![] }, ty)
}

fn structure(ty: TypeId, fields: Vec<Expr>) -> Expr {
    e(ExprKind::Struct(fields), ty)
}

fn elements(ty: TypeId, items: Vec<Expr>) -> Expr {
    e(ExprKind::Elements(items), ty)
}

fn concat(a: Expr, b: Expr) -> Expr {
    binary(BinaryOp::Concat, a, b)
}

fn shown(value: Expr) -> Expr {
    e(ExprKind::Show(vec![ShowPart::Value(value, ShowFormat::default())]), Types::STRING)
}

#[test]
fn values_print_as_json() {
    let mut types = Types::default();
    let array = types.intern(Type::Array(Types::STRING));
    let option = option(&mut types, array, false);
    let s = define(&mut types, "S", &[Types::I64, option, Types::F64]);
    let value = |o| structure(s, vec![int(-3), o, e(ExprKind::Float(2.0), Types::F64)]);
    let main = main_of(
        vec![
            print(value(some(elements(array, vec![text("a"), concat(text("b"), text("\""))]), option))),
            print(value(none(option))),
        ],
        &[],
    );
    let expected = r#"{"_type":"S","f0":-3,"f1":{"_type":"Option","_variant":"Some","value":["a","b\""]},"f2":2.0}
{"_type":"S","f0":-3,"f1":{"_type":"Option","_variant":"None"},"f2":2.0}
"#;
    assert_eq!(output(types, vec![main]), expected);
}

#[test]
fn a_list_of_boxes_is_copied_and_replaced() {
    let mut types = Types::default();
    let (id, node) =
        types.add_struct(Struct { name: "Node".into(), arguments: vec![], fields: vec![], span: Span::default() });
    let next = option(&mut types, node, true);
    let field_of =
        |name: &str, ty| Field { name: name.into(), ty, private: false, boxed: false, span: Span::default() };
    types.struct_mut(id).fields = vec![field_of("name", Types::STRING), field_of("next", next)];
    let list = || local(0, next);
    let grown = assign(list(), some(structure(node, vec![shown(local(1, Types::I64)), list()]), next));
    let main = main_of(
        vec![
            bind(0, none(next)),
            for_range(1, int(0), int(3), block(vec![grown], Types::VOID)),
            bind(2, list()),
            assign(list(), none(next)),
            print(list()),
            print(local(2, next)),
            print(e(
                ExprKind::Equal { left: Box::new(local(2, next)), right: Box::new(list()), negate: false },
                Types::BOOL,
            )),
        ],
        &[(LocalKind::Var, next), (LocalKind::Binding, Types::I64), (LocalKind::Var, next)],
    );
    let cell = |name: &str, rest: &str| {
        format!(r#"{{"_type":"Option","_variant":"Some","value":{{"_type":"Node","name":"{name}","next":{rest}}}}}"#)
    };
    let none = r#"{"_type":"Option","_variant":"None"}"#;
    let all = cell("2", &cell("1", &cell("0", none)));
    assert_eq!(output(types, vec![main]), format!("{none}\n{all}\nfalse\n"));
}

#[test]
fn elements_of_an_array_are_replaced_and_grow() {
    let mut types = Types::default();
    let s = define(&mut types, "S", &[Types::STRING, Types::I64]);
    let array = types.intern(Type::Array(s));
    let push = routine("Array[S].push", &[array, s], &[], Types::VOID, intrinsic("Array.push"));
    let a = || local(0, array);
    let i = || local(1, Types::I64);
    let item = |text: Expr| structure(s, vec![text, i()]);
    let push_it = call(0, vec![a(), item(concat(text("x"), shown(i())))], Types::VOID);
    let replace = assign(index(a(), i(), s), item(concat(field(index(a(), i(), s), 0, Types::STRING), text("!"))));
    let main = main_of(
        vec![
            bind(0, elements(array, vec![])),
            for_range(1, int(0), int(4), block(vec![push_it, replace], Types::VOID)),
            print(a()),
        ],
        &[(LocalKind::Var, array), (LocalKind::Binding, Types::I64)],
    );
    let items: Vec<_> = (0..4).map(|i| format!(r#"{{"_type":"S","f0":"x{i}!","f1":{i}}}"#)).collect();
    assert_eq!(output(types, vec![push, main]), format!("[{}]\n", items.join(",")));
}

#[test]
fn a_lambda_keeps_its_captures() {
    let mut types = Types::default();
    let function = types.intern(Type::Function { params: [Types::I64].into(), result: Types::STRING });
    // \n: s + n
    let mut lambda = routine(
        "lambda",
        &[Types::I64],
        &[(LocalKind::Binding, Types::STRING)],
        Types::STRING,
        code(concat(local(1, Types::STRING), shown(local(0, Types::I64)))),
    );
    lambda.kind = RoutineKind::Lambda;
    lambda.captures = vec![Capture { outer: LocalId(0), inner: LocalId(1) }];
    // function make(s: String) returns function(int) returns String
    let made = e(ExprKind::Lambda { routine: RoutineId(0), direct: false }, function);
    let make = routine("make", &[Types::STRING], &[], function, code(block(vec![made], function)));
    let invoke = |f: Expr, n| e(ExprKind::CallValue { callee: Box::new(f), arguments: vec![int(n)] }, Types::STRING);
    let f = || local(0, function);
    let main = main_of(
        vec![
            bind(0, call(1, vec![concat(text("a"), text("b"))], function)),
            bind(1, f()),
            assign(f(), call(1, vec![text("c")], function)),
            print(invoke(f(), 1)),
            print(invoke(local(1, function), 2)),
        ],
        &[(LocalKind::Var, function), (LocalKind::Var, function)],
    );
    assert_eq!(output(types, vec![lambda, make, main]), "c1\nab2\n");
}

#[test]
fn what_is_not_returned_goes_back() {
    // function pick(n: int) returns String { var s = "a" + n; for i in n { if i = 3 return "three" + n; set s: s + "!" } s }
    let mut types = Types::default();
    let _ = types.intern(Type::Array(Types::I64));
    let s = || local(1, Types::STRING);
    let i = || local(2, Types::I64);
    let three = e(ExprKind::Return(Some(Box::new(concat(text("three"), shown(local(0, Types::I64)))))), Types::NEVER);
    let is_three = e(ExprKind::Equal { left: Box::new(i()), right: Box::new(int(3)), negate: false }, Types::BOOL);
    let leave = e(ExprKind::If { condition: Box::new(is_three), then: Box::new(three), otherwise: None }, Types::VOID);
    let body = block(
        vec![
            bind(1, concat(text("a"), shown(local(0, Types::I64)))),
            for_range(
                2,
                int(0),
                local(0, Types::I64),
                block(vec![leave, assign(s(), concat(s(), text("!")))], Types::VOID),
            ),
            s(),
        ],
        Types::STRING,
    );
    let locals = [(LocalKind::Var, Types::STRING), (LocalKind::Binding, Types::I64)];
    let pick = routine("pick", &[Types::I64], &locals, Types::STRING, code(body));
    let r = || local(0, Types::STRING);
    let main = main_of(
        vec![
            bind(0, text("")),
            for_range(
                1,
                int(0),
                int(6),
                block(vec![assign(r(), call(0, vec![local(1, Types::I64)], Types::STRING)), print(r())], Types::VOID),
            ),
        ],
        &[(LocalKind::Var, Types::STRING), (LocalKind::Binding, Types::I64)],
    );
    assert_eq!(output(types, vec![pick, main]), "a0\na1!\na2!!\na3!!!\nthree4\nthree5\n");
}
