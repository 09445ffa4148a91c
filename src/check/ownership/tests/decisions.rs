use super::build::*;
use crate::check::hir::LocalKind::*;
use crate::check::hir::*;

const V: TypeId = Types::VOID;
const S: TypeId = Types::STRING;

fn elements(ty: TypeId) -> Expr {
    e(ExprKind::Elements(vec![]), ty)
}

fn forever(parts: Vec<Expr>) -> Expr {
    let condition = Box::new(e(ExprKind::Bool(true), Types::BOOL));
    e(ExprKind::While { tag: LoopTag(0), condition, body: Box::new(block(parts, V)) }, V)
}

#[test]
fn a_let_is_a_view_until_its_place_changes() {
    let w = World::new();
    let (body, found) = w.main(
        &[(Var, S), (Let, S), (Let, S)],
        vec![
            bind(0, text("a")),
            bind(1, local(0, S)),
            bind(2, local(0, S)),
            print(local(1, S)),
            assign(local(0, S), text("b")),
            print(local(2, S)),
            print(local(0, S)),
        ],
    );
    assert_eq!(found, [""; 0]);
    assert_eq!(marks(&body), ["own 0", "view 1", "own 2"]);
}

/// What is used in the next iteration is alive at the end of this one.
#[test]
fn loops_go_round() {
    let w = World::new();
    let (body, _) = w.main(
        &[(Var, S), (Let, S)],
        vec![
            bind(0, text("a")),
            bind(1, local(0, S)),
            forever(vec![print(local(1, S)), assign(local(0, S), text("b"))]),
        ],
    );
    assert_eq!(marks(&body), ["own 0", "own 1"]);
    let w = World::new();
    let (body, _) = w.main(
        &[(Var, S), (Let, S)],
        vec![
            bind(0, text("a")),
            forever(vec![bind(1, local(0, S)), print(local(1, S)), assign(local(0, S), text("b"))]),
        ],
    );
    assert_eq!(marks(&body), ["own 0", "view 1"]);
}

#[test]
fn a_dead_place_is_moved_but_not_in_a_loop_around() {
    let w = World::new();
    let (body, _) = w.main(&[(Var, S), (Var, S)], vec![bind(0, text("a")), bind(1, local(0, S)), print(local(1, S))]);
    assert_eq!(marks(&body), ["own 0", "own 1", "move"]);
    let w = World::new();
    let (body, _) = w.main(&[(Var, S), (Var, S)], vec![bind(0, text("a")), forever(vec![bind(1, local(0, S))])]);
    assert_eq!(marks(&body), ["own 0", "own 1"]);
}

