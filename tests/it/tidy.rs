//! The rules of the house that a compiler doesn't know: the order of modules, who touches the world, file sizes.

use std::fs;
use std::path::{Path, PathBuf};

/// Longer files are two files.
const LINES_MAX: usize = 700;

/// What touches the world, or time, chance and globals. Only `io/` may. A word counts where no letter stands before it.
const WORLD: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "File::open",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "socket2",
    "tokio",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "tokio_rustls",
    "rcgen",
    "ring",
    "quinn",
    "h3",
    "hickory_resolver",
    "tracing",
    "tracing_subscriber",
    "libc",
    "nix",
    "caps",
    "landlock",
    "seccompiler",
    "sd_notify",
    "listenfd",
    "notify",
    "indicatif",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
    "static mut",
    "OnceLock",
    "LazyLock",
    "thread_local!",
    "RandomState",
];

/// What stands before an item that only tests have.
const TESTS_ONLY: &str = "#[cfg(test)]";

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

    /// Statements of the program proper, each with the number of its first line: no comments, no items for tests alone,
    /// and imports in one piece, however many lines they have.
    fn code(&self) -> Vec<(usize, String)> {
        let mut lines =
            self.text.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or(line)));
        let mut found: Vec<(usize, String)> = Vec::new();
        while let Some((number, line)) = lines.next() {
            if line.trim() == TESTS_ONLY {
                pass_over_item(&mut lines);
                continue;
            }
            let mut statement = line.to_string();
            if is_import(line) {
                while !statement.trim_end().ends_with(';') {
                    let Some((_, more)) = lines.next() else { break };
                    statement.push_str(more.trim());
                }
                found.extend(imported(&statement).into_iter().map(|path| (number, path)));
            } else {
                found.push((number, statement));
            }
        }
        found
    }

    /// The files of modules that this one declares for tests alone.
    fn modules_of_tests(&self) -> Vec<PathBuf> {
        let stem = self.path.file_stem().unwrap_or_default();
        let folder = self.path.parent().expect("a folder");
        let folder = if ["lib", "main", "mod"].iter().any(|top| stem == *top) {
            folder.to_path_buf()
        } else {
            folder.join(stem)
        };
        let mut for_tests = false;
        let mut found = Vec::new();
        for line in self.text.lines().map(str::trim).filter(|line| !line.starts_with("#[") || *line == TESTS_ONLY) {
            let name =
                line.trim_start_matches("pub ").trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            if let Some(name) = name.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')).filter(|_| for_tests)
            {
                found.extend([folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")]);
            }
            for_tests = line == TESTS_ONLY;
        }
        found
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

/// Passes over the item that the next line begins: it ends with a semicolon, or with a brace as deep as it began.
fn pass_over_item<'t>(lines: &mut impl Iterator<Item = (usize, &'t str)>) {
    let Some((_, first)) = lines.find(|(_, line)| !line.trim().starts_with("#[")) else { return };
    let depth = first.len() - first.trim_start().len();
    let ends = |line: &str| line.trim_end().ends_with(';') || line.trim_end().ends_with('}');
    if ends(first) {
        return;
    }
    let is_last = |line: &str| line.len() - line.trim_start().len() == depth && !line.trim().is_empty() && ends(line);
    let _ = lines.find(|(_, line)| is_last(line));
}

fn is_import(line: &str) -> bool {
    let line = line.trim_start();
    ["use ", "pub use ", "pub(crate) use ", "pub(super) use "].iter().any(|start| line.starts_with(start))
}

/// The paths of an import, each in full: `use a::{b, c::{d, e}};` has three.
fn imported(statement: &str) -> Vec<String> {
    let tree = statement.split_once("use ").map_or("", |(_, tree)| tree).trim().trim_end_matches(';');
    expand("", tree)
}

fn expand(before: &str, tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((path, rest)) = tree.split_once('{') else {
        return if tree.is_empty() { Vec::new() } else { vec![format!("{before}{tree}")] };
    };
    let inside = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, one) in inside.char_indices().chain([(inside.len(), ',')]) {
        match one {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(expand(&format!("{before}{}", path.trim()), &inside[start..at]));
                start = (at + 1).min(inside.len());
            }
            _ => {}
        }
    }
    found
}

