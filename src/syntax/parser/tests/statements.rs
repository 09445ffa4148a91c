use super::*;

#[test]
fn declarations() {
    same(&["let x 5", "let x = 5"], "(let x 5)");
    same(&["let x: int 5", "let x: int = 5"], "(let x:int 5)");
    same(&["var x 5", "mutable x = 5"], "(var x 5)");
    same(&["var x: T"], "(var x:T)");
    same(&["var x: T?"], "(var x:T?)");
    same(&["var x: T\ny"], "(var x:T) y");
    same(&["let x -5", "let x=-5"], "(let x (- 5))");
    same(&["let x: int -5"], "(let x:int (- 5))");
    same(&["let x: Array[int] [1, 2]"], "(let x:Array[int] [1 2])");
    same(&["let x: int (5)"], "(let x:int 5)");
    same(&["let f: function(int) returns int \\x: x"], "(let f:fn(int)->int (\\x {x}))");
    same(&["let _ f()"], "(let _ f())");
    same(&["let x *p"], "(let x (* p))");
    same(&["let a 1 : let b 2"], "(let a 1) (let b 2)");
}

#[test]
fn assignments() {
    same(&["set x: 5", "set x = 5"], "(set x 5)");
    same(&["set a.b[i]: f x"], "(set a.b[i] f(x))");
    same(&["set *p: 1"], "(set (* p) 1)");
    same(&["x = 5", "x=5"], "(:= x 5)");
    same(&["x=-1"], "(:= x (- 1))");
    same(&["pixels[i] = raytrace(scene, i)"], "(:= pixels[i] raytrace(scene i))");
    same(&["a = b and c"], "(:= a (and b c))");
    same(&["*p = 1"], "(:= (* p) 1)");
    same(&["x += 1", "set x += 1"], "(+= x 1)");
    same(&["x.y <<= a + 1"], "(<<= x.y (+ a 1))");
    same(&["x ^= y"], "(^= x y)");
    same(&["(a = b)"], "(= a b)");
    same(&["(a = b) and c"], "(and (= a b) c)");
    same(&["f(x) = 3"], "(= f(x) 3)");
    same(&["a + b = c"], "(= (+ a b) c)");
    same(&["x == 5"], "(= x 5)");
    same(&["a = b = c"], "(:= a (= b c))");
}

#[test]
fn assignment_read_as_comparison() {
    let rows = [
        ("a = b", "(a = b)"),
        ("a = b and c", "(a = b and c)"),
        ("a = b = c", "(a = b = c)"),
        ("a = b + c < d or e", "(a = b + c < d or e)"),
        ("a = b & c = d", "(a = b & c = d)"),
        ("a = (b and c) or d", "(a = (b and c) or d)"),
        ("a = not b and c", "(a = not b and c)"),
        ("a = b..c", "(a = b..c)"),
        ("a = (b..c)", "(a = (b..c))"),
        ("a = b is V | c", "(a = b is V | c)"),
    ];
    for (assignment, comparison) in rows {
        let mut interner = Interner::new();
        let parsed = parse(FileId(0), assignment, &mut interner, false);
        let crate::syntax::ast::StmtKind::Assign(assign) = &parsed.file.body.stmts[0].kind else { panic!() };
        let expr = assign.comparison();
        let span = expr.span;
        let stmt = crate::syntax::ast::Stmt { kind: crate::syntax::ast::StmtKind::Expr(expr), span };
        let body = crate::syntax::ast::Body { stmts: vec![stmt], span };
        assert_eq!(sketch::body(&body, &interner), tree(comparison), "{assignment}");
    }
}

#[test]
fn if_statements() {
    same(
        &["if c: a else b", "if c { a } else { b }", "if c\na\nelse\nb", "if c\n{\na\n}\nelse\n{\nb\n}"],
        "(if c {a} {b})",
    );
    same(&["if c: a else: b", "if c: a\n:else b"], "(if c {a} {b})");
    same(&["if c: a", "if c { a }", "if c\n    a"], "(if c {a})");
    same(&["if a: b else if c: d else e", "if a { b } else if c { d } else { e }"], "(if a {b} {(if c {d} {e})})");
    same(&["if a: b else if c: d"], "(if a {b} {(if c {d})})");
    same(&["if a\nreturn 1\nb"], "(if a {(return 1)}) b");
    same(&["if a: if b: c else d"], "(if a {(if b {c} {d})})");
    same(&["if c {}"], "(if c {})");
    same(&["if c: { a }"], "(if c {a})");
    same(&["if x = 1 { a }"], "(if (= x 1) {a})");
    same(&["if f(\\x { x }) { a }"], "(if f((\\x {x})) {a})");
    same(&["if a { b }\n(c)"], "(if a {b}) c");
    same(&["if c: set x: 5 else set x: 6"], "(if c {(set x 5)} {(set x 6)})");
    same(&["if contains x: a"], "(if contains(x) {a})");
}

