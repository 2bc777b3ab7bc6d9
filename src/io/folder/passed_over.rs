//! What lies in a folder of zones and is not read: each file that looks as if it should be is a warning, with the name
//! that it needs. Files that are there for other reasons (documents, editors' backups, keys, what a zone includes) are not.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::files;
use super::{Listing, SHARED_FILES};
use crate::problem::{Problem, Problems, nearest};
use crate::wire::name::Name;
use crate::wire::rtype::Type;

/// Ours: so many files are looked into at a load, at some 20 µs each; the others are counted.
const LOOKED_INTO_MAX: usize = 200;

/// Ours: so many bytes of a file show what it is.
const HEAD: usize = 4096;

/// The code of warnings about files.
const FILE: &str = "file-passed-over";

/// Files that tell of a repository, whatever their ending.
const DOCUMENTS: [&str; 16] = [
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
    "changelog",
    "changes",
    "authors",
    "contributing",
    "security",
    "codeowners",
    "makefile",
    "justfile",
    "dockerfile",
    "todo",
    "version",
];

/// The endings of documents.
const DOCUMENT_ENDINGS: [&str; 6] = ["", ".md", ".txt", ".rst", ".adoc", ".html"];

/// What editors, package managers, version control and signers leave behind.
const LEAVINGS: [&str; 22] = [
    "~",
    ".bak",
    ".swp",
    ".swo",
    ".swx",
    ".orig",
    ".rej",
    ".tmp",
    ".temp",
    ".old",
    ".save",
    ".part",
    ".rpmnew",
    ".rpmsave",
    ".dpkg-old",
    ".dpkg-new",
    ".dpkg-dist",
    ".dpkg-tmp",
    ".ucf-dist",
    ".jnl",
    ".jbk",
    ".pid",
];

/// The endings of files that are no zones: documents, programs, keys, archives, other tools' data.
const OTHER_ENDINGS: [&str; 46] = [
    "md", "rst", "adoc", "html", "htm", "pdf", "png", "svg", "jpg", "sh", "bash", "py", "pl", "rb", "js", "ts", "go",
    "rs", "mk", "lock", "log", "sum", "sha256", "sha512", "md5", "sig", "asc", "pem", "crt", "cer", "csr", "key",
    "csv", "mmdb", "tf", "tfvars", "hcl", "service", "diff", "patch", "gz", "zip", "tar", "xz", "bz2", "zst",
];

/// What stands before or behind a zone's name in the names of other servers' zone files.
const PREFIXES: [&str; 5] = ["db.", "pri.", "sec.", "zone.", "master."];
const ENDINGS: [&str; 10] =
    [".db", ".txt", ".dns", ".hosts", ".signed", ".bind", ".master", ".zonefile", ".yaml", ".yml"];

/// Folders that may stand beside zones without having any.
const OTHER_FOLDERS: [&str; 3] = ["geo", "state", "lost+found"];

/// What a load passed over.
#[derive(Clone, Default)]
pub struct PassedOver {
    /// Regular files and links, by name.
    names: BTreeSet<OsString>,
    pub problems: Problems,
}

