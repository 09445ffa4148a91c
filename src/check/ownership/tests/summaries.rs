use super::build::*;
use crate::check::hir::*;
use crate::check::ownership::summary::Summaries;

/// Even when two routines call one another, what one does with its parameter the other does.
#[test]
fn recursion_reaches_a_fixpoint() {
    let mut types = Types::default();
    let ints = types.intern(Type::Array(Types::I64));
    let mut program = Program { types, ..Program::default() };
    let v = Types::VOID;
    // 0: f(a, b) { g(b, a) }   1: g(a, b) { f(a, b); push(a, 1) }   2: push
    program.routines = vec![
        routine("f", &[ints, ints], &[], v, code(call(1, vec![local(1, ints), local(0, ints)], v))),
        routine(
            "g",
            &[ints, ints],
            &[],
            v,
            code(block(
                vec![call(0, vec![local(0, ints), local(1, ints)], v), call(2, vec![local(0, ints), int(1)], v)],
                v,
            )),
        ),
        routine("Array.push", &[ints, Types::I64], &[], v, intrinsic("Array.push")),
    ];
    Summaries::compute(&mut program);
    for r in 0..2 {
        for p in &program.routines[r].summary.params {
            assert!(p.reshapes && p.in_place(&program.types, ints), "{r}: {p:?}");
        }
    }
    assert!(!program.routines[2].summary.params[1].reshapes);
}

#[test]
fn elements_are_written_through_views() {
    let mut types = Types::default();
    let ints = types.intern(Type::Array(Types::I64));
    let slice = types.intern(Type::Slice(Types::I64));
    let mut program = Program { types, ..Program::default() };
    let v = Types::VOID;
    let as_slice = |n| e(ExprKind::AsSlice(Box::new(local(n, ints))), slice);
    // 0: f(a) { let s: half(a); s[0] = 1 }   1: half(s) returns s.slice(0, 1)   2: slice
    program.routines = vec![
        routine(
            "f",
            &[ints],
            &[(LocalKind::Let, slice)],
            v,
            code(block(
                vec![
                    e(
                        ExprKind::Let {
                            local: LocalId(1),
                            value: Box::new(call(1, vec![as_slice(0)], slice)),
                            view: false,
                        },
                        v,
                    ),
                    assign(index(local(1, slice), 0, Types::I64), int(1)),
                ],
                v,
            )),
        ),
        routine("half", &[slice], &[], slice, code(call(2, vec![local(0, slice), int(0), int(1)], slice))),
        routine("Slice.slice", &[slice, Types::I64, Types::I64], &[], slice, intrinsic("Slice.slice")),
    ];
    Summaries::compute(&mut program);
    let f = &program.routines[0].summary.params[0];
    assert!(f.writes && !f.changes && !f.reshapes && !f.in_place(&program.types, ints), "{f:?}");
    assert!(program.routines[1].summary.params[0].viewed_by_result);
}

#[test]
fn a_function_parameter_has_the_effects_of_its_argument() {
    let mut types = Types::default();
    let f = types.intern(Type::Function { params: Box::new([]), result: Types::VOID });
    let mut program = Program { types, ..Program::default() };
    let v = Types::VOID;
    let lambda = |n| e(ExprKind::Lambda { routine: RoutineId(n), direct: true }, f);
    let print = e(ExprKind::Print { parts: vec![], newline: true, stream: Stream::Output }, v);
    program.routines = vec![
        routine(
            "apply",
            &[f],
            &[],
            v,
            code(e(ExprKind::CallValue { callee: Box::new(local(0, f)), arguments: vec![] }, v)),
        ),
        routine("pure", &[], &[], v, code(call(0, vec![lambda(3)], v))),
        routine("loud", &[], &[], v, code(call(0, vec![lambda(4)], v))),
        routine("lambda", &[], &[], v, code(e(ExprKind::Void, v))),
        routine("lambda", &[], &[], v, code(print)),
    ];
    Summaries::compute(&mut program);
    let io = |n: usize| program.routines[n].summary.effects.io;
    assert!(io(0), "alone it may be given anything");
    assert!(!io(1));
    assert!(io(2));
}

/// Linear in the size of the program: a release build takes a quarter of a second for 10,000 functions of 33 statements.
#[test]
fn many_functions() {
    let count = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
    let mut types = Types::default();
    let ints = types.intern(Type::Array(Types::I64));
    let mut program = Program { types, ..Program::default() };
    let v = Types::VOID;
    for n in 0..count {
        let body = |callee: u32| {
            let text = e(ExprKind::Text("a".into()), Types::STRING);
            let mut parts = vec![bind(2, text), bind(3, local(2, Types::STRING))];
            for k in 0..10 {
                parts.push(assign(index(local(0, ints), k, Types::I64), int(k)));
                parts.push(assign(local(2, Types::STRING), local(3, Types::STRING)));
                parts.push(print(local(3, Types::STRING)));
            }
            parts.push(call(callee, vec![local(1, ints), local(0, ints)], v));
            block(parts, v)
        };
        let locals = [(LocalKind::Var, Types::STRING), (LocalKind::Let, Types::STRING)];
        program.routines.push(routine("f", &[ints, ints], &locals, v, code(body((n * 7 + 1) % count))));
    }
    let start = std::time::Instant::now();
    crate::check::ownership::analyze(&mut program, false);
    let time = start.elapsed();
    assert!(program.routines.iter().all(|r| r.summary.params[0].writes));
    assert!(time.as_millis() < 1_000, "{time:?}");
    println!("{time:?}");
}
