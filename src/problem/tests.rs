//! Problems by themselves, by cause, and as programs read them.

use super::*;

#[test]
fn a_wrong_word_finds_its_neighbour() {
    let known = ["weight", "region", "failover", "healthCheckId"];
    for (word, meant) in [
        ("wieght", Some("weight")),
        ("Weigth", Some("weight")),
        ("healthcheck_id", Some("healthCheckId")),
        ("fail-over", Some("failover")),
        ("colour", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, known), meant, "{word}");
    }
}

#[test]
fn problems_get_their_lines() {
    let mut problems = Problems::default();
    for (file, line) in [("z", 3), ("z", 1), ("z", 9), ("y", 1)] {
        let at = At { file: file.into(), line, column: 1, length: 0 };
        problems.push(Problem::error(at, "what", "", ""));
    }
    problems.add_excerpts("z", b"one\r\ntwo\nthr\xffee");
    let lines: Vec<_> = problems.iter().map(|problem| problem.excerpt.as_deref()).collect();
    assert_eq!(lines, [Some("thr\u{fffd}ee"), Some("one"), None, None]);
    assert_eq!(problems.without_excerpt().len(), 2);
}

/// A problem in one line: `file:line severity: what, why`.
fn problem(file: &str, line: u32, severity: Severity, what: &str, why: &str) -> Problem {
    let at = At { file: file.into(), line, column: 2, length: 0 };
    Problem::error(at, what, why, "mend it").with_severity(severity)
}

fn all(problems: impl IntoIterator<Item = Problem>) -> Problems {
    let mut all = Problems::default();
    problems.into_iter().for_each(|problem| all.push(problem));
    all
}

use Severity::{Error, Warning};

#[test]
fn one_cause_is_one_problem_with_its_lines() {
    let problems = all([
        problem("z", 3, Warning, "no file defines health check \"gone\"", "a.example. A counts as healthy"),
        problem("z", 3, Warning, "no file defines health check \"gone\"", "b.example. A counts as healthy"),
        problem("z", 4, Warning, "no file defines health check \"gone\"", "c.example. A counts as healthy"),
        problem("z", 5, Warning, "no file defines health check \"lost\"", "c.example. A counts as healthy"),
        problem("y", 6, Warning, "no file defines health check \"gone\"", "c.example. A counts as healthy"),
        problem("z", 7, Error, "a A is said twice", "line 2 says it already"),
        problem("z", 8, Error, "a A is said twice", "line 3 says it already"),
        problem("z", 8, Error, "a A is said twice", "z:4:1 says it already"),
        problem("z", 9, Error, "b A is said twice", "line 2 says it already"),
    ]);
    let causes: Vec<_> =
        problems.causes().iter().map(|cause| (cause.first.at.line, cause.count, cause.lines)).collect();
    assert_eq!(causes, [(3, 3, 2), (5, 1, 1), (6, 1, 1), (7, 2, 2), (8, 1, 1), (9, 1, 1)]);
    assert_eq!(problems.causes()[0].extent().as_deref(), Some("on 2 lines"));
    assert_eq!(problems.causes()[1].extent(), None);
    assert_eq!((problems.errors(), problems.warnings()), (4, 5), "the totals count all");
}

#[test]
fn an_error_of_syntax_stands_without_its_consequences() {
    let unknown = || problem("z", 3, Warning, "no file defines health check \"blue\"", "it counts as healthy");
    let syntax = |file: &str| problem(file, 1, Error, "expected a value", "").code("syntax");
    let left = |problems: [Problem; 2]| all(problems).without_consequences().warnings();
    assert_eq!(left([syntax("zones/health-checks.toml"), unknown()]), 0);
    assert_eq!(left([syntax("zones/vpcs.toml"), unknown()]), 1);
    assert_eq!(left([problem("zones/health-checks.toml", 1, Error, "bad", ""), unknown()]), 1);
}

#[test]
fn each_problem_has_a_kind() {
    for (file, what, kind) in [
        ("a.zone", "no file defines health check \"x\"", "unknown-health-check"),
        ("a.zone", "anything", "zone-file"),
        ("zones/a.test.toml", "anything", "routing-test"),
        ("zones/health-checks.json", "anything", "health-check"),
        ("fingerpost.toml", "anything", "settings"),
        ("geo/places.csv", "anything", "geography"),
        ("a.json", "anything", "record-set"),
    ] {
        assert_eq!(problem(file, 1, Error, what, "").kind(), kind, "{what}");
    }
    assert_eq!(problem("a.zone", 1, Error, "anything", "").code("its-own").kind(), "its-own");
    for (_, code) in codes::testing::phrases().iter().chain(codes::testing::files()) {
        let kebab = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(kebab && !code.is_empty(), "{code}");
    }
}

/// A text that changes takes its phrase along.
#[test]
fn each_phrase_of_a_kind_is_in_the_sources() {
    let (mut folders, mut sources) =
        (vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")], String::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                None => folders.push(path),
                Some(_) if path.ends_with("problem/codes.rs") || path.ends_with("tests.rs") => {}
                Some(ending) if ending != "rs" => {}
                Some(_) => sources += &std::fs::read_to_string(path).unwrap(),
            }
        }
    }
    for (phrase, _) in codes::testing::phrases() {
        assert!(sources.contains(phrase), "no problem says {phrase:?}");
    }
}

#[test]
fn workflow_commands_hold_any_text() {
    let problems =
        all([problem("a:b,c.zone", 3, Error, "50 % of\nit\u{1b}", "x:y"), problem("z", 1, Warning, "w", "")]);
    assert_eq!(
        problems.github(),
        "::error file=a%3Ab%2Cc.zone,line=3,col=2,title=zone-file::50 %25 of%0Ait\u{fffd}, x:y%0Amend it\n\
         ::warning file=z,line=1,col=2,title=zone-file::w%0Amend it\n"
    );
}

#[test]
fn junit_fails_for_errors_alone() {
    let case = |name: &str, failures| formats::Case { suite: "a&.zone".into(), name: name.into(), failures };
    let failure = problem("a&.zone", 3, Error, "<\u{0}\"'\u{b}&>\n", "");
    let warnings = all([problem("b.zone", 1, Warning, "w", "")]);
    assert_eq!(
        formats::junit("check", &[case("fine", Vec::new()), case("bad", vec![failure])], &warnings),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"check\" tests=\"2\" failures=\"1\" errors=\"0\">
  <testsuite name=\"a&amp;.zone\" tests=\"2\" failures=\"1\" errors=\"0\">
    <testcase classname=\"a&amp;.zone\" name=\"fine\"/>
    <testcase classname=\"a&amp;.zone\" name=\"bad\">
      <failure message=\"&lt;\u{fffd}&quot;'\u{fffd}&amp;&gt;&#10;\" type=\"zone-file\">a&amp;.zone:3:2: error: \
         &lt;\u{fffd}&quot;'\u{fffd}&amp;&gt;\n, mend it</failure>
    </testcase>
  </testsuite>
  <testsuite name=\"b.zone\" tests=\"0\" failures=\"0\" errors=\"0\">
    <system-out>b.zone:1:2: warning: w, mend it
</system-out>
  </testsuite>
</testsuites>
"
    );
}

#[test]
fn numbers_of_things_agree_with_their_word() {
    assert_eq!([0, 1, 2].map(|count| counted(count, "zone")), ["0 zones", "1 zone", "2 zones"]);
}