#[test]
fn a_slice_forbids_to_reshape_what_it_views() {
    let w = World::new();
    let (ints, slice) = (w.ints, w.slice);
    let push = || call(PUSH, vec![local(0, ints), int(1)], V);
    let view = || bind(1, call(PEEK, vec![slice_of(local(0, ints), slice)], slice));
    let locals = [(Var, ints), (Let, slice)];
    let (_, found) =
        w.main(&locals, vec![bind(0, elements(ints)), view(), push(), print(index(local(1, slice), 0, Types::I64))]);
    assert_eq!(found, ["`l0` cannot be changed by `push` while it is viewed"]);
    let (_, found) = World::new()
        .main(&locals, vec![bind(0, elements(ints)), view(), print(index(local(1, slice), 0, Types::I64)), push()]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_loop_must_not_reshape_what_it_walks() {
    let walk = |parts: Vec<Expr>| {
        let w = World::new();
        let ints = w.ints;
        let each = e(
            ExprKind::ForEach {
                tag: LoopTag(0),
                variable: LocalId(1),
                collection: Box::new(local(0, ints)),
                body: Box::new(block(parts, V)),
            },
            V,
        );
        w.main(&[(Var, ints), (Binding, Types::I64)], vec![bind(0, elements(ints)), each]).1
    };
    let ints = World::new().ints;
    let push = || call(PUSH, vec![local(0, ints), int(1)], V);
    assert_eq!(walk(vec![push()]), ["`l0` cannot be changed by `push` while it is viewed"]);
    let leave = e(ExprKind::Break(LoopTag(0)), Types::NEVER);
    assert_eq!(walk(vec![push(), leave]), [""; 0]);
}

#[test]
fn an_operand_keeps_its_value() {
    let w = World::new();
    let ints = w.ints;
    let bump = call(BUMP, vec![local(0, ints)], Types::I64);
    let (body, found) = w.main(
        &[(Var, ints)],
        vec![
            bind(0, elements(ints)),
            e(
                ExprKind::Print {
                    parts: vec![
                        ShowPart::Value(local(0, ints), ShowFormat::default()),
                        ShowPart::Value(bump, ShowFormat::default()),
                    ],
                    newline: true,
                    stream: Stream::Output,
                },
                V,
            ),
        ],
    );
    assert_eq!(found, [""; 0]);
    assert_eq!(marks(&body), ["own 0", "copy"]);
}

/// `s.push(s.bump())`: addressed at the call.
#[test]
fn an_argument_may_reshape_the_receiver() {
    let w = World::new();
    let ints = w.ints;
    let bump = call(BUMP, vec![local(0, ints)], Types::I64);
    let (body, found) =
        w.main(&[(Var, ints)], vec![bind(0, elements(ints)), call(PUSH, vec![local(0, ints), bump], V)]);
    assert_eq!(found, [""; 0]);
    assert_eq!(marks(&body), ["own 0"]);
}

#[test]
fn a_var_that_moves_into_itself_is_a_cursor() {
    let walk = |last: Vec<Expr>| {
        let w = World::new();
        let (node, link) = (w.node, w.link);
        let none = e(ExprKind::Variant { variant: 0, payload: vec![] }, link);
        let mut parts = vec![assign(local(1, link), field(local(2, node), 1, link))];
        parts.extend(last);
        let step = e(
            ExprKind::WhileLet {
                tag: LoopTag(0),
                variable: LocalId(2),
                value: Box::new(local(1, link)),
                body: Box::new(block(parts, V)),
            },
            V,
        );
        let (body, found) = w.main(
            &[(Var, link), (Var, link), (Binding, node)],
            vec![bind(0, none), bind(1, local(0, link)), step, print(local(0, link))],
        );
        assert_eq!(found, [""; 0]);
        marks(&body)
    };
    assert_eq!(walk(vec![]), ["own 0", "view 1"]);
    // The list changes under it.
    let link = World::new().link;
    let none = e(ExprKind::Variant { variant: 0, payload: vec![] }, link);
    assert_eq!(walk(vec![assign(local(0, link), none)]), ["own 0", "own 1"]);
}

/// The row behaves like a value, although the loop views the matrix.
#[test]
fn a_binding_whose_elements_are_written_is_copied() {
    let w = World::new();
    let (ints, rows) = (w.ints, w.rows);
    let each = e(
        ExprKind::ForEach {
            tag: LoopTag(0),
            variable: LocalId(1),
            collection: Box::new(local(0, rows)),
            body: Box::new(block(
                vec![assign(index(index(local(0, rows), 0, ints), 0, Types::I64), int(5)), print(local(1, ints))],
                V,
            )),
        },
        V,
    );
    let (body, found) = w.main(&[(Var, rows), (Binding, ints)], vec![bind(0, elements(rows)), each]);
    assert_eq!(found, [""; 0]);
    assert_eq!(marks(&body), ["own 0", "own 1"], "declared anew in the body");
}

#[test]
fn writing_needs_a_place() {
    let w = World::new();
    let ints = w.ints;
    let (_, found) = w.main(&[(Let, ints)], vec![bind(0, elements(ints)), call(PUSH, vec![local(0, ints), int(1)], V)]);
    assert_eq!(found, ["`push` changes its argument, but `l0` is a `let` and cannot be changed"]);
}
