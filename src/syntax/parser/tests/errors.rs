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
}
