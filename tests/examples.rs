//! The programs in `examples/` at a small size: what they print, and the pictures that they make.
//!
//! Expected figures come from elsewhere: the published results of nbody and spectral norm, an independent computation of
//! the others. The Mandelbrot picture is computed here once more; the raytracer's is compared with one that a person has
//! looked at.

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use common::statistics::{self, Statistics};
use common::{CONFIGURATIONS, finish, root, run, scaly};

/// Runs an example in all configurations; the output is the same in all.
fn output(name: &str, arguments: &[&str]) -> String {
    let mut outputs = Vec::new();
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.into()).collect();
    for &configuration in CONFIGURATIONS {
        let path = root().join(format!("examples/{name}.scaly"));
        let outcome = run(&path, configuration, &arguments, "");
        let outcome = outcome.unwrap_or_else(|e| panic!("{name} [{}]: {e}", configuration.name));
        assert_eq!(outcome.error, "", "{name} [{}]", configuration.name);
        assert_eq!(outcome.status, Some(0), "{name} [{}]", configuration.name);
        assert_eq!(configuration.check(&outcome), Ok(()), "{name} [{}]", configuration.name);
        outputs.push(outcome.output);
    }
    assert!(outputs.windows(2).all(|pair| pair[0] == pair[1]), "{name}: {outputs:?}");
    outputs.swap_remove(0)
}

/// By traces at default settings, at least 99 of 100 iterations of all loops are native and no loop is left alone. When a
/// trace is made goes by measured time; each example has so much to do that a few milliseconds in the interpreter, on a
/// busy machine some tens, are not the hundredth of it.
#[test]
fn nearly_all_iterations_are_native() {
    let words: String = (0..3_000_000).map(|i| format!("{} ", WORDS[i * i % 97 % WORDS.len()])).collect();
    let sales: String = (0..400_000).map(sale).collect();
    let (text, table, picture) = (scratch("many_words.txt"), scratch("many_sales.csv"), scratch("native.png"));
    fs::write(&text, words).expect("a test file");
    fs::write(&table, format!("month,region,product,units,price\n{sales}")).expect("a test file");
    let [text, table, picture] = [text, table, picture].map(|path| path.display().to_string());
    for (name, arguments) in [
        ("mandelbrot", &["1000", "300", &picture][..]),
        ("matmul", &["600"]),
        ("nbody", &["1000000"]),
        ("nqueens", &["13"]),
        ("raytracer", &["800", "600", &picture]),
        ("report", &[&table]),
        ("sieve", &["60000000"]),
        ("spectral_norm", &["1600"]),
        ("wordcount", &[&text]),
    ] {
        // How soon something is recorded goes by processor time, which a busy machine stretches.
        let mut runs = (0..3).map(|_| measured(name, arguments));
        let enough = |run: &Statistics| run.native_percent() >= 99.0;
        let first = runs.next().expect("three runs");
        let statistics = if enough(&first) { first } else { runs.find(enough).unwrap_or(first) };
        let loops = &statistics.loops;
        assert!(enough(&statistics), "{name}: {} % native: {loops:#?}", statistics.native_percent());
        let left_alone = loops.iter().find(|each| each.standing == "blacklisted");
        assert!(left_alone.is_none(), "{name}: {left_alone:#?}");
    }
    // This one has no arguments, and nothing in it gets hot.
    assert!(measured("brighten", &[]).iterations() < 56);
}

const WORDS: [&str; 13] =
    ["it", "was", "the", "best", "of", "times", "Season", "Light", "Darkness", "spring", "hope", "Winter", "despair"];

fn sale(i: u32) -> String {
    let region = ["North", "South", "East", "West"][i as usize * 7 % 4];
    let product = ["Lamp", "Chair", "Table"][i as usize % 3];
    format!("2026-{:02},{region},{product},{},{}.{:02}\n", i % 12 + 1, i % 200 + 1, i % 90 + 5, i % 100)
}

fn measured(name: &str, arguments: &[&str]) -> Statistics {
    let mut command = scaly();
    // Loops that are compiled whole do not count the iterations of the loops inside of them.
    command.args(["--jit", "llvm=0"]);
    command.arg(statistics::OPTION).arg(format!("examples/{name}.scaly")).args(arguments);
    let mut outcome = finish(command, "").unwrap_or_else(|e| panic!("{name}: {e}"));
    statistics::take(&mut outcome.error).unwrap_or_else(|| panic!("{name}: no statistics\n{}", outcome.error))
}

struct Picture {
    width: u32,
    height: u32,
    /// Three bytes a pixel.
    rgb: Vec<u8>,
}

