use super::*;

#[test]
fn several_errors_in_one_run() {
    wrong(
        "let x = )\nlet y = 5\nfunction f( {\n}\nset z 5\nprint(1 2)\nlet 5 = 3\n",
        &[
            "expected a value, found `)` @ )",
            "expected the name of a parameter, found `{` @ {",
            "expected `:` and the new value, found the number `5` @ 5",
            "expected `,` or `)`, found the number `2` @ 2",
            "expected a name, found the number `5` @ 5",
        ],
    );
    // One a routine, and the statements around them stay.
    wrong(
        "function f() {\n    let a = 1 +\n}\nfunction g() {\n    x y z\n    return )\n}\nlet b = 2",
        &[
            "expected an expression, found `}` @ }",
            "a call without parentheses has only one argument @ z",
            "`)` closes nothing @ )",
        ],
    );
    wrong(
        "define P(x: int, y, z: [int]) {\n    function f( returns int: 1\n    5\n    function g(): x\n}",
        &[
            "expected `:` and the field's type, found `,` @ ,",
            "a type is a name @ [",
            "expected `,` or `)`, found the keyword `returns` @ returns",
        ],
    );
}

#[test]
fn brackets() {
    wrong("f(a\nlet x 1", &["expected `,` or `)`, found the keyword `let` @ let"]);
    wrong("{ a", &["expected `}`, found the end of the file @ "]);
    wrong("a }\nb", &["`}` closes nothing @ }"]);
    wrong("a )\nb", &["`)` closes nothing @ )"]);
    wrong("(a, b)", &["a list of values in parentheses @ ,"]);
    wrong("let x = ()", &["nothing between the parentheses @ ()"]);
    wrong("a[]", &["nothing between the brackets @ ["]);
    wrong("function f() {\n    g(\n}\nh()", &["expected an expression, found `}` @ }"]);
    wrong("f(1 b)", &["expected `,` or `)`, found the name `b` @ b"]);
    wrong("f(\n  a\n  b\n)", &["expected `,` or `)`, found the name `b` @ b"]);
}

#[test]
fn keywords_as_names() {
    wrong("let set 5", &["`set` is a keyword and cannot be a name @ set"]);
    wrong("function f(in: int) {}", &["`in` is a keyword and cannot be the name of a parameter @ in"]);
    wrong("for in xs: y", &["expected a name for the element, found the keyword `in` @ in"]);
    advises("let mod = 5", "`mod` is a keyword and cannot be a name", "'mod'");
}

#[test]
fn other_languages_habits() {
    advises("# a", "a comment begins with `;`, not with `#`", "write `;`");
    advises("a // b", "a comment begins with `;`, not with `//`", "write `;`");
    advises("if !x: y", "`!` does not negate", "not x");
    let map = "`{ … }` is a block of statements, not a map";
    advises("let m = {\"a\": 1}", map, "`var m HashMap[String, int]()`, `m.set(\"a\", 1)`");
    advises("let m = {\n    1: 2.5,\n    2: 0.5,\n}\nprintln(m)", map, "`var m HashMap[int, f64]()`, `m.set(1, 2.5)`");
    advises("f({\"a\": g(1), \"b\": 2})", map, "`var m HashMap[String, V]()`, `m.set(\"a\", …)`");
    advises("f({`a`, `b`})", "`{ … }` is a block of statements, not a set", "`var s HashSet[char]()`, `s.add(`a`)`");
    advises("x++", "`++` is not an operator", "x += 1");
    advises("x--\ny", "`--` is not an operator", "x -= 1");
    advises("++x", "`++` is not an operator", "x += 1");
    advises("2 ** 3", "`**` is not an operator", "pow(x, y)");
    advises("a === b", "`===` is not an operator", "`=`");
    advises("f(x => x)", "`=>` is not an operator", "\\x: e");
    advises("if a { b } elif c { d }", "`elif` is written in two words", "else if");
    advises("if a: b\nelsif c: d\nelse e", "`elsif` is written in two words", "else if");
    advises("def f(x: int): x", "`def` does not declare a routine", "function f");
    advises("fn f(x: int) -> int { x }", "`fn` does not declare a routine", "function f");
    advises("const x = 5", "`const` does not declare a constant", "let x");
    advises("class P { x: int }", "`class` does not define a type", "define P");
    advises("struct P { x: int }", "`struct` does not define a type", "define P");
    advises("enum U { A, B }", "`enum` does not define a type", "union");
    advises("import math", "`import` does not load anything", "library");
    advises("loop { break }", "expected an expression, found the keyword `loop`", "repeat");
    advises("int x = 5", "a variable is declared with `let` or `var`", "var x: int = …");
    advises("x := 5", "`:=` does not declare a variable", "let x = value");
    advises("let x := 5", "`:=` does not declare a variable", "let x = value");
    advises("let mut x = 5", "`mut` does not declare a variable", "var x");
    advises("function f(x: int) -> int { x }", "a result's type stands behind `returns`", "returns int");
    advises("function f(x: int): int { x }", "a result's type stands behind `returns`", "returns int");
    advises("for (i = 0) {}", "a `for` goes over a collection, a range or an integer", "for i in 0..n");
    advises("for let i in 0..n {}", "a `for` goes over a collection, a range or an integer", "for i in 0..n");
    advises("a ? b : c", "`?` is not an operator", "if c: a else b");
    advises("a ?? b", "`?` is not an operator", "x.or(y)");
    advises("return x y if c", "a call without parentheses has only one argument", "if c: x");
}

