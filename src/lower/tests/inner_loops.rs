//! How many instructions the inner loops of the benchmarks take: an interpreter pays for each.

use scaly_interp::program::Program;

use crate::engine::{self, Options};
use crate::source::SourceFile;

fn compiled(text: &str) -> Program {
    match engine::compile(SourceFile::new("test.scaly", text, false), Options::default()) {
        Ok(compiled) => (*compiled.program).clone(),
        Err(failure) => panic!("{:?}", failure.diagnostics),
    }
}

/// The opcodes of the innermost loop of a function that is not the library's.
fn inner_loop(text: &str) -> String {
    let program = compiled(text);
    let of_user = |l: &&scaly_interp::program::Loop| !program.function(l.function).library;
    let has_inner = |id: usize| program.loops.iter().any(|l| l.parent.is_some_and(|p| p.0 as usize == id));
    let found = program.loops.iter().enumerate().filter(|(id, l)| of_user(l) && !has_inner(*id)).map(|(_, l)| l);
    let one = found.reduce(|_, last| last).expect("a loop");
    let code = &program.code[one.code.start as usize..one.code.end as usize];
    code.iter().map(|i| i.op.name()).collect::<Vec<_>>().join(" ")
}

#[test]
fn matrix_multiplication() {
    let text = "
function product(a: Slice[f64], b: Slice[f64], n: int, i: int, j: int) returns f64 {
    var sum = 0.0
    for k in n
        sum += a[i * n + k] * b[k * n + j]
    sum
}
println(product([1.0], [2.0], 1, 0, 0))";
    assert_eq!(inner_loop(text), "Add LoadElemF64 Mul Add LoadElemF64 MulF64 AddF64 ForLoop");
}

#[test]
fn sieve() {
    let text = "
var composite = Array[bool](100)
var k = 4
while k < 100 {
    composite[k] = true
    k += 2
}
println(composite[4])";
    assert_eq!(inner_loop(text), "JGeSImm StoreElemI8 AddImm Loop");
}

#[test]
fn fields_of_elements() {
    let text = "
define Body(x: f64, v: f64)
procedure step(bodies: Slice[Body], dt: f64) {
    for i in bodies.length()
        bodies[i].x += dt * bodies[i].v
}
var bodies = [Body(1.0, 2.0)]
step(bodies, 0.1)
println(bodies)";
    assert_eq!(inner_loop(text), "LoadElemF64 MulF64 LoadElemF64 AddF64 StoreElemF64 ForLoop");
}

#[test]
fn small_routines_leave_nothing_of_the_call() {
    let text = "
define V(x: f64, y: f64) {
    operator +(o: V) returns V: V(x + o.x, y + o.y)
    function dot(o: V) returns f64: x * o.x + y * o.y
}
function run(n: int) returns f64 {
    var sum = 0.0
    let a = V(1.0, 2.0)
    for i in n
        sum += (a + a).dot(a)
    sum
}
println(run(10))";
    assert_eq!(inner_loop(text), "AddF64 AddF64 MulF64 MulF64 AddF64 AddF64 ForLoop");
}

#[test]
fn conditions_of_small_routines_are_branches() {
    let text = "
function is_digit(b: u8) returns bool: b >= 48 and b <= 57
function digits(s: String) returns int {
    var n = 0
    for i in s.length()
        if is_digit(s.byte(i))
            n += 1
    n
}
println(digits(\"a1b2\"))";
    assert_eq!(inner_loop(text), "LoadElemU8 JLtSImm JGtSImm AddImm ForLoop");
}

#[test]
fn pushing_has_a_fast_path() {
    let text = "
function squares(n: int) returns Array[int] {
    var all: Array[int]
    for i in n
        all.push(i * i)
    all
}
println(squares(3))";
    let expected = "Mul JRoom Move MoveN Const Const Runtime Move ElemAddrRaw StoreI64 AddImm ForLoop";
    assert_eq!(inner_loop(text), expected);
}