impl PassedOver {
    /// Looks at what the folder holds besides zones. `included` are the files that zones include.
    pub fn find<'i>(dir: &Path, listing: &Listing, included: impl Iterator<Item = &'i Path>) -> PassedOver {
        let names: BTreeSet<OsString> = listing.passed_over().iter().cloned().collect();
        let unknown: Vec<PathBuf> = listing.unknown().collect();
        if names.is_empty() && unknown.is_empty() {
            return PassedOver::default();
        }
        let included: BTreeSet<PathBuf> = included.filter_map(|path| path.canonicalize().ok()).collect();
        let mut problems = Problems::default();
        let (mut looked_into, mut left_out) = (0, 0);
        for name in &names {
            let path = dir.join(name);
            let is_included = || path.canonicalize().is_ok_and(|path| included.contains(&path));
            if !included.is_empty() && is_included() {
                continue;
            }
            if looked_into == LOOKED_INTO_MAX {
                left_out += 1;
                continue;
            }
            looked_into += 1;
            let head = files::head(&path, HEAD).unwrap_or_default();
            problems.append(warning(dir, listing, name, &head));
        }
        for path in unknown {
            let Some(name) = path.file_name() else { continue };
            let is_included = |folder: &Path| included.iter().any(|path| path.starts_with(folder));
            if is_hidden(name) || path.canonicalize().is_ok_and(|path| is_included(&path)) {
                continue;
            }
            problems.append(irregular(dir, listing, name));
        }
        if left_out > 0 {
            let are = if left_out == 1 { "file is" } else { "files are" };
            let what = format!("{left_out} more {are} passed over");
            let why = "only NAME.zone and NAME.json are read as zones";
            let problem = Problem::warning(files::whole(&files::shown(dir)), what, why, "move them elsewhere");
            problems.push(problem.code(FILE));
        }
        PassedOver { names, problems }
    }

    /// Whether a file of this name, which is no zone's, came or went since.
    pub fn differs(&self, name: &str, is_there: bool) -> bool {
        !is_expected(name) && self.names.contains(OsStr::new(name)) != is_there
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether a file that is no zone's may lie in the folder without a word.
pub fn is_expected(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let known = SHARED_FILES.contains(&name) || name == "fingerpost.toml" || name.ends_with(".test.toml");
    let document = DOCUMENTS.iter().filter_map(|document| lower.strip_prefix(document));
    let mut document = document.filter(|rest| DOCUMENT_ENDINGS.contains(rest) || rest.starts_with(['-', '_']));
    let of_signer = (name.starts_with('K') && [".key", ".private", ".state"].iter().any(|end| name.ends_with(end)))
        || ["dsset-", "keyset-"].iter().any(|begin| name.starts_with(begin));
    known
        || name.starts_with(['.', '#'])
        || of_signer
        || document.next().is_some()
        || LEAVINGS.iter().any(|ending| lower.ends_with(ending))
        // Vim tries whether it may write with a file called 4913.
        || (name.len() <= 5 && name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a regular file of this name would be read.
fn is_read(name: &str) -> bool {
    files::is_zone_file(name) || SHARED_FILES.contains(&name) || name.ends_with(".test.toml")
}

/// What is not a regular file: a folder, a link, a device.
fn irregular(dir: &Path, listing: &Listing, name: &OsStr) -> Problems {
    let path = dir.join(name);
    let (shown, dir_shown) = (name.to_string_lossy(), dir.display());
    let at = files::whole(&files::shown(&path));
    let mut problems = Problems::default();
    match path.metadata() {
        Ok(is) if is.is_dir() => {
            if !OTHER_FOLDERS.contains(&&*shown) {
                let what = format!("the folder {shown} is not looked into");
                let why =
                    "zones are read from files of the folder itself; what lies deeper is read where a zone includes it";
                let problem = Problem::warning(at, what, why, format!("move its zone files up into {dir_shown}"));
                problems.push(problem.code("folder-passed-over"));
            }
        }
        Ok(is) if is.is_file() => {
            if name.to_str().is_some_and(|name| !files::is_zone_file(name) && !is_expected(name)) {
                let head = files::head(&path, HEAD).unwrap_or_default();
                return warning(dir, listing, name, &head);
            }
        }
        _ if !name.to_str().is_some_and(is_read) => {}
        Ok(_) => {
            let what = format!("{shown} is not a regular file");
            let problem = Problem::warning(at, what, "it is not read", "put a file in its place");
            problems.push(problem.code("not-a-regular-file"));
        }
        // A zone file's link that leads nowhere is an error of its zone.
        Err(_) if name.to_str().is_some_and(files::is_zone_file) => {}
        Err(error) => {
            let what = format!("{shown} leads to no file that can be read ({error})");
            let problem = Problem::warning(at, what, "it is not read", "correct the link, or remove it");
            problems.push(problem.code("broken-link"));
        }
    }
    problems
}

/// What to say of a regular file; nothing where it does not look like one of ours.
fn warning(dir: &Path, listing: &Listing, name: &OsStr, head: &[u8]) -> Problems {
    let mut problems = Problems::default();
    let Some((what, remedy)) = name.to_str().and_then(|name| look(name, head, &|name| listing.has(name))) else {
        return problems;
    };
    let at = files::whole(&files::shown(&dir.join(name)));
    let why = "only NAME.zone and NAME.json are read as zones, so this file is passed over";
    problems.push(Problem::warning(at, what, why, remedy).code(FILE));
    problems
}

/// What a file looks like, and what to do. `is_there` knows the zone files of the folder.
fn look(name: &str, head: &[u8], is_there: &dyn Fn(&str) -> bool) -> Option<(String, String)> {
    let lower = name.to_ascii_lowercase();
    let ending = lower.rsplit_once('.').map_or("", |(_, ending)| ending);
    let text = String::from_utf8_lossy(head);
    if lower.starts_with("named.conf") || is_bind_config(&text) {
        let remedy =
            "put the file of each zone that it lists into this folder, as NAME.zone; settings go into fingerpost.toml";
        return Some((format!("{name} looks like settings of BIND"), remedy.into()));
    }
    if matches!(ending, "conf" | "cfg" | "ini") || lower == "corefile" {
        let remedy =
            "put the file of each zone that it lists into this folder, as NAME.zone; settings go into fingerpost.toml";
        return Some((format!("{name} looks like settings of another server"), remedy.into()));
    }
    if matches!(ending, "yaml" | "yml") {
        let of_octodns = text.contains("type:") && (text.contains("value:") || text.contains("values:"));
        let what = if of_octodns { "looks like a zone of octoDNS, in YAML" } else { "is YAML" };
        let remedy = format!(
            "write it as a zone file {} (octoDNS does so with the provider ZoneFileProvider of octodns-bind)",
            suggested(name, "")
        );
        return Some((format!("{name} {what}"), remedy));
    }
    if ending == "toml" {
        return look_at_toml(name, &text);
    }
    if OTHER_ENDINGS.contains(&ending) {
        return None;
    }
    let named_like_one = PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
        || lower.ends_with(".zone")
        || ENDINGS.iter().any(|end| *end != ".txt" && lower.ends_with(end));
    if named_like_one || is_zone(&text) {
        let better = suggested(name, &text);
        let remedy = match is_there(&better) {
            true => format!("{better} is there already: move this file elsewhere, or begin its name with a dot"),
            false => format!("name it {better}"),
        };
        return Some((format!("{name} looks like a zone file"), remedy));
    }
    if ending == "txt" {
        return None;
    }
    let remedy = "if it is a zone file, name it after its zone, as example.com.zone; if not, begin its name with a dot, or move it";
    Some((format!("{name} is none of the files that are read here"), remedy.into()))
}

/// Misnamed files of what zones share, or of tests. Other TOML may be settings under another name.
fn look_at_toml(name: &str, text: &str) -> Option<(String, String)> {
    let tables = [
        ("[[test]]", "routing tests", "example.test.toml, or another name that ends in .test.toml"),
        ("[health_check.", "health checks", "health-checks.toml"),
        ("[cidr_collection.", "CIDR collections", "cidr-collections.toml"),
        ("[vpc.", "VPCs", "vpcs.toml"),
    ];
    let begins = |table: &str| text.lines().any(|line| line.trim_start().starts_with(table));
    if let Some((_, holds, better)) = tables.iter().find(|(table, ..)| begins(table)) {
        return Some((format!("{name} looks like {holds}"), format!("name it {better}")));
    }
    let meant = nearest(name, SHARED_FILES.into_iter().filter(|name| name.ends_with(".toml")))?;
    Some((format!("{name} is none of the files that are read here"), format!("did you mean {meant}?")))
}

fn is_bind_config(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| {
        line.starts_with("zone \"")
            || ["options", "view", "acl"].iter().any(|word| {
                line.strip_prefix(word)
                    .is_some_and(|rest| rest.starts_with([' ', '{']) && rest.trim_end().ends_with('{'))
            })
    })
}

/// Whether a text has a directive or a record of a zone file. Prose has the words IN and A too.
fn is_zone(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.split(';').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let directive = |word: &&str| matches!(*word, "$ORIGIN" | "$TTL" | "$INCLUDE" | "$GENERATE");
        if line.starts_with('$') && words.first().is_some_and(directive) {
            return true;
        }
        let soa = words.iter().position(|word| *word == "SOA");
        let serial = soa.filter(|at| *at <= 3).and_then(|at| words.get(at + 3));
        if serial.is_some_and(|serial| serial.starts_with(|first: char| first == '(' || first.is_ascii_digit())) {
            return true;
        }
        let data = words.iter().position(|word| *word == "IN").and_then(|at| words.get(at + 1..)?.split_first());
        data.is_some_and(|(rtype, data)| {
            let upper = rtype.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            upper
                && match Type::parse(rtype) {
                    Some(Type::A) => data.first().is_some_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok()),
                    Some(_) => !data.is_empty(),
                    None => false,
                }
        })
    })
}

