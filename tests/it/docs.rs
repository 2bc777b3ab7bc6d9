//! Every command that README and docs show is run, and prints what the page shows.
//!
//! A comment above a fenced block says what the block is for:
//!
//! | comment                    | meaning                                                                      |
//! |----------------------------|------------------------------------------------------------------------------|
//! | `<!-- file: PATH -->`      | the block is a file; the commands of the page run in the folder that has it    |
//! | `<!-- shown: REASON -->`   | the block is not run; the reason is one of `SHOWN`                             |
//!
//! Commands stand in `console` blocks, behind `$ `. A page without files runs in the repository, with the sample zones.
//! `dig` and `kdig` commands are compared with the exact odds of a running server, so that no client has to be
//! installed. `UPDATE=1` rewrites the output in the pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sockets::Server;

/// Why a block is not run.
const SHOWN: [&str; 7] = [
    "needs an AWS account",
    "serves until it is stopped",
    "run by tests/it/failover.rs",
    "needs a check of yours",
    "run by .ci/encrypted",
    "needs two certificates",
    "measured",
];

/// The names that the README has to ask for, one for each way of routing.
const SAMPLES: [&str; 10] = [
    "www.example.com",
    "shop.example.com",
    "api.example.com",
    "geo.example.com",
    "near.example.com",
    "isp.example.com",
    "many.example.com",
    "app.example.com",
    "www.example.org",
    "intranet.corp.example",
];

/// Programs whose commands may stand in a page.
const PROGRAMS: [&str; 8] = ["fingerpost", "dig", "kdig", "curl", "aws", "cargo", "python3", "kill"];

const DIG: [&str; 2] = ["dig @127.0.0.1 -p 5300 +short ", "kdig @127.0.0.1 -p 5853 +tls +short "];

/// The ports that pages name, and a running server of the samples stands in for.
const ADMIN: &str = "127.0.0.1:5380";

/// A fenced block: lines `begin..end` of its page, without the fences.
struct Block {
    begin: usize,
    end: usize,
    language: String,
    comment: Option<(String, String)>,
}

fn blocks(lines: &[String]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in lines.iter().enumerate() {
        let Some(language) = line.strip_prefix("```") else { continue };
        match open.take() {
            Some(block) => blocks.push(Block { end: at, ..block }),
            None => {
                let above = at.checked_sub(1).map_or("", |above| lines[above].as_str());
                let comment = above.strip_prefix("<!-- ").and_then(|comment| comment.strip_suffix(" -->"));
                let comment = comment.and_then(|comment| comment.split_once(": "));
                let comment = comment.map(|(kind, text)| (kind.to_string(), text.to_string()));
                open = Some(Block { begin: at + 1, end: at, language: language.to_string(), comment });
            }
        }
    }
    assert!(open.is_none(), "a block is never closed");
    blocks
}

/// A command, and the lines `begin..end` of its page that it prints.
struct Shown {
    command: String,
    begin: usize,
    end: usize,
}

fn commands(lines: &[String], block: &Block) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    let mut continues = false;
    for (at, line) in lines.iter().enumerate().take(block.end).skip(block.begin) {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => {
                let command = command.split(" #").next().unwrap_or_default().trim_end().to_string();
                commands.push(Shown { command, begin: at + 1, end: at + 1 });
            }
            (None, Some(shown)) if continues => {
                shown.command.push('\n');
                shown.command.push_str(line);
                (shown.begin, shown.end) = (at + 1, at + 1);
            }
            (None, Some(shown)) => shown.end = at + 1,
            (None, None) => panic!("{line:?} stands before the first command"),
        }
        continues = line.ends_with('\\') && line.starts_with("$ ") || continues && line.ends_with('\\');
    }
    // A blank line between two commands is for the eye.
    for shown in &mut commands {
        while shown.end > shown.begin && lines[shown.end - 1].is_empty() {
            shown.end -= 1;
        }
    }
    commands
}

/// What runs the commands of one page.
struct Reader {
    folder: PathBuf,
    /// Its files, if the page has any.
    own: Option<tempfile::TempDir>,
    /// A server of the samples, once a command wants one.
    server: Option<(Server, String)>,
}

