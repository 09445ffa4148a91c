//! How fast parsing is: `cargo test --release -p scaly speed -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

fn program(lines: usize) -> String {
    let mut text = String::new();
    let mut count = 0;
    let mut i = 0;
    while count < lines {
        text += &format!(
            "\
; Whether number {i} is prime.
function is_prime_{i}(n: int, limit: int (100)) returns bool {{
    if n < 2
        return false
    var k = 2
    while k * k <= n {{
        if n % k = 0: return false
        set k: k + 1
    }}
    true
}}

define Point_{i}(x: f64, y: f64 (0.0)) {{
    operator +(o: Point_{i}) returns Point_{i}: Point_{i}(x + o.x, y + o.y)
    function length() returns f64: sqrt(x * x + y * y)
}}

for p in points_{i} {{
    let distance = (p.x - center.x) * 0.5 + p.velocity.length()
    choose table.get(p.name) {{
        when Some(value): println(format(\"{{}}: {{}}\", p.name, value))
        when None {{}}
    }}
    cells[i * width + j] = distance as int
}}
"
        );
        count += 24;
        i += 1;
    }
    text
}

#[test]
#[ignore = "a measurement"]
fn a_million_lines_a_second() {
    let text = program(100_000);
    let lines = text.lines().count();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let mut interner = Interner::new();
        let start = Instant::now();
        let parsed = parse(FileId(0), &text, &mut interner, false);
        best = best.min(start.elapsed().as_secs_f64());
        assert!(parsed.diagnostics.is_empty(), "{}", shown(&text, &parsed.diagnostics[..1]));
    }
    println!("{lines} lines, {} bytes: {best:.3} s, {:.0} lines/s", text.len(), lines as f64 / best);
}
