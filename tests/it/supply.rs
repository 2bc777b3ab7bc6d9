//! What the program is made of is what `docs/security.md` says. `UPDATE=1 cargo test` writes the list of unsafe blocks anew.

use std::fs;
use std::path::Path;

use crate::text;

/// The list stands between these lines.
const BEGIN: &str = "<!-- unsafe blocks -->\n";
const END: &str = "<!-- end of unsafe blocks -->\n";

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The function that a line stands in.
fn function<'t>(lines: &[&'t str], at: usize) -> &'t str {
    let named = |line: &&'t str| {
        let rest = line.split("//").next()?.split("fn ").nth(1)?;
        rest.split(|one: char| !one.is_alphanumeric() && one != '_').next()
    };
    lines[..=at].iter().rev().find_map(named).expect("a function around an unsafe block")
}

/// The reason above a block, in one line.
fn reason(lines: &[&str], at: usize) -> String {
    let is_comment = |line: &&&str| line.trim().starts_with("//");
    let before: Vec<&&str> =
        lines[..at].iter().rev().skip_while(|line| !is_comment(line)).take_while(is_comment).collect();
    let text: Vec<&str> = before.iter().rev().map(|line| line.trim().trim_start_matches('/').trim()).collect();
    let text = text.join(" ");
    text.split("SAFETY: ").nth(1).expect("a reason").to_string()
}

#[test]
fn unsafe_blocks_are_counted_and_listed() {
    let source = read("src/io/sys.rs");
    let lines: Vec<&str> = source.lines().collect();
    let blocks = lines.iter().enumerate().filter(|(_, line)| line.contains("unsafe {")).map(|(at, _)| at);
    let listed: Vec<String> =
        blocks.map(|at| format!("- `{}`: {}\n", function(&lines, at), reason(&lines, at))).collect();
    assert!(listed.len() > 5, "the blocks were not found");
    let count = format!("There are {} of them, all in `src/io/sys.rs`:\n\n", listed.len());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let told = read("docs/security.md");
    let (before, rest) = told.split_once(BEGIN).expect("where the list begins");
    let (_, after) = rest.split_once(END).expect("where it ends");
    text::expect(&path, &told, &format!("{before}{BEGIN}{count}{}{END}{after}", listed.concat()));
}

#[test]
fn what_is_locked_is_counted() {
    for (file, told) in [("Cargo.lock", "`Cargo.lock`"), ("fuzz/Cargo.lock", "`fuzz/Cargo.lock`")] {
        let packages = read(file).matches("[[package]]\n").count();
        let line = format!("{packages} in {told}");
        assert!(read("docs/security.md").contains(&line), "docs/security.md does not say {line:?}");
    }
}

#[test]
fn every_command_of_the_gate_takes_what_is_locked() {
    let words = ["cargo build", "cargo test", "cargo clippy", "cargo doc", "cargo bench", "cargo run"];
    for file in [".ci/run", "fuzz/run"] {
        for line in read(file).lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let runs = words.iter().any(|word| line.contains(word)) && !line.contains('=') && !line.contains("step ");
            assert!(!runs || line.contains("--locked"), "{file}: {line}");
        }
    }
}