#[test]
fn advice() {
    advises("print x y", "a call without parentheses has only one argument", "print(x, y)");
    advises("let x", "expected a value, found the end of the file", "let x = value");
    advises("var x", "expected a type or a value, found the end of the file", "var x: T");
    advises("if x then y", "expected `:`, a line break or `{` behind the condition, found the name `then`", "if c: a");
    advises(
        "while x do y",
        "expected `:`, a line break or `{` behind the condition, found the name `do`",
        "while c: body",
    );
    advises(
        "if x in xs: y",
        "expected `:`, a line break or `{` behind the condition, found the keyword `in`",
        "contains",
    );
    advises("if let x = y: z", "`if` takes a condition, no `let`", "choose");
    advises("x is not null", "there is no `is not`", "not (x is V)");
    advises("let x = for i in n: i", "expected an expression, found the keyword `for`", "gives no value");
    advises("let x = return", "expected an expression, found the keyword `return`", "if c: x else return");
    advises("let f = function(x: int) x", "expected an expression, found the keyword `function`", "lambda");
    advises("let x = .5", "expected an expression, found `.`", "0.5");
    advises("a.0", "a member has a name, no number", "a[0]");
    advises("a\n/ b", "expected an expression, found `/`", "at the end of the line before");
    advises("var x: int[]", "an array's type is written with its name", "Array[int]");
    advises("var x: &int", "a type is a name", "ref[T]");
    advises("break 5", "expected `loop` and a label, or a line break, found the number `5`", "break loop");
    advises("break outer", "expected `loop` and a label, or a line break, found the name `outer`", "break loop outer");
    advises("break if x", "the condition comes first", "if c: break");
    advises("\\x, y: x", "the parameters of a lambda stand side by side, without commas", "\\x y: e");
    advises("match x { case 1, 2: y }", "a `case` has one value", "case a case b");
    advises("choose x { when Some(Some(y)): z }", "the payload gets a plain name", "choose");
    advises("function f(int x) {}", "the name stands before the type", "x: int");
    advises("define P(int x, y: int)", "the name stands before the type", "x: int");
    advises("function f(a: int)", "this routine has no body", "{}");
    advises("function f() returns int intrinsic", "`intrinsic` stands in the library only", "body");
    advises("define P(x: V (1, 2))", "a default is one value in parentheses", "(V(…))");
    advises("define U union(A(int, int))", "a payload has one type", "A(x: int, y: int)");
    advises("a...b", "`...` is no operator", "a..b");
    advises("init() {}", "`init` stands in the braces of a type", "define T");
}