fn picture(path: &Path) -> Picture {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG");
    let mut rgb = vec![0; reader.output_buffer_size().expect("a small picture")];
    let info = reader.next_frame(&mut rgb).expect("a whole picture");
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    Picture { width: info.width, height: info.height, rgb }
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).expect("the folder for test files");
    folder.join(name)
}

#[test]
fn nbody() {
    assert_eq!(output("nbody", &["1000"]), "-0.169075164\n-0.169087605\n");
}

#[test]
fn spectral_norm() {
    assert_eq!(output("spectral_norm", &["100"]), "1.274219991\n");
}

#[test]
fn sieve() {
    assert_eq!(output("sieve", &["1000"]), "168 primes up to 1000\nthe last one is 997\n");
}

#[test]
fn nqueens() {
    let board = ". Q . . . .\n. . . Q . .\n. . . . . Q\nQ . . . . .\n. . Q . . .\n. . . . Q .\n";
    assert_eq!(output("nqueens", &["6"]), format!("{board}6 queens: 4 ways\n"));
}

#[test]
fn matmul() {
    assert_eq!(output("matmul", &["10"]), "10 x 10, trace -0.078125\n");
}

#[test]
fn wordcount() {
    let expected = "34 different words\n   11 the\n   10 it\n   10 was\n   10 of\n    4 we\n    2 times\n";
    assert_eq!(output("wordcount", &[]), format!("{expected}    2 age\n    2 epoch\n    2 season\n    2 had\n"));
    let file = scratch("words.txt");
    fs::write(&file, "one two\nTwo, three: two; ONE 1").expect("a test file");
    let file = file.display().to_string();
    assert_eq!(output("wordcount", &[&file, "2"]), "3 different words\n    3 two\n    2 one\n");
}

#[test]
fn report() {
    let expected = "\
region         units       total   share
North            314    12520.00   45.4%
South            135     9807.60   35.6%
East             230     5232.50   19.0%
all              679    27560.10

month          units       total   share
2026-02          280    11671.50   42.3%
2026-01          235     8015.00   29.1%
2026-03          164     7873.60   28.6%
all              679    27560.10

Best sale: 230 x Lamp in East for 5232.50
Skipped line 8: \"many\" is not a number of units
Skipped line 11: 4 columns instead of 5
";
    assert_eq!(output("report", &[]), expected);
}

/// Every pixel is what this computes in the same order of operations.
#[test]
fn mandelbrot() {
    let (size, limit) = (60, 50);
    let file = scratch("mandelbrot.png");
    let name = file.display().to_string();
    let said = output("mandelbrot", &["60", "50", &name]);
    let escape = |cx: f64, cy: f64| {
        let (mut x, mut y, mut n) = (0.0, 0.0, 0);
        while n < limit && x * x + y * y <= 4.0 {
            (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
            n += 1;
        }
        n
    };
    let byte = |part: f64| (part as f32 * 255.0 + 0.5) as u8;
    let mut inside = 0;
    let mut rgb = Vec::new();
    for row in 0..size {
        for column in 0..size {
            let place = |i: i32, from: f64| 3.0 * f64::from(i) / f64::from(size) - from;
            let steps = escape(place(column, 2.25), place(row, 1.5));
            if steps == limit {
                inside += 1;
                rgb.extend([0, 0, 0]);
                continue;
            }
            let t = (f64::from(steps) / f64::from(limit)).sqrt();
            let rest = 1.0 - t;
            rgb.extend([
                byte(9.0 * rest * t * t * t),
                byte(15.0 * rest * rest * t * t),
                byte(8.5 * rest * rest * rest * t),
            ]);
        }
    }
    assert_eq!(said, format!("{name}: {inside} of 3600 points did not escape in 50 steps\n"));
    let picture = picture(&file);
    assert_eq!((picture.width, picture.height), (60, 60));
    assert!(picture.rgb == rgb, "the pictures differ");
}

/// `SCALY_UPDATE=1` writes the picture anew: look at it before it is committed.
#[test]
fn raytracer() {
    let file = scratch("raytracer.png");
    let name = file.display().to_string();
    let said = output("raytracer", &["96", "72", &name]);
    assert!(said.starts_with(&format!("{name}: 96 x 72 pixels, ")), "{said}");
    let expected = root().join("tests/pictures/raytracer.png");
    if std::env::var_os("SCALY_UPDATE").is_some() {
        fs::create_dir_all(root().join("tests/pictures")).expect("the folder for pictures");
        fs::copy(&file, &expected).expect("the picture");
    }
    let (got, wanted) = (picture(&file), picture(&expected));
    assert_eq!((got.width, got.height), (wanted.width, wanted.height));
    let different = got.rgb.chunks(3).zip(wanted.rgb.chunks(3)).filter(|(a, b)| a != b).count();
    assert_eq!(different, 0, "pixels differ");
}
