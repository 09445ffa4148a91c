use super::*;

#[test]
fn routines() {
    let expected = "(function f(a:T b:int=5)->R {a})";
    same(
        &[
            "function f(a: T, b: int (5)) returns R: a",
            "function f(a: T, b: int (5)) returns R { a }",
            "function f(a: T, b: int (5)) returns R\n    a",
            "function f(a: T, b: int (5)) returns R\n{\n    a\n}",
            "function f(\n    a: T\n    b: int (5)\n)\nreturns R: a",
            "function f(a: T, b: int = 5,) returns R: a",
        ],
        expected,
    );
    same(&["function f[T](x: T) returns T: x"], "(function f[T](x:T)->T {x})");
    same(&["procedure p(this, x: int) {}"], "(procedure p(this x:int) {})");
    same(&["function main { a }", "function main() { a }"], "(function main() {a})");
    same(&["function set(this) {}"], "(function set(this) {})");
    same(&["function length(this) returns int intrinsic"], "(function length(this)->int intrinsic)");
    same(&["private function f() {}"], "(private function f() {})");
    same(&["function f() returns int? : null"], "(function f()->int? {null})");
    same(&["function f(): set x: 5"], "(function f() {(set x 5)})");
    same(
        &[
            "function render(pixels: Slice[Pixel], scene: Scene) { for i in 0..pixels.length()\n pixels[i] = raytrace(scene, i) }",
        ],
        "(function render(pixels:Slice[Pixel] scene:Scene) {(for i (.. 0 pixels.length()) {(:= pixels[i] raytrace(scene i))})})",
    );
    same(&["function f(g: function(int) returns int (h)) {}"], "(function f(g:fn(int)->int=h) {})");
    same(
        &["function f(a: Array [int]) {}"]
            .map(|t| t.replace("Array [", "Array["))
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        "(function f(a:Array[int]) {})",
    );
    same(&["f()\nfunction f() {}\ng()"], "f() (function f() {}) g()");
}

#[test]
fn structs() {
    let expected = "(define P (x:int y:f64=1.0 private z:int))";
    same(
        &[
            "define P(x: int, y: f64 (1.0), private z: int)",
            "define P (x: int, y: f64 (1.0), private z: int)",
            "define P: (x: int, y: f64 (1.0), private z: int)",
            "define P\n(\n    x: int\n    y: f64 (1.0)\n    private z: int\n)",
            "define P(\n    x: int,\n    y: f64 (1.0),\n    private z: int,\n)",
            "define P { x: int, y: f64 (1.0), private z: int }",
            "define P {\n    var x: int\n    var y: f64 1.0\n    private var z: int\n}",
            "define P {\n    x: int\n    y: f64 = 1.0\n    private z: int\n}",
        ],
        expected,
    );
    same(&["define P()"], "(define P ())");
    same(
        &[
            "define P(x: int) {\n    init(a: int): set x: a\n    deinit {}\n    function f(this) returns int: x\n    operator +(o: P) returns P: P(x + o.x)\n}",
        ],
        "(define P (x:int) {(init(a:int) {(set x a)}) (deinit() {}) (function f(this)->int {x}) (operator +(o:P)->P {P((+ x o.x))})})",
    );
    same(
        &["define P(x: int)\n{\n    private function f() { 1 }\n    define Q(y: int)\n}"],
        "(define P (x:int) {(private function f() {1}) (define Q (y:int))})",
    );
    same(
        &["define P { x: int\n function f() x\n }"]
            .map(|t| t.replace("f() x", "f(): x"))
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        "(define P (x:int) {(function f() {x})})",
    );
    same(&["define Box[T](value: T)", "define Box[T]: (value: T)"], "(define Box[T] (value:T))");
    same(&["define Pair[K, V](key: K, value: V?)"], "(define Pair[K V] (key:K value:V?))");
    same(
        &["define Array[T] intrinsic { function length(this) returns int intrinsic }"],
        "(define Array[T] intrinsic {(function length(this)->int intrinsic)})",
    );
    same(&["private define P(x: int)"], "(private define P (x:int))");
}

