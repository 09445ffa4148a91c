//! Runtime routines from bytecode: what they give, and what they leave in the world outside.

mod common;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{run_listing, run_program, scratch_file};
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Options, World, run};
use scaly_interp::routine::hash_text;
use scaly_runtime::console::{Input, Output};

/// A main function with the region in s1 and text constants; prints with `say` lines.
fn listing(texts: &[&str], body: &str) -> String {
    let mut listing = "main start\n".to_string();
    for (number, text) in texts.iter().enumerate() {
        listing += &format!("text{number} {text:?}\n");
    }
    listing += "function start(params 0, results 1, frame 64)\nRuntime s1, RegionEnter\n";
    for line in body.lines() {
        listing += &match line.split_once(' ') {
            Some(("say_text", slot)) => format!("MoveN s50..52, {slot}\nRuntime s50, ConsolePrint\n"),
            Some(("say_int", slot)) => {
                format!("Move s50, s1\nMove s51, {slot}\nRuntime s50, IntToString\nRuntime s50, ConsolePrint\n")
            }
            Some(("say_float", slot)) => {
                format!("Move s50, s1\nMove s51, {slot}\nRuntime s50, FloatToString\nRuntime s50, ConsolePrint\n")
            }
            _ => format!("{line}\n"),
        };
    }
    listing + "Const s0, 0\nReturn1 s0\n"
}

#[track_caller]
fn prints(texts: &[&str], body: &str, expected: &str) {
    let (finished, output) = run_listing(&listing(texts, body));
    assert_eq!(finished.ended, Ended::Status(0), "{body}");
    assert_eq!(output, expected, "{body}");
}

#[test]
fn strings() {
    let texts = ["größe", "öß", "", "1.5e3", "abc"];
    prints(
        &texts,
        "Move s2, s1\nText s3..5, text0\nText s5..7, text4\nRuntime s2, StringConcat\nsay_text s2..4",
        "größeabc",
    );
    prints(&texts, "Text s2..4, text0\nText s4..6, text1\nConst s6, 0\nRuntime s2, StringFind\nsay_int s2", "2");
    prints(&texts, "Text s2..4, text0\nText s4..6, text1\nConst s6, 3\nRuntime s2, StringFind\nsay_int s2", "-1");
    prints(&texts, "Text s2..4, text0\nText s4..6, text2\nConst s6, 7\nRuntime s2, StringFind\nsay_int s2", "7");
    prints(&texts, "Text s2..4, text0\nText s4..6, text2\nConst s6, 8\nRuntime s2, StringFind\nsay_int s2", "-1");
    prints(&texts, "Text s2..4, text4\nText s4..6, text0\nRuntime s2, StringCompare\nsay_int s2", "-1");
    prints(&texts, "Text s2..4, text0\nText s4..6, text0\nRuntime s2, StringCompare\nsay_int s2", "0");
    prints(&texts, "Text s2..4, text4\nText s4..6, text2\nRuntime s2, StringCompare\nsay_int s2", "1");
    prints(&texts, "Text s2..4, text4\nText s4..6, text2\nRuntime s2, StringEqual\nsay_int s2", "0");
    prints(
        &texts,
        "Move s2, s1\nText s3..5, text0\nConst s5, 2\nConst s6, 6\nRuntime s2, StringSlice\nsay_text s2..4",
        "öß",
    );
    prints(&texts, "Text s2..4, text0\nConst s4, 2\nRuntime s2, StringCharAt\nsay_int s2\nsay_int s3", "2464");
    prints(&texts, "Text s2..4, text3\nRuntime s2, StringParseFloat\nsay_float s2", "1500.0");
    for (bad, expected) in
        [("", "nan"), ("infinity", "nan"), ("-inf", "-inf"), ("1e", "nan"), ("0x1", "nan"), ("+.5", "0.5")]
    {
        prints(&[bad], "Text s2..4, text0\nRuntime s2, StringParseFloat\nsay_float s2", expected);
    }
    prints(&texts, "Text s2..4, text1\nConst s3, 1\nRuntime s2, StringIsUtf8\nsay_int s2", "0");
}