/// The modules of this crate that a line names.
fn mentioned(line: &str) -> Vec<&str> {
    let after = line.match_indices("crate::").map(|(at, text)| &line[at + text.len()..]);
    after.map(|rest| &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]).collect()
}

/// Whether a line holds a word by itself: `ring` is not in `String`, and `hyper` not in `hyperlink`.
fn holds(line: &str, word: &str) -> bool {
    let part = |one: char| one.is_alphanumeric() || one == '_';
    let a_name = word.ends_with(part);
    line.match_indices(word).any(|(at, _)| {
        let after = &line[at + word.len()..];
        let path_only = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        let inside_a_word = line[..at].ends_with(part) || a_name && after.starts_with(part);
        !inside_a_word
            // The name of a crate is one where it begins a path, and no more.
            && (!path_only || after.starts_with("::") || after.starts_with(" as ") || after.is_empty() && !line.contains(' '))
            && !(path_only && line[..at].ends_with("::"))
    })
}

fn breaks_order(source: &Source, order: &[String]) -> Vec<String> {
    let place = |module: &str| order.iter().position(|known| known == module);
    let own = place(&source.module());
    let mut broken = Vec::new();
    for (number, line) in source.code() {
        for module in mentioned(&line) {
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
        for word in WORLD.iter().filter(|word| holds(&line, word)) {
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
    let for_tests: Vec<PathBuf> = outside.iter().flat_map(Source::modules_of_tests).collect();
    let outside = outside.iter().filter(|source| {
        let above = |module: &PathBuf| source.path == *module || source.path.starts_with(module.with_extension(""));
        !["io", "main", "cli", "bin"].contains(&source.module().as_str()) && !for_tests.iter().any(above)
    });
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
    let over_lines = source("wire/name.rs", "use crate::{\n    dice,\n    model::{\n        Zone,\n    },\n};\n");
    assert_eq!(breaks_order(&over_lines, &order), ["src/wire/name.rs:1: wire may not use model"]);
    let touches = |text: &str| touches_world(&source("answer.rs", text)).len();
    for (text, count) in [
        ("let now = std::time::Instant::now();\n#[cfg(test)]\nuse std::fs;\n", 1),
        ("#[cfg(test)]\nmod tests;\n\nuse std::fs;\n", 1),
        ("#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n\nfn f() { std::fs::read(p) }\n", 1),
        (
            "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\nuse std::{\n    fmt,\n    fs::{self, File},\n    net::UdpSocket,\n};\n",
            3,
        ),
        ("    #[cfg(test)]\n    fn f() {\n        std::fs::read(p)\n    }\n    fn g() { std::env::var(p) }\n", 1),
        ("use hyper::Uri;\nuse tracing::info;\nuse rustls;\nuse ring::rand;\nlet now = jiff::Timestamp::now();\n", 5),
        ("tracing::warn!(\"x\");\n", 1),
        ("let ring = String::new(); // tokio::spawn\nlet notify = ring; let x = model::notify::Y;\n", 0),
        ("println!(\"x\");\n", 1),
    ] {
        assert_eq!(touches(text), count, "{text}");
    }
    let parent = source("control.rs", "#[cfg(test)]\nmod tests;\nmod kept;\n");
    assert!(parent.modules_of_tests().contains(&root().join("src/control/tests.rs")));
    assert!(!parent.modules_of_tests().contains(&root().join("src/control/kept.rs")));
    assert!(is_unsafe("    unsafe { f() }") && !is_unsafe("// nothing unsafe here"));
}

/// Four files declare their tests at the top: what stands below is read too.
#[test]
fn files_are_read_to_their_end() {
    for source in sources("src") {
        let last = source.text.lines().count();
        let Some(declared) = source.text.lines().position(|line| line == TESTS_ONLY) else { continue };
        let more =
            source.text.lines().skip(declared + 1).any(|line| line.starts_with("pub fn ") || line.starts_with("impl "));
        let read = source.code().last().map_or(0, |(number, _)| *number);
        assert!(!more || read > declared + 1, "{}: read up to line {read} of {last}", source.at(declared + 1));
    }
}