#[test]
fn loops() {
    same(&["while c: a", "while c { a }", "while c\n{\na\n}"], "(while c {a})");
    same(&["while let x f(): a", "while let x = f() { a }"], "(while-let x f() {a})");
    same(&["for i in 0..n: a", "for i in 0..n { a }", "for i in 0..n\na"], "(for i (.. 0 n) {a})");
    same(&["for item in items process(item)"], "(for item items {process(item)})");
    same(
        &["for i in 0..pixels.length() pixels[i] = raytrace(scene, i)"],
        "(for i (.. 0 pixels.length()) {(:= pixels[i] raytrace(scene i))})",
    );
    same(&["for i in n set x: i"], "(for i n {(set x i)})");
    same(&["for i: u8 in n: a"], "(for i:u8 n {a})");
    same(&["repeat: a", "repeat { a }", "repeat a"], "(repeat {a})");
    same(
        &["for i in n: label rows { break loop rows }", "for i in n label rows { break loop rows }"],
        "(for @rows i n {(break @rows)})",
    );
    same(&["while c: label l continue loop l"], "(while @l c {(continue @l)})");
    same(&["repeat label l { break }", "repeat: label l: break"], "(repeat @l {(break)})");
    same(&["for _ in 3: a"], "(for _ 3 {a})");
    same(&["if c: break else continue"], "(if c {(break)} {(continue)})");
}

#[test]
fn returns() {
    same(&["return 5"], "(return 5)");
    same(&["return\n5"], "(return) 5");
    same(&["if c: return else return 2"], "(if c {(return)} {(return 2)})");
    same(&["{ return }"], "{(return)}");
    same(&["return if c: 1 else 2"], "(return (if c {1} {2}))");
}

#[test]
fn match_statements() {
    let expected = "(match e (case a b {x}) else {y})";
    same(
        &[
            "match e: case a case b: x else y",
            "match e { case a case b: x else y }",
            "match e\n{\n    case a\n    case b\n        x\n    else\n        y\n}",
            "match e\ncase a case b { x }\nelse { y }",
        ],
        expected,
    );
    same(&["match e: case 1: 2 case 3: 4"], "(match e (case 1 {2}) (case 3 {4}))");
    same(&["match e { case 1: { a } case 2: b }"], "(match e (case 1 {a}) (case 2 {b}))");
    same(&["match a + 1 { case `x`: 1 }"], "(match (+ a 1) (case 'x' {1}))");
}

#[test]
fn choose_statements() {
    let expected = "(choose compiled.get(k) (when Some(p) {p}) (when None {}))";
    same(
        &[
            "choose compiled.get(k) { when Some(p) p when None { } }",
            "choose compiled.get(k): when Some(p): p when None {}",
            "choose compiled.get(k)\n{\n    when Some(p)\n        p\n    when None: {}\n}",
            "choose compiled.get(k)\nwhen Some(p) { p }\nwhen None {}",
        ],
        expected,
    );
    same(&["choose x: when p: Some: p else 0"], "(choose x (when Some=p {p}) else {0})");
    same(&["choose x: when p: Option.Some p else 0"], "(choose x (when Option.Some=p {p}) else {0})");
    same(&["choose x: when None: y else 0"], "(choose x (when None {y}) else {0})");
    same(&["choose x { when None: Some(1) }"], "(choose x (when None {Some(1)}))");
    same(
        &["define U union(A: int, B)\nchoose u: when a: A: a when B: 0"],
        "(define U union(A:int B)) (choose u (when A=a {a}) (when B {0}))",
    );
    same(
        &["define U union(A: int, B)\nchoose u { when A: B when B: A(1) }"],
        "(define U union(A:int B)) (choose u (when A {B}) (when B {A(1)}))",
    );
    same(&["choose u { when U.A(x, _): x when U.B: 0 }"], "(choose u (when U.A(x _) {x}) (when U.B {0}))");
    same(&["choose u { when Circle: 1 when Square: 2 }"], "(choose u (when Circle {1}) (when Square {2}))");
    same(&["choose u { else 1 }"], "(choose u  else {1})");
    same(
        &["choose a\nwhen Some(x)\n    if x: 1\n    else 2\nwhen None: 3"],
        "(choose a (when Some(x) {(if x {1} {2})}) (when None {3}))",
    );
    same(&["let y choose x: when Some(v): v when None: 0"], "(let y (choose x (when Some(v) {v}) (when None {0})))");
}

#[test]
fn blocks() {
    same(&["{ a : b }", "{\na\nb\n}"], "{a b}");
    same(&["{}"], "{}");
    same(&["{ { a } }"], "{{a}}");
    same(&["{ let x 1\n x }"], "{(let x 1) x}");
}