/// The name that a zone file should have: after its first `$ORIGIN`, or after what its own name says.
fn suggested(name: &str, text: &str) -> String {
    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }
    let mut before_soa = text.lines().take_while(|line| !words(line).contains(&"SOA")).map(words);
    let origin = before_soa.find(|words| words.first() == Some(&"$ORIGIN"));
    let origin = origin.and_then(|words| words.get(1).copied()).filter(|origin| origin.ends_with('.'));
    if let Some(origin) = origin.and_then(|origin| Name::parse_absolute(origin).ok()).filter(|name| !name.is_root()) {
        return format!("{}.zone", origin.to_lowercase().without_dot());
    }
    let lower = name.to_ascii_lowercase();
    let mut stem = PREFIXES.iter().find_map(|prefix| lower.strip_prefix(prefix)).unwrap_or(&lower);
    while let Some(rest) = ENDINGS.iter().chain(&[".zone"]).find_map(|ending| stem.strip_suffix(ending)) {
        stem = rest;
    }
    let stem = stem.trim_matches('.');
    // As Debian's BIND calls reverse zones: db.192.0.2.
    if !stem.is_empty() && stem.split('.').all(|part| part.parse::<u8>().is_ok()) {
        let parts: Vec<&str> = stem.rsplit('.').collect();
        return format!("{}.in-addr.arpa.zone", parts.join("."));
    }
    format!("{}.zone", if stem.is_empty() { "example.com" } else { stem })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &[u8] = b"$TTL 60\n@ IN SOA ns host 1 2 3 4 5\n";

    #[test]
    fn a_file_that_is_passed_over_is_told_what_to_be_called() {
        for (name, head, what, remedy) in [
            ("db.example", ZONE, "looks like a zone file", "name it example.zone"),
            ("example.db", ZONE, "looks like a zone file", "name it example.zone"),
            ("example.db", b"", "looks like a zone file", "name it example.zone"),
            ("db.lan", b"$ORIGIN Example.COM.\n@ SOA a b (\n", "looks like a zone file", "name it example.com.zone"),
            ("db.192.0.2", ZONE, "looks like a zone file", "name it 2.0.192.in-addr.arpa.zone"),
            ("example.com", b"www IN A 192.0.2.1\n", "looks like a zone file", "name it example.com.zone"),
            ("Example.com.ZONE", ZONE, "looks like a zone file", "name it example.com.zone"),
            ("example.com.zone.signed", ZONE, "looks like a zone file", "name it example.com.zone"),
            ("example.com.txt", ZONE, "looks like a zone file", "name it example.com.zone"),
            ("served.example.db", ZONE, "looks like a zone file", "served.example.zone is there already"),
            ("named.conf", b"", "looks like settings of BIND", "as NAME.zone"),
            ("zones.local", b"zone \"a\" {\n", "looks like settings of BIND", "as NAME.zone"),
            ("nsd.conf", b"", "looks like settings of another server", "as NAME.zone"),
            (
                "example.com.yaml",
                b"'':\n  type: A\n  value: 192.0.2.1\n",
                "looks like a zone of octoDNS",
                "example.com.zone",
            ),
            ("x.yml", b"a: b\n", "is YAML", "x.zone"),
            ("health_checks.toml", b"", "is none of the files", "did you mean health-checks.toml?"),
            ("checks.toml", b"[health_check.a]\n", "looks like health checks", "name it health-checks.toml"),
            ("routing.toml", b"[[test]]\n", "looks like routing tests", ".test.toml"),
            ("whatever", b"hello", "is none of the files", "name it after its zone"),
        ] {
            let found = look(name, head, &|name| name == "served.example.zone");
            let (found, does) = found.unwrap_or_else(|| panic!("{name}"));
            assert!(found.starts_with(&format!("{name} {what}")) && does.contains(remedy), "{found}, {does}");
        }
    }

    #[test]
    fn what_lies_there_for_other_reasons_is_no_warning() {
        for name in [
            "README.md",
            "README",
            "LICENSE-MIT",
            "Makefile",
            "CHANGELOG.txt",
            "fingerpost.toml",
            "a.test.toml",
            "vpcs.toml",
            ".hidden",
            "example.org.zone~",
            "#example.org.zone#",
            "a.zone.bak",
            "4913",
            "Kexample.+013+00001.key",
            "dsset-example.com.",
            "example.com.zone.jnl",
        ] {
            assert!(is_expected(name), "{name}");
        }
        for name in ["db.readme", "readme.example.com", "security.example.com", "example.com", "12345678"] {
            assert!(!is_expected(name), "{name}");
        }
        for (name, head) in [
            ("notes.txt", &b"Put the file in a folder, IN A hurry.\nThe SOA is here.\n"[..]),
            ("deploy.sh", b"zone"),
            ("lab.toml", b"listen = []\n"),
            ("places.csv", b""),
        ] {
            assert_eq!(look(name, head, &|_| false), None, "{name}");
        }
    }
}