#[test]
fn operators() {
    same(
        &[
            "define V(x: int) {\n operator [](i: int) returns int: x\n operator []=(i: int, v: int): set x: v\n operator ==(o: V) returns bool: true\n operator -() returns V: this\n operator div(o: V) returns V: o\n operator ()(i: int) returns int: i\n }",
        ],
        "(define V (x:int) {(operator [](i:int)->int {x}) (operator []=(i:int v:int) {(set x v)}) (operator =(o:V)->bool {true}) (operator -()->V {this}) (operator div(o:V)->V {o}) (operator ()(i:int)->int {i})})",
    );
    same(&["operator +(a: V, b: V) returns V: a"], "(operator +(a:V b:V)->V {a})");
}

#[test]
fn unions() {
    let expected = "(define U union(A:int B C(x:int y:int)))";
    same(
        &[
            "define U union(A: int, B, C(x: int, y: int))",
            "define U union: (A: int, B, C { x: int, y: int })",
            "define U: union(A(int), B, C { x: int, y: int })",
            "define U union\n(\n    A: int\n    B\n    C { x: int, y: int }\n)".replace("union\n(", "union(").as_str(),
            "define U union(A(int)\nB\nC {\nx: int\ny: int\n})",
        ],
        expected,
    );
    same(
        &["define List[T] union(Empty, Node(head: T, tail: List[T])) { function f() returns int: 1 }"],
        "(define List[T] union(Empty Node(head:T tail:List[T])) {(function f()->int {1})})",
    );
}

#[test]
fn constants_and_aliases() {
    same(&["define N: int 5", "define N int 5", "define N: int = 5"], "(define N const:int 5)");
    same(&["define N 5", "define N: 5"], "(define N const 5)");
    same(&["define N -5"], "(define N const (- 5))");
    same(&["define N int -5", "define N: int -5"], "(define N const:int (- 5))");
    same(&["define N (1 + 2) * 3"], "(define N const (* (+ 1 2) 3))");
    same(&["define TWO ONE + 1"], "(define TWO const (+ ONE 1))");
    same(&["define TWO ONE - 1"], "(define TWO const (- ONE 1))");
    same(&["define ORIGIN Point(0, 0)", "define ORIGIN: Point(0, 0)"], "(define ORIGIN const Point(0 0))");
    same(&["define ORIGIN: Point Point(0, 0)"], "(define ORIGIN const:Point Point(0 0))");
    same(&["define A: Array[int] [1, 2]"], "(define A const:Array[int] [1 2])");
    same(&["define S: String \"a\""], "(define S const:String \"a\")");
    same(&["define Num int", "define Num: int"], "(define Num alias int)");
    same(&["define M HashMap[String, int]"], "(define M alias HashMap[String int])");
    same(&["define F function(int) returns int"], "(define F alias fn(int)->int)");
    same(&["define Num int\ndefine ONE Num -1"], "(define Num alias int) (define ONE const:Num (- 1))");
    same(&["define O int?"], "(define O alias int?)");
}

#[test]
fn namespaces() {
    same(
        &["define N { function f() returns int: 1\n define M: int 5 }"],
        "(define N {(function f()->int {1}) (define M const:int 5)})",
    );
    same(&["define N {}"], "(define N {})");
}

#[test]
fn types() {
    let ty = |text: &str| tree(&format!("var x: {text}"))[7..].trim_end_matches(')').to_string();
    assert_eq!(ty("a.b.C"), "a.b.C");
    assert_eq!(ty("Array[Array[int]]"), "Array[Array[int]]");
    assert_eq!(ty("HashMap[String, int?]"), "HashMap[String int?]");
    assert_eq!(ty("ref[T]?"), "ref[T]?");
    assert_eq!(ty("pointer[void]"), "pointer[void]");
    assert_eq!(ty("T??"), "T??");
    assert_eq!(tree("var x: function(int, f64) returns int?"), "(var x:fn(int f64)->int?)");
    assert_eq!(tree("var x: (function(int) returns int)?"), "(var x:fn(int)->int?)");
    assert_eq!(tree("var x: function()"), "(var x:fn())");
}
