//! `scaly --live`: what the page is told while a program runs, what is refused, and that the program is not disturbed.

mod common;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Outcome, finish, root, scaly};
use serde_json::Value;

const PROGRAM: &str = "tests/live/mandelbrot.scaly";

/// A program that runs beside its page.
struct Running {
    child: Child,
    error: BufReader<ChildStderr>,
    address: String,
    /// With the secret, `/…/`.
    path: String,
}

/// The status of an answer and its body.
type Answer = (u16, Vec<u8>);

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("live");
    std::fs::create_dir_all(&folder).expect("the folder for test files");
    folder.join(name)
}

fn start(words: &[&str]) -> Running {
    let mut command = scaly();
    command.arg("--live").args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let mut error = BufReader::new(child.stderr.take().expect("standard error"));
    let mut line = String::new();
    error.read_line(&mut line).expect("a line");
    let url =
        line.strip_prefix("live: http://").and_then(|url| url.strip_suffix('\n')).unwrap_or_else(|| panic!("{line}"));
    let (address, path) = url.split_once('/').expect("a path");
    Running { child, error, address: address.into(), path: format!("/{path}") }
}

impl Running {
    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        Some(stream)
    }

    /// Sends a text, and reads until the connection ends.
    fn send(&self, text: &str) -> Option<Answer> {
        let mut stream = self.connect()?;
        stream.write_all(text.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let body = bytes.split_off(end + 4);
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
        assert_eq!(length.parse(), Ok(body.len()), "{head}");
        Some((status, body))
    }

    fn get(&self, path: &str) -> Option<Answer> {
        let (host, secret) = (&self.address, &self.path);
        self.send(&format!("GET {secret}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    }

    fn state(&self) -> Option<Value> {
        let (status, body) = self.get("state?page=1")?;
        assert_eq!(status, 200);
        Some(serde_json::from_slice(&body).expect("JSON"))
    }

    /// Waits for the end, as somebody who has seen it.
    fn end(mut self) -> (Option<i32>, String, String) {
        let deadline = Instant::now() + Duration::from_secs(100);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let (mut output, mut error) = (String::new(), String::new());
        self.child.stdout.take().expect("standard output").read_to_string(&mut output).expect("text");
        self.error.read_to_string(&mut error).expect("text");
        assert!(TcpStream::connect(&self.address).is_err(), "the port is closed");
        (status.code(), output, error)
    }
}

/// What a page has of a picture.
#[derive(Default)]
struct Canvas {
    columns: usize,
    version: u64,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Draws what has changed; gives how many pixels that are.
    fn draw(&mut self, running: &Running, picture: &Value) -> Option<usize> {
        let number = |name: &str| picture[name].as_u64().expect("a number") as usize;
        self.columns = number("columns");
        self.pixels.resize(4 * self.columns * number("rows"), 0);
        let (status, bytes) = running.get(&format!("picture?id={}&after={}", number("id"), self.version))?;
        assert_eq!(status, 200);
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
        self.version = word(&bytes).into();
        let mut changed = 0;
        for line in bytes[4..].chunks(4 + 4 * self.columns) {
            let start = 4 * self.columns * word(line) as usize;
            let old = &mut self.pixels[start..start + 4 * self.columns];
            changed += old.chunks(4).zip(line[4..].chunks(4)).filter(|(old, new)| old != new).count();
            old.copy_from_slice(&line[4..]);
        }
        Some(changed)
    }
}

/// Red, green, blue.
fn png(path: &Path) -> (u32, Vec<u8>) {
    let mut reader =
        png::Decoder::new(BufReader::new(File::open(path).expect("a picture"))).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut bytes).expect("a frame");
    bytes.truncate(info.buffer_size());
    let colors: Vec<u8> = match info.color_type {
        png::ColorType::Rgba => bytes.chunks(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        _ => bytes,
    };
    (info.width, colors)
}

/// Without the lines about the page.
fn own(error: &str) -> String {
    error.lines().filter(|line| !line.starts_with("live: ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_picture_grows_and_the_last_one_arrives() {
    let file = scratch("grows.png");
    let running = start(&[PROGRAM, "700", "1500", &file.display().to_string()]);
    let (status, page) = running.get("").expect("the page");
    let page = String::from_utf8(page).expect("text");
    assert!(status == 200 && page.starts_with("<!doctype html>") && page.contains("<canvas"), "{page}");
    assert!(!page.contains("{{") && !page.contains("src=") && !page.contains("@import"), "it needs nothing else");
    let mut canvas = Canvas::default();
    let (mut grown, mut pixels, mut tiers) = (0, 0, BTreeSet::new());
    let last = loop {
        let state = running.state().expect("an answer, until the end has been seen");
        assert_eq!((&state["v"], &state["program"]), (&1.into(), &PROGRAM.into()));
        tiers.insert(state["tier"].as_str().expect("a tier").to_string());
        let now = state["pixels"].as_u64().expect("a number");
        assert!(now >= pixels, "{now} after {pixels}");
        grown += u32::from(now > pixels);
        pixels = now;
        if !state["picture"].is_null() {
            canvas.draw(&running, &state["picture"]).expect("the picture");
        }
        if !state["ended"].is_null() {
            break state;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(grown >= 3, "it grew {grown} times");
    assert!(tiers.contains("parallel") && tiers.len() >= 2, "{tiers:?}");
    // Each was written once, none as black as before; one that was seen between two of its colours counts twice.
    assert!((490_000..490_200).contains(&pixels), "{pixels}");
    assert_eq!((&last["ended"]["status"], &last["ended"]["error"]), (&0.into(), &Value::Null));
    let loops = last["loops"].as_array().expect("loops");
    let filling = loops.iter().find(|each| each["source"] == "for i in 0..pixels.length() {").expect("the loop");
    assert_eq!(
        (&filling["line"], &filling["tier"], &filling["why"]),
        (&18.into(), &"parallel".into(), &Value::Array(vec![]))
    );
    let turning = loops.iter().find(|each| each["line"] == 8).expect("the loop inside");
    assert!(turning["why"][0]["reason"].as_str().expect("a reason").contains("may end before"), "{turning}");
    let timeline = last["timeline"].as_array().expect("a timeline");
    assert!(timeline.len() > 10 && timeline.iter().any(|point| point["tier"] == "parallel"), "{timeline:?}");
    let (width, saved) = png(&file);
    assert_eq!(width, 700);
    let shown: Vec<u8> = canvas.pixels.chunks(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    assert!(shown == saved, "the last picture is the one that was saved");
    assert_eq!(running.get("seen?page=1").expect("an answer").0, 200);
    // The other page has gone without a word.
    let (status, output, error) = running.end();
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(output.starts_with("490000 pixels, "), "{output}");
}

#[test]
fn a_program_runs_as_it_does_without() {
    let copies = "procedure show() {
    var a = Image(30, 20)
    a.set(3, 4, Pixel(1.0, 0.5, 0.25))
    var b = a
    b.set(0, 0, Pixel(0.5, 0.5, 0.5))
    var all: Array[Image]
    for i in 20 {
        all.push(b)
        b.pixels.push(Pixel(i as f32, 0.0, 1.0))
    }
    println(a.get(3, 4), a.get(0, 0), all[19].pixels[600], all[0].pixels.length(), all[19].pixels.length())
    all.truncate(3)
    set b: a
    b.set(0, 0, Pixel(0.1, 0.1, 0.1))
    println(b.pixels.length(), a.get(0, 0), all[2].get(3, 4))
}
for i in 50: show()";
    let many = "var sum = 0
for i in 3000 {
    var image = Image(i % 70, 40)
    for k in image.pixels.length(): image.pixels[k] = Pixel(k as f32, i as f32, 0.5)
    if i % 70 > 0: sum += image.get(i % 70 - 1, 39).r as int
}
println(sum)
exit(7)";
    for words in [
        &["-e", copies][..],
        &["-e", many],
        &["--regions=guard", "-e", copies],
        &["--regions=guard", "-e", many],
        &["--jit", "off", "-e", many],
        &["--jit", "llvm=2,chunk=1", "--threads", "3", "-e", many],
        &["--jit", "hot=1,hot_exit=1", "-e", copies],
        &["-e", "let a = Image(-1, 4)"],
        &["-e", "let a = Image(3037000500, 3037000500)"],
        // Two pixels, as far as 64 bits go.
        &["-e", "let a = Image(3, 6148914691236517206)\nprint(a.pixels.length())"],
        &["--memory-limit", "64M", "-e", "let a = Image(5000, 5000)"],
        &["-e", "let a = Image(0, 9)\nprint(a.pixels.length())"],
        &["-e", "1 + 1"],
        &["-e", "print(1 / Args.length())"],
        &[PROGRAM, "90", "50"],
    ] {
        let mut plain = scaly();
        plain.args(words);
        let expected = finish(plain, "").expect("it ends");
        let begun = Instant::now();
        let mut live = scaly();
        live.arg("--live").args(words);
        let Outcome { status, output, error, .. } = finish(live, "").expect("it ends");
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody is waited for");
        assert_eq!((status, output), (expected.status, expected.output), "{words:?}: {error}");
        assert_eq!(own(&error), expected.error, "{words:?}");
        assert!(error.starts_with("live: http://127.0.0.1:"), "{error}");
    }
}

#[test]
fn a_program_without_pictures_says_so() {
    let running = start(&["-e", "for i in 10: Time.sleep(0.1)"]);
    let state = running.state().expect("a state");
    assert_eq!((&state["has_pictures"], &state["picture"]), (&false.into(), &Value::Null));
    assert_eq!(running.get("seen?page=1").expect("an answer").0, 200);
    let (status, _, error) = running.end();
    assert_eq!(status, Some(0));
    assert_eq!(error, "live: the program makes no Image, so the page shows how its loops run only\n");
    let running = start(&["-e", "if Args.length() > 0: println(Image(1, 1).width)\nTime.sleep(0.5)"]);
    assert_eq!(running.state().expect("a state")["has_pictures"], true);
    running.get("seen?page=1");
    assert_eq!(running.end().2, "");
}

#[test]
fn an_error_is_told_to_the_page() {
    let running = start(&["-e", "var a = Image(3, 3)\nTime.sleep(0.5)\na.set(3, 0, Pixel(1.0, 1.0, 1.0))"]);
    let state = loop {
        let state = running.state().expect("a state");
        if !state["ended"].is_null() {
            break state;
        }
    };
    let ended = &state["ended"];
    assert_eq!((&ended["status"], &ended["error"]), (&1.into(), &"pixel 3, 0 is outside of 3 x 3".into()));
    running.get("seen?page=1");
    assert_eq!(running.end().0, Some(1));
}

#[test]
fn the_picture_written_last_is_shown() {
    let running = start(&[
        "-e",
        "var a = Image(4, 2)
var b = Image(5, 3)
procedure short() {
    var c = Image(6, 4)
    c.set(0, 0, Pixel(1.0, 0.0, 0.0))
}
a.set(0, 0, Pixel(1.0, 0.0, 0.0))
Time.sleep(0.7)
b.set(1, 0, Pixel(0.0, 1.0, 0.0))
Time.sleep(0.7)
short()
Time.sleep(0.7)
var d = b
d.pixels[14] = Pixel(0.0, 0.0, 1.0)
Time.sleep(0.7)
b.set(2, 0, Pixel(0.0, 0.0, 1.0))
print(b.pixels[14].b + d.pixels[14].b)",
    ]);
    let mut shown = Vec::new();
    loop {
        let state = running.state().expect("a state");
        let picture = &state["picture"];
        shown.extend(picture["id"].as_u64().zip(picture["width"].as_u64()));
        if !state["ended"].is_null() {
            break;
        }
    }
    shown.dedup();
    // The last one is a copy of the second, until that one is written again.
    assert_eq!(shown, [(1, 4), (2, 5), (3, 6), (4, 5), (2, 5)]);
    running.get("seen?page=1");
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn other_requests_are_refused() {
    let running = start(&["-e", "var a = Image(2, 2)\nTime.sleep(6.0)"]);
    let (host, secret) = (running.address.clone(), running.path.clone());
    let port = host.rsplit(':').next().expect("a port");
    assert!(host.starts_with("127.0.0.1:") && secret.len() >= 2 + 32, "{host}{secret}");
    let status = |text: String| running.send(&text).map(|(status, _)| status);
    let with_host = |host: &str| status(format!("GET {secret} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
    let path = |path: &str| status(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
    assert_eq!(with_host(&host), Some(200));
    assert_eq!(with_host(&format!("localhost:{port}")), Some(200));
    assert_eq!(with_host("evil.example"), Some(403));
    assert_eq!(with_host(&format!("evil.example:{port}")), Some(403));
    assert_eq!(status(format!("GET {secret} HTTP/1.1\r\n\r\n")), Some(400));
    assert_eq!(path("/"), Some(404));
    assert_eq!(path("/favicon.ico"), Some(404));
    assert_eq!(path(&format!("{secret}x")), Some(404));
    assert_eq!(path(&format!("/{}/", "0".repeat(secret.len() - 2))), Some(404));
    assert_eq!(path(secret.trim_end_matches('/')), Some(404));
    for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let text = format!("{method} {secret} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(status(text), Some(405), "{method}");
    }
    assert_eq!(status("\u{1}\u{2}\r\n\r\n".into()), Some(400));
    assert_eq!(status(format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000))), Some(431));
    // Several on one connection.
    let one = format!("GET {secret}state?page=1 HTTP/1.1\r\nHost: {host}\r\n");
    let (_, body) = running.send(&format!("{one}\r\n")).expect("an answer, and the end after a while");
    assert!(body.starts_with(b"{"));
    let mut stream = running.connect().expect("a connection");
    stream.write_all(format!("{one}\r\n{one}Connection: close\r\n\r\n").as_bytes()).expect("sent");
    let mut both = String::new();
    stream.read_to_string(&mut both).expect("text");
    assert_eq!(both.matches("HTTP/1.1 200 OK").count(), 2, "{both}");
    running.get("seen?page=1");
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn clients_do_not_disturb_the_program() {
    let words = [PROGRAM, "600", "1500"];
    let mut plain = scaly();
    plain.args(words);
    let expected = finish(plain, "").expect("it ends");
    let running = start(&words);
    let half = format!("GET {}state?page=2 HTTP/1.1\r\nHo", running.path);
    // Some say nothing, some stop in the middle, some ask for the picture and read nothing, some are gone at once.
    let mut silent = Vec::new();
    for i in 0..100 {
        let Some(mut stream) = running.connect() else { continue };
        match i % 4 {
            0 => silent.push(stream),
            1 => {
                let _ = stream.write_all(half.as_bytes());
                silent.push(stream);
            }
            2 => {
                let picture =
                    format!("GET {}picture?id=1&after=0 HTTP/1.1\r\nHost: {}\r\n\r\n", running.path, running.address);
                let _ = stream.write_all(picture.repeat(3).as_bytes());
                silent.push(stream);
            }
            _ => {
                let _ = stream.write_all(&[0xff; 3000]);
            }
        }
    }
    let begun = Instant::now();
    let ended = running.state().is_none_or(|state| !state["ended"].is_null());
    assert!(ended || begun.elapsed() < Duration::from_secs(15), "they are not served in their turn");
    let (status, output, error) = running.end();
    assert_eq!((status, output, error), (Some(0), expected.output, String::new()));
    drop(silent);
}

#[test]
fn a_port_that_is_not_to_be_had_ends_it_before_the_program() {
    let mut command = scaly();
    command.args(["--live", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // It waits for the program: its only system call is reading standard input. From now on it gets no descriptors.
    let waits = || {
        let call = std::fs::read_to_string(format!("/proc/{}/syscall", child.id()));
        call.is_ok_and(|call| call.starts_with("0 0x0 "))
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while !waits() {
        assert!(Instant::now() < deadline, "it does not read");
        std::thread::sleep(Duration::from_millis(5));
    }
    let limit = Command::new("prlimit").args(["--pid", &child.id().to_string(), "--nofile=3:3"]).status();
    assert!(limit.expect("util-linux is there").success());
    child.stdin.take().expect("standard input").write_all(b"println(5)\nlet a = Image(1, 1)").expect("sent");
    let output = child.wait_with_output().expect("it ends");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{error}");
    let expected =
        "scaly: --live: there is no port for the page: Too many open files\n  help: the program runs without --live\n";
    assert_eq!(error, expected);
}

#[test]
fn a_thread_that_is_not_to_be_had_ends_it_before_the_program() {
    // The limit is of a user's threads, and none for the superuser: another user, who may not see this folder, runs a
    // copy.
    let program = "println(Image(3, 3).width)";
    let copy = std::env::temp_dir().join(format!("scaly-live-{}", std::process::id()));
    std::fs::copy(env!("CARGO_BIN_EXE_scaly"), &copy).expect("a copy");
    let user = Command::new("id").arg("-u").output().expect("a user").stdout;
    let words: &[&str] = match user.as_slice() {
        b"0\n" => &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "prlimit", "--nproc=1:1"],
        _ => &["prlimit", "--nproc=1:1"],
    };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(&copy).args(["--live", "-e", program]).current_dir("/");
    let outcome = finish(command, "");
    let _ = std::fs::remove_file(&copy);
    let Outcome { status, output, error, .. } = outcome.expect("it ends");
    assert_eq!((status, output.as_str()), (Some(1), ""), "{error}");
    let reason = "there is no thread for the page: Resource temporarily unavailable";
    assert_eq!(error, format!("scaly: --live: {reason}\n  help: the program runs without --live\n"));
}

/// `SCALY_CHROMIUM` names the browser, which then must be there; else one is used where there is one.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("SCALY_CHROMIUM").map(PathBuf::from);
    let found =
        || ["/usr/bin/chromium", "/usr/bin/google-chrome"].map(PathBuf::from).into_iter().find(|path| path.exists());
    named.or_else(found)
}

/// What a browser has of the page after so many milliseconds of its own time, which stands still while it waits.
fn visit(browser: &Path, running: &Running, name: &str, budget: u32, what: &str) -> String {
    let profile = scratch(&format!("{name}-{}-profile", std::process::id()));
    let _ = std::fs::remove_dir_all(&profile);
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ])
        .args(["--hide-scrollbars", "--window-size=1400,820"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--virtual-time-budget={budget}"))
        .args([what.to_string(), format!("http://{}{}", running.address, running.path)]);
    let Outcome { status, output, error, .. } = finish(command, "").expect("the browser ends");
    let _ = std::fs::remove_dir_all(&profile);
    assert_eq!(status, Some(0), "{error}");
    output
}

#[test]
fn a_browser_shows_it() {
    let Some(browser) = browser() else {
        eprintln!("no browser is here, so nothing was looked at");
        return;
    };
    let file = scratch("browser.png");
    // Long enough for the slowest start of a browser; it is killed behind that.
    let mut running = start(&["examples/raytracer.scaly", "16000", "9000", &file.display().to_string()]);
    assert_eq!(root().join(&file), file);
    let screen = scratch("screen.png");
    visit(&browser, &running, "screen", 3000, &format!("--screenshot={}", screen.display()));
    let page = visit(&browser, &running, "page", 1500, "--dump-dom");
    let _ = running.child.kill();
    let _ = running.child.wait();
    let text = |id: &str| {
        let start = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{id} in {page}"));
        page[start..].split(['<', '>']).nth(1).expect("a text").to_string()
    };
    let tier = text("tier");
    let tiers = ["interpreter", "native traces", "LLVM, one core", "all cores"];
    assert!(tiers.iter().any(|known| tier.starts_with(known)), "{tier}");
    assert_eq!((text("program").as_str(), text("state").as_str()), ("examples/raytracer.scaly", "running"));
    assert!(text("size").starts_with("16000 × 9000, one pixel of"), "{}", text("size"));
    assert!(page.contains("for i in 0..pixels.length()"), "{page}");
    // The upper left of the frame is the sky, which no other part of the page looks like.
    let (width, colors) = png(&screen);
    let sky = colors.chunks(3).filter(|pixel| pixel[2] > 240 && pixel[0] > 150 && pixel[0] < pixel[2]).count();
    assert!(width == 1400 && sky > 5_000, "{sky} pixels of sky in {}", screen.display());
}