impl Reader {
    fn new() -> Reader {
        Reader { folder: Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf(), own: None, server: None }
    }

    fn put(&mut self, path: &str, text: &str) {
        let own = self.own.get_or_insert_with(|| tempfile::tempdir().expect("a folder"));
        self.folder = own.path().to_path_buf();
        let file = self.folder.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }

    fn admin(&mut self) -> String {
        let (_, admin) = self.server.get_or_insert_with(|| {
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            let (zones, geo) = (here.join("zones"), here.join("geo"));
            let (zones, geo) = (zones.to_string_lossy(), geo.to_string_lossy());
            let arguments = ["--zones", &zones, "--geo", &geo, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
            let server = Server::launch(&[], &arguments, &[]);
            let admin = server.admin();
            (server, admin)
        });
        admin.clone()
    }

    /// Runs a command line in the shell. A message on stderr is part of what a person sees.
    fn run(&mut self, command: &str) -> String {
        let asks_server = command.starts_with("fingerpost health") || command.contains(ADMIN);
        let admin = if asks_server { self.admin() } else { ADMIN.to_string() };
        let mut line = command.replace(ADMIN, &admin);
        if command.starts_with("fingerpost health") && !command.contains("--admin") {
            line = format!("{line} --admin {admin}");
        }
        let program = Path::new(env!("CARGO_BIN_EXE_fingerpost")).parent().expect("its folder");
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{line} 2>&1")).current_dir(&self.folder).env("PATH", path);
        let output = shell.env_remove("FINGERPOST_LOG").env("COLUMNS", "100").output().expect("a shell");
        String::from_utf8_lossy(&output.stdout).replace(&admin, ADMIN)
    }

    /// Whether `dig +short` may print these lines: one of the answers that have a share.
    fn may_dig(&mut self, question: &str, shown: &[String]) {
        let mut words = question.split_whitespace();
        let name = words.next().expect("a name");
        let mut odds = format!("fingerpost odds {name} --json --server {ADMIN}");
        for word in words {
            match word.split_once('=') {
                Some(("+subnet", network)) => odds.push_str(&format!(" --from {network}")),
                None if !word.starts_with('+') => odds = odds.replace(" --json", &format!(" {word} --json")),
                _ => panic!("{word} in dig {question}"),
            }
        }
        let printed = self.run(&odds);
        let odds: serde_json::Value = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}"));
        let mut shown = shown.to_vec();
        shown.sort();
        let answers = odds["answers"].as_array().expect("few answers");
        let fits = answers.iter().any(|answer| {
            let records = answer["records"].as_array().expect("records");
            let mut data: Vec<&str> = records.iter().filter_map(|record| record["data"].as_str()).collect();
            data.sort_unstable();
            data == shown
        });
        assert!(fits, "dig {question} never shows {shown:?}: {answers:#?}");
    }
}

/// A line with each time of day, date and duration replaced, which differ from run to run.
fn steady(line: &str) -> String {
    let mut steady = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let length = from.find(|c: char| !(c.is_ascii_digit() || ":.-TZ".contains(c))).unwrap_or(from.len());
        // A colon or a full stop behind a time is the sentence's.
        let length = from[..length].trim_end_matches([':', '.']).len();
        let (word, after) = from.split_at(length);
        steady.push_str(before);
        let is_time = word.matches(':').count() == 2 && word.trim_end_matches('Z').len() >= 8
            || word.len() == 10 && word.matches('-').count() == 2;
        match (is_time, after.strip_prefix(" ms")) {
            (true, _) => steady.push_str("TIME"),
            (false, Some(_)) => steady.push('N'),
            (false, None) => steady.push_str(word),
        }
        rest = after;
    }
    steady.push_str(rest);
    steady
}

/// Whether a line is what the page shows; `…` in the page stands for anything.
fn fits(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (steady(shown), steady(printed));
    let mut rest = printed.as_str();
    let mut parts = shown.split('…');
    let Some(after) = rest.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    rest = after;
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    last.map_or(rest.is_empty(), |part| part.is_empty() || rest.is_empty())
}

