use super::*;

#[test]
fn literals() {
    same(&["42"], "42");
    same(&["0xFF"], "255");
    same(&["3.14"], "3.14");
    same(&["true\nfalse : null"], "true false null");
    same(&[r#""a\n""#], r#""a\n""#);
    same(&["`x`"], "'x'");
    same(&["[1, 2]", "[1, 2,]", "[\n1\n,\n2\n]"], "[1 2]");
    same(&["[]"], "[]");
    same(&["18446744073709551615"], "18446744073709551615");
    same(&["let 'a b' 1"], "(let a b 1)");
}

#[test]
fn application_is_adjacency() {
    same(&["f x", "f(x)", "f (x)", "f(x,)", "f(\nx\n)"], "f(x)");
    same(&["print fib(3)", "print(fib(3))"], "print(fib(3))");
    same(&["print a.b[1].c(2)"], "print(a.b[1].c(2))");
    same(&["a.m x", "a.m(x)"], "a.m(x)");
    same(&["f\nx"], "f x");
    same(&["f\n(x)"], "f x");
    same(&["f\n[x]"], "f [x]");
    same(&["f [x]", "f([x])"], "f([x])");
    same(&["f[x]"], "f[x]");
    same(&["f(a, b: 2)"], "f(a b:2)");
    same(&["T[U](a)"], "T[U](a)");
    same(&["U.V(x)"], "U.V(x)");
    same(&["a * f x + 1"], "(+ (* a f(x)) 1)");
    same(&["-f x as int"], "(as (- f(x)) int)");
    same(&["print if c: 1 else 2"], "print((if c {1} {2}))");
    same(&["print \\x: x"], "print((\\x {x}))");
    same(&["println \"a\" + \"b\""], r#"(+ println("a") "b")"#);
    same(&["print -1"], "(- print 1)");
    same(&["map.set(k, v)"], "map.set(k v)");
    same(&["f(set: 1)"], "f(set:1)");
    same(&["f() ()"], "f()()");
}

#[test]
fn places_nest() {
    same(&["b[i].v.x"], "b[i].v.x");
    same(&["a[i, j]"], "a[i j]");
    same(&["a[1..n]"], "a[(.. 1 n)]");
    same(&["x\n  .a\n  .b(1)\n  .c"], "x.a.b(1).c");
    same(&["1.max(2)"], "1.max(2)");
    same(&["\"a\".length()"], "\"a\".length()");
    same(&["[1, 2].length()"], "[1 2].length()");
    same(&["(a + b).c"], "(+ a b).c");
}

#[test]
fn generics_in_expressions() {
    same(&["Array[int?](5)"], "Array[int?](5)");
    same(&["HashMap[String, Array[int]]()"], "HashMap[String Array[int]]()");
    same(&["Array[function(int, f64) returns int]()"], "Array[fn(int f64)->int]()");
    same(&["Array[(function() returns int)?]()"], "Array[fn()->int?]()");
    same(&["a.b.Box[a.C](1)"], "a.b.Box[a.C](1)");
}

#[test]
fn precedence() {
    same(&["-a * 2"], "(* (- a) 2)");
    same(&["-1 as u8"], "(as (- 1) u8)");
    same(&["1 - 2 * 3 - 4"], "(- (- 1 (* 2 3)) 4)");
    same(&["a + b << c < d = e & f ^ g | h"], "(| (^ (& (= (< (<< (+ a b) c) d) e) f) g) h)");
    same(&["h | g ^ f & e = d < c << b + a"], "(| h (^ g (& f (= e (< d (<< c (+ b a)))))))");
    same(&["a & 1 = 0"], "(& a (= 1 0))");
    same(&["not a = b and c"], "(and (not (= a b)) c)");
    same(&["a or not b and c"], "(or a (and (not b) c))");
    same(&["a or b and c or d"], "(or (or a (and b c)) d)");
    same(&["a + 1..b * 2"], "(.. (+ a 1) (* b 2))");
    same(&["0..=n"], "(..= 0 n)");
    same(&["a or b..c"], "(.. (or a b) c)");
    same(&["a div b mod c"], "(mod (div a b) c)");
    same(&["a as int + b as f64"], "(+ (as a int) (as b f64))");
    same(&["a as int as u8"], "(as (as a int) u8)");
    same(&["x is None and y"], "(and (is x None) y)");
    same(&["a + b is Some"], "(is (+ a b) Some)");
    same(&["x is null = y"], "(= (is x null) y)");
    same(&["x is Option.None"], "(is x Option.None)");
    same(&["a ^ b", "a xor b"], "(^ a b)");
    same(&["a && b || c", "a and b or c"], "(or (and a b) c)");
    same(&["1 == 2", "1 = 2"], "(= 1 2)");
    same(&["1 != 2", "1 <> 2"], "(<> 1 2)");
    same(&["~a + *p"], "(+ (~ a) (* p))");
    same(&["&x"], "(& x)");
    same(&["- - x"], "(- (- x))");
    same(&["**p"], "(* (* p))");
    same(&["-~x"], "(- (~ x))");
    same(&["a*-b", "a * -b"], "(* a (- b))");
    same(&["a % b / c >> 2"], "(>> (/ (% a b) c) 2)");
    same(&["-x.abs()"], "(- x.abs())");
    same(&["not not a"], "(not (not a))");
    same(&["1 + not a"], "(+ 1 (not a))");
    same(&["sizeof int + 1"], "(+ (sizeof int) 1)");
    same(&["alignof Array[int]"], "(alignof Array[int])");
}

#[test]
fn breaks() {
    same(&["a +\nb", "a\\\n+ b", "(a\n+ b)", "(a\n+\nb)"], "(+ a b)");
    same(&["a\n- b"], "a (- b)");
    same(&["let x =\n5"], "(let x 5)");
    same(&["f(a,\n\nb\n)"], "f(a b)");
    same(&["f(\\x {\nlet y x\ny\n}, 2)"], "f((\\x {(let y x) y}) 2)");
    same(&["0..\nn"], "(.. 0 n)");
    same(&["a.\nb"], "a.b");
    same(&["a : b", "a\n\n:\n:b", "a:b"], "a b");
    same(&["a ; comment\nb ;* more\n *; c"], "a b c");
    same(&["(a)\n(b)"], "a b");
    same(&["x\n[1]"], "x [1]");
}

#[test]
fn xor_and_marks() {
    same(&["a^b"], "(^ a b)");
    same(&["a ^b(1)"], "(^ a b(1))");
}

#[test]
fn lambdas() {
    same(&["\\x y: x + y"], "(\\x y {(+ x y)})");
    same(&["\\x: int { x + 1 }"], "(\\x:int {(+ x 1)})");
    same(&["\\x: int y: Array[int] { x }"], "(\\x:int y:Array[int] {x})");
    same(&["\\x: int: x + 1"], "(\\x:int {(+ x 1)})");
    same(&["\\x: f(x)"], "(\\x {f(x)})");
    same(&["\\x { x }", "\\x: { x }"], "(\\x {x})");
    same(&["\\: 5", "\\ { 5 }"], "(\\ {5})");
    same(&["xs.map(\\x: x * 2).fold(0, \\a b: a + b)"], "xs.map((\\x {(* x 2)})).fold(0 (\\a b {(+ a b)}))");
    same(&["\\_: 1"], "(\\_ {1})");
    same(&["\\x: \\y: x + y"], "(\\x {(\\y {(+ x y)})})");
}

#[test]
fn operands_that_reach_right() {
    same(&["let x if a: b else c + 1"], "(let x (if a {b} {(+ c 1)}))");
    same(&["1 + if a: b else c"], "(+ 1 (if a {b} {c}))");
    same(&["let y { let z 1 : z }"], "(let y {(let z 1) z})");
    same(&["f(if a: b else c, d)"], "f((if a {b} {c}) d)");
    same(&["let x match y: case 1: 2 else 3"], "(let x (match y (case 1 {2}) else {3}))");
    same(&["(if a { b } else { c }) + 1"], "(+ (if a {b} {c}) 1)");
}