#[test]
fn what_does_not_run_yet() {
    let not_yet =
        |text: &str, what: &str, marked: &str| wrong(text, &[&format!("{what} not supported yet @ {marked}")]);
    not_yet("function f() returns int throws E: 1", "`throws` is", "throws");
    not_yet("throw 5", "`throw` is", "throw");
    not_yet("try let x f(): when E(e): return", "`try` is", "try");
    not_yet("trait T { function f(this) returns int }", "traits are", "trait");
    not_yet("trait T[U] extends A, B { function f(this) returns int: 1 }", "traits are", "trait");
    not_yet("implement T for U { function f(this) returns int: 1 }", "`implement` is", "implement");
    not_yet("package a 1.2.3", "packages are", "package");
    not_yet("use a.b.C", "`use` is", "use");
    not_yet("module m", "modules are", "module");
    not_yet("macro m(x) y", "macros are", "macro");
    not_yet("define D delegate(x: int)", "delegates are", "delegate");
    not_yet("function f(a: pointer[i8]) returns size_t extern", "foreign routines are", "extern");
    not_yet("let p = Point$(1, 2)", "the marks `$`, `#`, `^` and `!`, which choose a region, are", "$");
    not_yet("let p = Point#(1, 2)", "the marks `$`, `#`, `^` and `!`, which choose a region, are", "#");
    not_yet("define P(x: int)\nlet p = P^q(1)", "the marks `$`, `#`, `^` and `!`, which choose a region, are", "^q");
    not_yet("function f#() {}", "the marks `$`, `#`, `^` and `!`, which choose a region, are", "#");
    not_yet("f!(x)", "the marks `$`, `#`, `^` and `!`, which choose a region, are", "!");
    not_yet("var x: T$", "the marks `$`, `#`, `^` and `!`, which choose a region, are", "$");
    not_yet(
        "define P(x: int) { init#(page, y: int) {} }",
        "the marks `$`, `#`, `^` and `!`, which choose a region, are",
        "#",
    );
}

#[test]
fn depth_is_bounded() {
    let deep =
        |open: &str, close: &str| format!("let x = {}1{}\nlet y = )", open.repeat(100_000), close.repeat(100_000));
    for text in [
        deep("(", ")"),
        deep("[", "]"),
        deep("-", ""),
        deep("- ", ""),
        deep("not ", ""),
        deep("{", "}"),
        deep("if a: ", ""),
        deep("if a { ", "}"),
        deep("f(", ")"),
        deep("a[", "]"),
        deep("\\x: ", ""),
        deep("1 + (2 * ", ")"),
        deep("1 + ", ""),
        deep("a.b(", ")"),
        deep("1 or 1 and 1 | 1 ^ 1 & 1 = 1 < 1 << 1 + 1 * (", ")"),
        deep("choose a: when Some(x): ", ""),
        deep("match a: case ", ""),
        format!("var x: {}int{}\nlet y = )", "Array[".repeat(100_000), "]".repeat(100_000)),
        format!("var x: int{}\nlet y = )", "?".repeat(100_000)),
        format!("x{}\nlet y = )", ".a".repeat(100_000)),
        format!("x{}\nlet y = )", "()".repeat(100_000)),
        format!("x{}\nlet y = )", " as int".repeat(100_000)),
        format!("if a: b{}\nlet y = )", " else if a: b".repeat(100_000)),
        format!("{}\nlet y = )", "while a: ".repeat(100_000)),
        format!("{}\nlet y = )", "define P { ".repeat(100_000)),
        format!("{}\nlet y = )", "function f() { ".repeat(100_000)),
        format!("var x: {}\nlet y = )", "function(".repeat(100_000)),
    ] {
        let start = &text[..text.len().min(40)];
        let found = diagnostics(&text);
        assert!(found.iter().any(|d| d.message == "this is nested too deeply"), "{start}: {:?}", found.first());
    }
    // What people and generators write stays below.
    for text in [
        format!("let x = {}1", "1 + ".repeat(490)),
        format!("if a: b{}", " else if a: b".repeat(490)),
        format!("let x = {}1{}", "(".repeat(190), ")".repeat(190)),
    ] {
        assert!(diagnostics(&text).is_empty(), "{}", &text[..20]);
    }
}

/// Texts that no rule fits: only that nothing panics and that what is wrong is said.
#[test]
fn broken_programs_end_in_messages() {
    for (_, text) in all_programs() {
        // A deterministic walk over the places where something is cut out.
        let mut state = text.len() as u64;
        for _ in 0..60 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let mut from = (state >> 33) as usize % text.len();
            let mut to = (from + (state >> 20) as usize % 40).min(text.len());
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            while !text.is_char_boundary(to) {
                to += 1;
            }
            let broken = format!("{}{}", &text[..from], &text[to..]);
            let parsed = parse(FileId(0), &broken, &mut Interner::new(), true);
            shown(&broken, &parsed.diagnostics);
            assert!(parsed.diagnostics.len() <= 100);
        }
    }
}
