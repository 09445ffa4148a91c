use scaly_fuzz::{check, choice::Choices, garbage, generate, print, reduce};
fn main() {
    let mode = std::env::args().nth(1).unwrap();
    let n: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let mut kinds = std::collections::HashMap::<String, u64>::new();
    let mut total = 0;
    for seed in 0..n {
        let style = generate::Style { loops: seed % 4 == 0, faults: seed % 3 == 0 };
        let Ok(s) = generate::sample(Choices::seeded(seed), style) else { continue };
        total += 1;
        let text = print::print(&s.tree);
        if std::env::var("SCALY_TRACE").is_ok() {
            eprintln!("{seed}");
        }
        let v = match mode.as_str() {
            "show" => {
                println!("{text}");
                continue;
            }
            "parse" => check::guarded(|| check::parses(&text)),
            _ => {
                let mut c = Choices::seeded(seed);
                let t = garbage::mutate(&text, &mut c);
                check::guarded(|| check::survives(&t))
            }
        };
        if let check::Verdict::Fail(f) = v {
            let k = kinds.entry(f.kind.clone()).or_default();
            *k += 1;
            if *k == 1 && mode == "parse" {
                println!("seed {seed}: {}", f.kind);
                let small = reduce::reduce(
                    &s.tree,
                    3000,
                    &mut |t| matches!(check::guarded(|| check::parses(&print::print(t))), check::Verdict::Fail(g) if g.kind == f.kind),
                );
                let t = print::print(&small);
                println!("{t}");
                if let check::Verdict::Fail(f) = check::parses(&t) {
                    println!("{}", f.detail);
                }
            } else if *k == 1 {
                println!("seed {seed}: {}\n{}", f.kind, f.detail);
            }
        }
    }
    println!("{total} programs {kinds:#?}");
}