/// Values of the reference implementation of XXH3.
#[test]
fn hashes_are_xxh3() {
    assert_eq!(hash_text(b""), 0x2D06_8005_38D3_94C2);
    assert_eq!(hash_text(b"abc"), 0x78AF_5F94_892F_3950);
    prints(&["abc"], "Text s2..4, text0\nRuntime s2, StringHash\nsay_int s2", &(hash_text(b"abc") as i64).to_string());
}

#[test]
fn builders() {
    let start = "Move s2, s1\nConst s3, 0\nConst s4, 0\n";
    let append =
        |value: &str, routine: &str| format!("{value}\nRuntime s2, {routine}\nMove s4, s3\nMove s3, s2\nMove s2, s1\n");
    let mut body = start.to_string();
    for (value, routine) in [
        ("Text s5..7, text0", "BuilderText"),
        ("Const s5, -12", "BuilderInt"),
        ("Const s5, 223", "BuilderChar"),
        ("ConstF64 s5, 2.0", "BuilderFloat"),
        ("Const s5, 1", "BuilderBool"),
        ("ConstF64 s5, 0.125\nConst s6, 2", "BuilderFixed"),
        ("Text s5..7, text0", "BuilderQuoted"),
        ("Const s5, 10", "BuilderQuotedChar"),
        ("Const s5, -1", "BuilderUint"),
        ("ConstF32 s5, 0.1", "BuilderSingle"),
    ] {
        body += &append(value, routine);
    }
    prints(&["a\"b"], &(body + "say_text s3..5"), "a\"b-12ß2.0true0.12\"a\\\"b\"\"\\n\"184467440737095516150.1");
}

#[test]
fn arrays_and_memory() {
    // Three words, grown by one, then copied, repeated, moved and compared.
    let array = "Move s2, s1\nConst s3, 3\nConst s4, 8\nRuntime s2, ArrayNew\nConst s5, 0\nConst s6, 7\nStoreElemI64 s2..4, s5, s6, *8, +0\n";
    prints(
        &[],
        &format!(
            "{array}MoveN s10..12, s2..4\nConst s12, 8\nRuntime s10, ArrayRepeat\nConst s5, 2\nLoadElemI64 s7, s2..4, s5, *8, +0\nsay_int s7"
        ),
        "7",
    );
    prints(
        &[],
        &format!(
            "{array}Move s10, s1\nMove s11, s2\nConst s12, 3\nConst s13, 8\nConst s14, 100\nRuntime s10, ArrayGrow\nMove s2, s10\nConst s3, 103\nConst s5, 0\nLoadElemI64 s7, s2..4, s5, *8, +0\nsay_int s7"
        ),
        "7",
    );
    prints(
        &[],
        &format!(
            "{array}Move s10, s1\nMove s11, s2\nMove s12, s3\nConst s13, 8\nRuntime s10, ArrayCopy\nMove s20, s2\nMove s21, s10\nConst s22, 24\nRuntime s20, MemoryEqual\nsay_int s20\nNe s7, s2, s10\nsay_int s7"
        ),
        "11",
    );
    prints(
        &[],
        &format!(
            "{array}AddImm s20, s2, 8\nMove s21, s2\nConst s22, 8\nRuntime s20, MemoryMove\nConst s5, 1\nLoadElemI64 s7, s2..4, s5, *8, +0\nsay_int s7"
        ),
        "7",
    );
    prints(
        &[],
        &format!(
            "{array}AddImm s20, s2, 16\nMove s21, s2\nConst s22, 8\nRuntime s20, MemorySwap\nLoadI64 s7, s2, +0\nsay_int s7\nLoadI64 s7, s2, +16\nsay_int s7"
        ),
        "07",
    );
    prints(
        &[],
        &format!("{array}Move s20, s2\nConst s21, 8\nRuntime s20, MemoryZero\nLoadI64 s7, s2, +0\nsay_int s7"),
        "0",
    );
}