/// Runs the commands of a page. Returns its lines with the output of today.
fn read(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let lines: Vec<String> = text.lines().map(String::from).collect();
    let blocks = blocks(&lines);
    let mut reader = Reader::new();
    for block in &blocks {
        if let Some(("file", path)) = block.comment.as_ref().map(|(kind, text)| (kind.as_str(), text)) {
            reader.put(path, &(lines[block.begin..block.end].join("\n") + "\n"));
        }
    }
    let mut now = Vec::new();
    let mut copied = 0;
    for block in &blocks {
        let place = format!("{}:{}", page.display(), block.begin);
        match block.comment.as_ref().map(|(kind, text)| (kind.as_str(), text.as_str())) {
            Some(("file", _)) => continue,
            Some(("shown", reason)) => {
                assert!(SHOWN.contains(&reason), "{place}: {reason:?} is no reason to leave a block out");
                continue;
            }
            Some((kind, _)) => panic!("{place}: nobody knows what {kind:?} means"),
            None => {}
        }
        if block.language != "console" {
            let is_command = |line: &&String| {
                let line = line.strip_prefix("$ ").unwrap_or(line);
                PROGRAMS.iter().any(|program| line.split(' ').next() == Some(program))
            };
            let command = lines[block.begin..block.end].iter().find(is_command);
            assert_eq!(command, None, "{place}: a command stands in a `console` block, or says why it is not run");
            continue;
        }
        for Shown { command, begin, end } in commands(&lines, block) {
            let shown = &lines[begin..end];
            if let Some(question) = DIG.iter().find_map(|client| command.strip_prefix(client)) {
                reader.may_dig(question, shown);
                continue;
            }
            let printed = reader.run(&command);
            let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
            let same =
                printed.len() == shown.len() && shown.iter().zip(&printed).all(|(shown, printed)| fits(shown, printed));
            if !same {
                assert!(
                    std::env::var_os("UPDATE").is_some(),
                    "{place}: `{command}` prints something else (UPDATE=1 rewrites it):\n{}\n--- the page shows\n{}",
                    printed.join("\n"),
                    shown.join("\n")
                );
                now.extend_from_slice(&lines[copied..begin]);
                now.extend(printed.iter().map(ToString::to_string));
                copied = end;
            }
        }
    }
    now.extend_from_slice(&lines[copied..]);
    now
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = crate::text::files(&root.join("docs"), "md");
    pages.insert(0, root.join("README.md"));
    pages
}

#[test]
fn every_command_prints_what_its_page_shows() {
    for page in pages() {
        let written = fs::read_to_string(&page).expect("a page");
        let now = read(&page).join("\n") + "\n";
        if now != written {
            fs::write(&page, now).expect("a page");
        }
    }
}

#[test]
fn the_readme_names_every_page_and_every_way_of_routing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    for page in crate::text::files(&root.join("docs"), "md") {
        let name = page.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(readme.contains(&format!("(docs/{name})")), "the README does not name docs/{name}");
    }
    let lines: Vec<String> = readme.lines().map(String::from).collect();
    let consoles = blocks(&lines).into_iter().filter(|block| block.language == "console");
    let commands: Vec<String> =
        consoles.flat_map(|block| commands(&lines, &block)).map(|shown| shown.command).collect();
    for name in SAMPLES {
        assert!(commands.iter().any(|command| command.contains(name)), "no command of the README asks for {name}");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let target = page.parent().expect("a folder").join(file);
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
        }
    }
}

#[test]
fn lines_are_compared_without_times_and_where_the_page_says_so() {
    for (shown, printed, same) in [
        ("at 2026-11-21 07:27:12", "at 2027-01-02 17:07:01", true),
        ("3 ms, since 2026-11-21", "12 ms, since 2027-01-01", true),
        ("until 07:27:12: works", "until 17:07:01: works", true),
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.10", false),
        ("a … z", "a b c z", true),
        ("a …", "a b", true),
        ("a … z", "a b", false),
        ("3 zones", "4 zones", false),
    ] {
        assert_eq!(fits(shown, printed), same, "{shown:?} and {printed:?}");
    }
}
