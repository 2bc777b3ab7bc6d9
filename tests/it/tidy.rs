//! The rules of the house that a compiler doesn't know: the order of modules, who touches the world, file sizes.

use std::fs;
use std::path::{Path, PathBuf};

/// Longer files are two files.
const LINES_MAX: usize = 700;

/// What touches the world, or time, chance and globals. Only `io/` may.
const WORLD: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::os",
    "File::open",
    "Instant",
    "SystemTime",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "socket2::",
    "tokio::",
    "libc::",
    "notify::",
    "static mut",
    "OnceLock",
    "LazyLock",
    "thread_local!",
    "RandomState",
];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The top module that a file belongs to: `wire` for `src/wire/name.rs`.
    fn module(&self) -> String {
        let inside = self.path.strip_prefix(root().join("src")).expect("a file below src");
        let first = inside.iter().next().expect("a file name").to_string_lossy();
        first.trim_end_matches(".rs").to_string()
    }

    /// Lines of the program proper, numbered: no comments, and nothing from the tests at the end of the file on.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let program = self.text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        program.enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or(line)))
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.strip_prefix(root()).unwrap_or(&self.path).display())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(Source { text: fs::read_to_string(&path).expect("a source"), path });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The modules of `src/lib.rs`, in their order.
fn modules() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    let declared = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    declared.map(str::to_string).collect()
}

/// The modules of this crate that a line names.
fn mentioned(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (_, rest) in line.match_indices("crate::").map(|(at, text)| line.split_at(at + text.len())) {
        let names = rest.strip_prefix('{').unwrap_or(rest).split(',').take(if rest.starts_with('{') { 99 } else { 1 });
        for name in names {
            let end = name.trim_start().find(|c: char| !c.is_alphanumeric() && c != '_');
            found.push(&name.trim_start()[..end.unwrap_or(name.trim_start().len())]);
        }
    }
    found
}

fn breaks_order(source: &Source, order: &[String]) -> Vec<String> {
    let place = |module: &str| order.iter().position(|known| known == module);
    let own = place(&source.module());
    let mut broken = Vec::new();
    for (number, line) in source.code() {
        for module in mentioned(line) {
            if let (Some(own), Some(other)) = (own, place(module))
                && other > own
            {
                broken.push(format!("{}: {} may not use {module}", source.at(number), order[own]));
            }
        }
    }
    broken
}

fn touches_world(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in source.code() {
        for word in WORLD.iter().filter(|word| line.contains(**word)) {
            found.push(format!("{}: {word} outside io/", source.at(number)));
        }
    }
    found
}

fn is_unsafe(line: &str) -> bool {
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code)"]
        .iter()
        .any(|word| line.contains(word))
}

fn assert_none(broken: Vec<String>) {
    assert!(broken.is_empty(), "{} places:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn modules_import_only_from_those_above() {
    let order = modules();
    assert!(order.len() > 10, "the order in src/lib.rs was not understood: {order:?}");
    assert_none(sources("src").iter().flat_map(|source| breaks_order(source, &order)).collect());
}

#[test]
fn only_io_touches_the_world() {
    let outside = sources("src");
    let outside = outside.iter().filter(|source| !["io", "main", "cli", "bin"].contains(&source.module().as_str()));
    assert_none(outside.flat_map(touches_world).collect());
}

#[test]
fn unsafe_stays_in_its_file() {
    let mut broken = Vec::new();
    for source in sources("src").iter().filter(|source| !source.path.ends_with("io/sys.rs")) {
        let lines = source.text.lines().enumerate().filter(|(_, line)| is_unsafe(line));
        broken.extend(lines.map(|(at, _)| source.at(at + 1)));
    }
    assert_none(broken);
}

#[test]
fn each_unsafe_block_says_why_it_is_sound() {
    let mut broken = Vec::new();
    for source in sources("src").iter().filter(|source| source.path.ends_with("io/sys.rs")) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.contains("unsafe {")) {
            let above = &lines[at.saturating_sub(6)..at];
            if !above.iter().any(|line| line.contains("// SAFETY:")) {
                broken.push(source.at(at + 1));
            }
        }
    }
    assert_none(broken);
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut broken = Vec::new();
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        let count = source.text.lines().count();
        if count > LINES_MAX {
            broken.push(format!("{} has {count} lines", source.at(1)));
        }
        if !source.text.starts_with("//!") {
            broken.push(format!("{} does not open with //!", source.at(1)));
        }
    }
    assert_none(broken);
}

#[test]
fn the_rules_bite() {
    let order: Vec<String> = ["wire", "model", "io"].map(str::to_string).to_vec();
    let source = |file: &str, text: &str| Source { path: root().join("src").join(file), text: text.to_string() };
    let wire = source("wire/name.rs", "use crate::{model::Zone, io};\nlet x = crate::model::Id; // crate::io\n");
    assert_eq!(breaks_order(&wire, &order).len(), 3);
    assert_eq!(breaks_order(&source("io/mod.rs", &wire.text), &order).len(), 0);
    let clock = source("answer.rs", "let now = std::time::Instant::now();\n#[cfg(test)]\nuse std::fs;\n");
    assert_eq!(touches_world(&clock).len(), 1);
    assert!(is_unsafe("    unsafe { f() }") && !is_unsafe("// nothing unsafe here"));
}