#[test]
fn lines_of_input() {
    let body = "loop open @top..@end
top: Runtime s2, ConsoleHasLine
JIfNot s2 -> @out
Move s2, s1
Runtime s2, ConsoleTakeLine
say_text s2..4
Text s2..4, text0
say_text s2..4
Loop loop0 -> @top
out: Nop
";
    let text = listing(&["|"], body).replace("@end", "@out");
    let program = Arc::new(parse(&text).unwrap());
    let (finished, output) = run_program(program.clone(), "one\r\n\nthree", Options::default());
    assert_eq!((finished.ended, output.as_str()), (Ended::Status(0), "one||three|"));

    // A pipe that is written to later: the fiber parks.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let sender = std::thread::spawn(move || {
        for part in ["sl", "ow\nag", "ain\n"] {
            std::thread::sleep(Duration::from_millis(20));
            writer.write_all(part.as_bytes()).unwrap();
        }
    });
    let output = scratch_file();
    let world =
        World { output: Output::new(output.as_raw_fd()), input: Input::new(reader.as_raw_fd()), arguments: Vec::new() };
    let finished = run(program, world, Options::default()).unwrap();
    assert_eq!(finished.ended, Ended::Status(0));
    sender.join().unwrap();
    let text = common::contents(output);
    assert_eq!(text, "slow|again|");
}

#[test]
fn files_and_images() {
    let folder = std::env::temp_dir().join(format!("scaly-routines-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("data.txt");
    let image = folder.join("image.png");
    let texts = [path.to_str().unwrap(), "first", " second", image.to_str().unwrap()];
    prints(
        &texts,
        "Text s2..4, text0
Text s4..6, text1
Runtime s2, FileWrite
Text s2..4, text0
Text s4..6, text2
Runtime s2, FileAppend
Move s2, s1
Text s3..5, text0
Runtime s2, FileRead
say_text s2..4
Text s2..4, text0
Runtime s2, FileExists
say_int s2
Text s2..4, text0
Runtime s2, FileDelete
Text s2..4, text0
Runtime s2, FileExists
say_int s2
Move s2, s1
Const s3, 18
Const s4, 1
Runtime s2, ArrayNew
MoveN s8..10, s2..4
Const s10, 1
Const s7, 1
StoreElemI8 s8..10, s7, s7, *1, +0
Text s4..6, text3
Const s6, 3
Const s7, 2
Runtime s4, ImageWritePng
",
        "first second10",
    );
    // The row's order of arguments: path, width, height, pixels.
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&image).unwrap()));
    let info = decoder.read_info().unwrap();
    assert_eq!((info.info().width, info.info().height), (3, 2));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn arguments_and_clocks() {
    prints(
        &[],
        "Runtime s2, ArgsLength\nsay_int s2\nMove s2, s1\nConst s3, 1\nRuntime s2, ArgsAt\nsay_text s2..4",
        "2zwei",
    );
    let start = Instant::now();
    prints(
        &[],
        "Runtime s2, TimeClock\nConstF64 s3, 0.05\nRuntime s3, TimeSleep\nRuntime s4, TimeClock\nSubF64 s4, s4, s2\nConstF64 s5, 0.05\nLeF64 s4, s5, s4\nsay_int s4",
        "1",
    );
    assert!(start.elapsed() >= Duration::from_millis(50));
}

/// What was printed goes out before `exit`, and a closed pipe ends the program without a word.
#[test]
fn output_is_flushed_and_may_be_closed() {
    let (finished, output) =
        run_listing(&listing(&["bye"], "Text s2..4, text0\nsay_text s2..4\nConst s2, 3\nRuntime s2, Exit"));
    assert_eq!((finished.ended, output.as_str()), (Ended::Status(3), "bye"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let input = scratch_file();
    let world = World {
        output: {
            Output::stdout();
            Output::new(writer.as_raw_fd())
        },
        input: Input::new(input.as_raw_fd()),
        arguments: Vec::new(),
    };
    let text = listing(
        &["xxxxxxxxxxxxxxxx"],
        "loop open @top..@end\ntop: Text s2..4, text0\nsay_text s2..4\nLoop loop0 -> @top\nend_of: Nop",
    );
    let program = parse(&text.replace("@end\n", "@end_of\n")).unwrap();
    let finished = run(Arc::new(program), world, Options::default()).unwrap();
    assert_eq!(finished.ended, Ended::Status(0));
}
