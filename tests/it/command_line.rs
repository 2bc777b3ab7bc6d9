//! The commands as programs and people use them: what they print, where, and how they end.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::sockets::{self, ZONE, program, run};

/// A zone with an error, and one with warnings of which two have one cause.
const BROKEN: &str = "$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nx A 1.2.3\n";
const UNWISE: &str = "$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n\
    www A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"a\" healthCheckId=\"gone\"\n\
    www A 192.0.2.3 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"b\" healthCheckId=\"gone\"\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    for (file, text) in files {
        fs::write(folder.path().join("zones").join(file), text).expect("a file");
    }
    folder
}

fn both() -> tempfile::TempDir {
    folder(&[("broken.example.zone", BROKEN), ("unwise.example.zone", UNWISE)])
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn one_cause_is_one_line_that_begins_with_its_severity() {
    let output = run(both().path(), &["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stdout(&output),
        "zones/broken.example.zone:5:5: error: \"1.2.3\" is not an IPv4 address, write it like: A 192.0.2.1\n\
         zones/unwise.example.zone:5:1: warning: no file defines health check \"gone\", www.unwise.example. A counts as \
         healthy, define it in health-checks.toml (on 2 lines)\n"
    );
    let told = stderr(&output);
    assert!(told.starts_with("geography: built in, "), "{told}");
    assert!(told.ends_with("\n1 zone, 5 records: 1 error, 2 warnings\n"), "{told}");
}

#[test]
fn json_is_one_document_with_every_problem() {
    let output = run(both().path(), &["check", "--format", "json"]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let problems = document["problems"].as_array().expect("problems");
    assert_eq!(problems.len(), 3);
    for problem in problems {
        for text in ["file", "severity", "code", "message", "help"] {
            assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{text} of {problem}");
        }
        assert!(problem["line"].as_u64() > Some(0) && problem["column"].as_u64() > Some(0), "{problem}");
    }
    let codes: Vec<_> = problems.iter().map(|problem| problem["code"].as_str().expect("a code")).collect();
    assert_eq!(codes, ["bad-value", "unknown-health-check", "unknown-health-check"]);
    let summary = serde_json::json!({ "zones": 1, "records": 5, "errors": 1, "warnings": 2 });
    let mut told = document["summary"].clone();
    let geography = told.as_object_mut().and_then(|told| told.remove("geography")).expect("the geography");
    assert!(geography.as_str().is_some_and(|text| text.starts_with("geography: built in, ")), "{geography}");
    assert_eq!(told, summary);
}

#[test]
fn tests_are_told_in_each_format() {
    let tests = "[[test]]\nname = \"good\"\nask = \"www.example.com\"\nexpect = [\"192.0.2.2\"]\n\
                 [[test]]\nname = \"bad\"\nask = \"www.example.com\"\nexpect = [\"192.0.2.9\"]\n";
    let folder = folder(&[("example.com.zone", ZONE), ("a.test.toml", tests)]);
    let output = run(folder.path(), &["test", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let summary = &document["summary"];
    assert_eq!((&summary["passed"], &summary["failed"], &summary["tests"]), (&1.into(), &1.into(), &2.into()));
    assert_eq!((&document["tests"][0]["passed"], &document["tests"][1]["name"]), (&true.into(), &"bad".into()));
    assert_eq!(document["problems"][0]["code"], "routing-test-failed");
    let github = stdout(&run(folder.path(), &["test", "--format", "github"]));
    assert!(github.starts_with("::error file=zones/a.test.toml,line=8,col=10,title=routing-test-failed::"), "{github}");
    let junit = stdout(&run(folder.path(), &["test", "--format", "junit"]));
    assert!(
        junit.contains("<testsuite name=\"zones/a.test.toml\" tests=\"2\" failures=\"1\" errors=\"0\">"),
        "{junit}"
    );
    let text = run(folder.path(), &["test"]);
    assert_eq!(stderr(&text), "1 test passed, 1 failed\n");
}

/// Runs a command whose stdout nobody reads any more.
fn unread(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut child = program(folder).args(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("the program");
    let mut said = String::new();
    child.stderr.take().expect("its stderr").read_to_string(&mut said).expect("text");
    (child.wait().expect("its end").code(), said)
}

#[test]
fn a_reader_that_goes_away_is_no_error_whatever_was_found() {
    let both = both();
    let man = both.path().join("man");
    for arguments in [
        &["check"][..],
        &["check", "--strict", "--format", "json"],
        &["check", "--format", "github"],
        &["check", "--format", "junit"],
        &["completions", "bash"],
        &["man", man.to_str().expect("text")],
        &["--help"],
    ] {
        assert_eq!(unread(both.path(), arguments), (Some(0), String::new()), "{arguments:?}");
    }
    for arguments in
        [&["explain", "x.broken.example"][..], &["odds", "x.broken.example", "--json"], &["test", "--format", "json"]]
    {
        let (code, said) = unread(both.path(), arguments);
        assert!(code == Some(0) && !said.contains("pipe") && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn explain_and_odds_tell_of_the_zone_that_is_asked() {
    let zones = [("broken.example.zone", BROKEN), ("unwise.example.zone", UNWISE), ("example.com.zone", ZONE)];
    let broken_checks = ("health-checks.toml", "[health_check.gone]\ntype = \"TPC\"\n");
    let folder = folder(&[&zones[..], &[broken_checks]].concat());
    for command in ["explain", "odds"] {
        let told = |name: &str| stderr(&run(folder.path(), &[command, name]));
        assert_eq!(told("www.example.com"), "");
        assert_eq!(told("nowhere.test"), "");
        let unwise = told("www.unwise.example");
        assert!(unwise.contains("health-checks.toml:2:8: error") && unwise.contains("unwise.example.zone"), "{unwise}");
        assert!(!unwise.contains("broken.example"), "{unwise}");
        let broken = told("www.broken.example");
        assert!(broken.contains("broken.example.zone:5:5: error"), "{broken}");
        assert!(!broken.contains("unwise.example"), "{broken}");
    }
}

#[test]
fn colours_are_as_the_flag_and_the_environment_say() {
    let both = both();
    let coloured = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = program(both.path());
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        let output = command.args(arguments).envs(environment.iter().copied()).output().expect("the program");
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured(&["check"], &[]));
    assert!(coloured(&["check", "--color", "always"], &[]));
    assert!(coloured(&["--color", "always", "check"], &[("NO_COLOR", "1")]));
    assert!(coloured(&["check"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&["check", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&["check", "--color", "auto"], &[]));
    assert!(!coloured(&["check"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn there_are_completions_for_each_shell_and_a_page_for_each_command() {
    let folder = folder(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(folder.path(), &["completions", shell]);
        assert!(output.status.success() && stdout(&output).contains("explain"), "{shell}");
    }
    assert_eq!(run(folder.path(), &["completions", "cmd"]).status.code(), Some(2));
    assert!(run(folder.path(), &["man", "pages/man1"]).status.success());
    for command in
        ["", "-serve", "-check", "-explain", "-odds", "-health", "-test", "-completions", "-man", "-health-set"]
    {
        let page = folder.path().join(format!("pages/man1/fingerpost{command}.1"));
        let page = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(page.contains(".SH NAME") && page.contains("fingerpost"), "{command}");
    }
}

#[test]
fn odds_are_records_or_whole_answers() {
    let many: String = (1..=10)
        .map(|number| format!("many A 192.0.2.{number} ; AWS routing=\"MULTIVALUE\" identifier=\"m{number}\"\n"))
        .collect();
    let folder = folder(&[("example.com.zone", &format!("{ZONE}{many}"))]);
    let records = stdout(&run(folder.path(), &["odds", "many.example.com"]));
    assert_eq!(records.lines().count(), 10, "{records}");
    assert!(records.starts_with("4/5   80 %  192.0.2.1\n"), "{records}");
    let answers = stdout(&run(folder.path(), &["odds", "many.example.com", "--answers"]));
    assert_eq!(answers.lines().count(), 45 * 8, "{answers}");
    assert_eq!(stdout(&run(folder.path(), &["odds", "gone.example.com"])), "1  100 %  NXDOMAIN\n");
}

#[test]
fn health_checks_have_names_from_tags_and_from_the_file() {
    let check = |id: &str, more: &str| {
        format!("[health_check.{id}]\ntype = \"TCP\"\nip_address = \"192.0.2.1\"\nport = 80\ndisabled = true\n{more}\n")
    };
    let checks = [
        check("blue", ""),
        check("green", "name = \"Orders in Tokyo\""),
        check("one", "name = \"Twin\""),
        check("two", "name = \"Twin\""),
    ];
    let tag = |name: &str| {
        format!(
            r#"{{"ResourceTagSets": [{{"ResourceType": "healthcheck", "ResourceId": "blue",
            "Tags": [{{"Key": "Name", "Value": "{name}"}}]}}]}}"#
        )
    };
    let server = sockets::Server::of(
        &[
            ("zones/example.com.zone", ZONE),
            ("zones/health-checks.toml", &checks.concat()),
            ("zones/health-check-tags.json", &tag("Orders in Dublin")),
        ],
        &[],
    );
    let admin = server.admin();
    let health = |arguments: &[&str]| run(server.folder(), &[&["health"], arguments, &["--admin", &admin]].concat());
    let set = health(&["set", "Orders in Dublin", "down"]);
    assert_eq!(stdout(&set), "blue is unhealthy, forced until it is set to auto\n", "{}", stderr(&set));
    let twin = health(&["set", "Twin", "down"]);
    assert!(twin.status.code() == Some(2) && stderr(&twin).contains("2 health checks are called \"Twin\""), "{twin:?}");
    let ids = |arguments: &[&str]| {
        let list: Value = serde_json::from_slice(&health(arguments).stdout).expect("JSON");
        let checks = list["health_checks"].as_array().expect("checks").iter();
        checks.map(|check| format!("{} {}", check["id"], check["name"])).collect::<Vec<_>>().join(", ").replace('"', "")
    };
    assert_eq!(ids(&["list", "--json", "--unhealthy"]), "blue Orders in Dublin");
    assert_eq!(ids(&["list", "--json", "--name", "ORDERS*"]), "blue Orders in Dublin, green Orders in Tokyo");
    assert_eq!(ids(&["list", "--json", "--name", "t?o"]), "two Twin");
    let shown = stdout(&health(&["--unhealthy"]));
    assert!(shown.lines().nth(2).is_some_and(|line| line.starts_with("Orders in Dublin  blue  unhealthy")), "{shown}");
    fs::write(server.folder().join("next"), tag("Orders in Cork")).expect("written");
    fs::rename(server.folder().join("next"), server.folder().join("zones/health-check-tags.json")).expect("renamed");
    let begin = std::time::Instant::now();
    while !ids(&["list", "--json"]).contains("blue Orders in Cork") {
        assert!(begin.elapsed() < sockets::PATIENCE, "the new name is not taken up");
    }
}
