//! Every rule of `docs/route53.md` is shown: a scenario or a test names it, as `route53.md 2.4.7`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where rules are shown.
const SHOWN_IN: &[(&str, &str)] = &[("tests/scenarios", "scn"), ("tests/it", "rs"), ("src", "rs")];

/// The rules by number, and whether they have to be shown: not what only the API does.
fn rules(manual: &str) -> BTreeMap<String, bool> {
    let mut rules = BTreeMap::new();
    let mut last = None;
    for line in manual.lines() {
        if let Some((number, rest)) = line.strip_prefix("- **").and_then(|rest| rest.split_once("**")) {
            rules.insert(number.to_string(), !rest.ends_with("*(API)*"));
            last = Some(number.to_string());
        } else if let (Some(number), true) = (&last, line.starts_with("  ") && line.ends_with("*(API)*")) {
            rules.insert(number.clone(), false);
        } else if !line.starts_with("  ") {
            last = None;
        }
    }
    rules
}

/// The numbers in comments that speak of `route53.md`; a comment is lines that follow each other.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut within = false;
    for line in text.lines() {
        let comment = line.trim_start().trim_start_matches("/// ").trim_start_matches("//! ");
        if comment == line.trim_start() && !line.starts_with("# ") {
            within = false;
            continue;
        }
        within |= comment.contains("route53.md");
        if within {
            let words = comment.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_digit()));
            let numbers = words.filter(|word| word.contains('.') && word.split('.').all(|part| !part.is_empty()));
            found.extend(numbers.map(str::to_string));
        }
    }
    found
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(path);
        }
    }
}

#[test]
fn every_rule_is_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = rules(&fs::read_to_string(root.join("docs/route53.md")).expect("the rules"));
    assert!(rules.len() > 80, "only {} rules were read", rules.len());
    let mut shown = BTreeSet::new();
    for (folder, extension) in SHOWN_IN {
        let mut found = Vec::new();
        files(&root.join(folder), extension, &mut found);
        for path in found {
            shown.extend(named(&fs::read_to_string(&path).expect("a source")));
        }
    }
    let missing: Vec<_> = rules.iter().filter(|(rule, due)| **due && !shown.contains(*rule)).map(|(r, _)| r).collect();
    assert!(missing.is_empty(), "no scenario and no test names {missing:?}");
}

#[test]
fn rules_and_their_names_are_read() {
    let manual =
        "# 2.0\n- **2.0.1** One,\n  in two lines.\n- **2.0.2** Two,\n  for later. *(API)*\n- **4.16** Three. *(API)*\n";
    let read: Vec<_> = rules(manual).into_iter().collect();
    let expected = [("2.0.1", true), ("2.0.2", false), ("4.16", false)];
    assert_eq!(read, expected.map(|(rule, due)| (rule.to_string(), due)));
    let text =
        "# route53.md 2.0.1: a\n# b; 2.0.2.\nodds 2.0.3\n\n# Of 4.1 nothing is said.\n    /// route53.md 4.2, 4.3.\n";
    assert_eq!(named(text), ["2.0.1", "2.0.2", "4.2", "4.3"].map(str::to_string).into());
}

/// The words of `explain`, as the code that tells them has them.
fn step_words(source: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for line in source.lines().filter(|line| !line.contains("TtlRule::")) {
        for (_, rest) in line.match_indices("(\"").map(|(at, quote)| line.split_at(at + quote.len())) {
            let Some((word, after)) = rest.split_once('"') else { continue };
            if after.starts_with(", ") && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                words.insert(word.to_string());
            }
        }
    }
    words
}

#[test]
fn every_step_is_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words = step_words(&fs::read_to_string(root.join("src/tell/steps.rs")).expect("the steps"));
    assert!(words.len() > 20, "{words:?}");
    let mut scenarios = Vec::new();
    files(&root.join("tests/scenarios"), "scn", &mut scenarios);
    let shown: String = scenarios.iter().map(|path| fs::read_to_string(path).expect("a scenario")).collect();
    let begins: BTreeSet<&str> = shown.lines().filter_map(|line| line.split("  ").next()).collect();
    let missing: Vec<_> = words.iter().filter(|word| !begins.contains(word.as_str())).collect();
    assert!(missing.is_empty(), "no scenario shows the steps {missing:?}");
}
