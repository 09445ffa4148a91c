use super::{Printer, parse};
use crate::bytecode::{Instruction, Opcode, Role};
use crate::program::{Function, FunctionId, Program};
use crate::source::Span;

const FIB: &str = r#"
main start
globals 16
text0 "a \"quote\", a ; and\na line"

function fib(params 1, results 1, frame 9) {0:4..60}
  param n s0 value
  variable n s0 @more..@end
  inlined "V.+" @more..@end {0:30..40}
  JGtSImm s0, 1 -> @more {0:10..20}
  Return1 s0
more: AddImm s4, s0, -1
  Call s4, fib
  AddImm s5, s0, -2        ; a comment
  MoveN s7..9, s4..6
  Call s7, "fib"
  Add s4, s4, s7
  Return1 s4

function start(params 0, results 1, frame 9) library
  variable i s0..2 @top..@end
  loop counted s1..3 @top..@out {0:1..3}
  Const s1, 0
  Const s0, 0xffff_ffff_ffff_ffff
  ForPrepS s1..3, s0 -> @out
top:
  ConstF64 s5, 1e-7
  ConstF32 s6, -inf
  LoadElemF64 s5, s5..7, s0, *24, +8
  Runtime s4, RegionEnter
  F64ToInt s3, s4, u8
  ForLoop s1..3, loop0 -> @top
out: Fault IndexOutOfRange
"#;

fn round_trip(program: &Program) -> Program {
    let text = Printer::new(program).spans(true).to_string();
    parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn reads_what_people_write() {
    let program = parse(FIB).unwrap();
    assert_eq!(program.functions.len(), 2);
    assert_eq!(program.main.0, 1);
    assert_eq!(program.code[0], Instruction::with(Opcode::JGtSImm, 0, 0, 0, 2, 1));
    assert_eq!(program.code[3].x, 0);
    assert_eq!(program.loops[0].code, 12..18);
    assert_eq!(program.functions[0].variables[0].code, 2..9);
    assert_eq!(program.functions[0].inlined[0].code, 2..9);
    assert_eq!(&*program.texts[0], "a \"quote\", a ; and\na line");
    assert_eq!(program.spans[8], Span { start: 10, end: 20, ..Span::default() });
    assert!(program.functions[1].library);
    assert_eq!(program, round_trip(&program));
}

#[test]
fn errors_name_the_line() {
    let with = |line: &str| parse(&format!("main f\nfunction f(params 0, results 1, frame 4)\n{line}\nReturn1 s0"));
    for (line, message) in [
        ("Ad s0, s1, s2", "line 3: no opcode is called `Ad`"),
        ("Add s0, s1", "line 3: expected `,` at the end of the line"),
        ("Add s0, s1, 4", "line 3: expected a slot, not `4`"),
        ("Jump -> @5", "line 3: no instruction of f has the label `5`"),
        ("Call s3, g", "line 3: no function is called `g`"),
        ("Runtime s3, Sing", "line 3: `Sing` is not a routine"),
        ("MoveN s0..2, s2..5", "line 3: the two ranges of slots differ in length"),
        ("Text s0, text0", "line 3: two slots are needed here, like s0..2"),
        ("Return1 s0 s1", "line 3: unexpected `s1`"),
        ("Const s0, 1 # x", "line 3: unexpected character `#`"),
        ("Const s0, s1", "line 3: expected a constant, not `s1`"),
    ] {
        assert_eq!(with(line).unwrap_err().to_string(), message);
    }
    assert_eq!(parse("function f(params 0, results 0, frame 4)\nReturn").unwrap_err().message, "there is no `main`");
}

/// Each opcode with extreme operands.
#[test]
fn every_opcode_round_trips() {
    let mut program = Program { main: FunctionId(0), texts: vec!["".into()], ..Program::default() };
    for (i, &op) in Opcode::ALL.iter().enumerate() {
        let roles = op.operands();
        let slot = |role| match role {
            Role::No => 0,
            _ => 200 + i as u16,
        };
        let short = |role| match role {
            Role::No | Role::Function | Role::Text | Role::Target => 0,
            Role::Slots => 3,
            Role::Kind | Role::Fault | Role::Loop | Role::Routine => 5,
            _ => 0xffff_fff0,
        };
        let (a, b, c) = (slot(roles.a), slot(roles.b), slot(roles.c));
        program.code.push(Instruction::with(op, a, b, c, short(roles.x), short(roles.y)));
        program.spans.push(Span { start: i as u32 / 2, end: 400, ..Span::default() });
    }
    program.functions.push(Function {
        name: "odd name[T]".to_string(),
        code: 0..program.code.len() as u32,
        frame_slots: 600,
        param_slots: 0,
        result_slots: 1,
        params: Vec::new(),
        variables: Vec::new(),
        inlined: Vec::new(),
        span: Span::default(),
        library: false,
    });
    assert_eq!(program, round_trip(&program));
}
