//! What `fingerpost check` finds in whole folders, and how it ends; what later loads of the same folders find.

use std::fs;
use std::path::Path;
use std::process::Command;

use fingerpost::io::folder::Touched;
use fingerpost::io::load::{Folders, Loaded, Loader};
use fingerpost::model::Limits;
use fingerpost::model::zone::Visibility;
use fingerpost::problem::Severity;
use fingerpost::snapshot::Settings;

const ZONE: &str = "$TTL 60\n@ SOA ns.example.net. host 1 2 3 4 5\n@ NS ns.example.net.\n";

/// Code and stdout of `check`, with the settings and zones of this folder.
fn check(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    let output = command.current_dir(folder).arg("check").args(more).output().expect("the program");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

/// Files by their paths in a new folder.
fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

#[test]
fn a_folder_in_which_nothing_is_loaded_is_an_error() {
    let folder = files(&[("zones/db.example", ZONE), ("zones/more/example.zone", ZONE)]);
    let (code, out) = check(folder.path(), &[]);
    assert_eq!(code, Some(1), "{out}");
    for told in ["no zone was loaded", "db.example looks like a zone file", "name it example.zone", "the folder more"] {
        assert!(out.contains(told), "{told}: {out}");
    }
    // The same files, named and put as told.
    let zones = folder.path().join("zones");
    fs::rename(zones.join("db.example"), zones.join("example.zone")).expect("renamed");
    fs::remove_dir_all(zones.join("more")).expect("removed");
    assert_eq!(check(folder.path(), &["--strict"]), (Some(0), String::new()));
    let empty = files(&[("zones/README.md", "x")]);
    assert_eq!(check(empty.path(), &[]).0, Some(1));
}

#[test]
fn an_alias_to_a_name_outside_wants_a_resolver() {
    let alias = format!("{ZONE}www AWS ALIAS A d111.cloudfront.net. Z2FDTNDATAQYW2 false\n");
    let folder = files(&[("zones/example.zone", &alias)]);
    let (code, out) = check(folder.path(), &[]);
    assert!(code == Some(0) && out.contains("leads to d111.cloudfront.net., a name outside"), "{out}");
    fs::write(folder.path().join("fingerpost.toml"), "upstream = [\"192.0.2.1:53\"]\n").expect("written");
    assert_eq!(check(folder.path(), &["--strict"]), (Some(0), String::new()));
}

/// A loader of this folder's zones, and the warnings and errors of a load.
fn loader(folder: &Path) -> Loader {
    let folders = Folders { zones: folder.join("zones"), geo: None };
    Loader::new(folders, Limits::Route53, Settings::default()).expect("a loader")
}

fn warnings(loaded: &Loaded) -> Vec<String> {
    let warnings = loaded.problems.iter().filter(|problem| problem.severity == Severity::Warning);
    warnings.map(|problem| problem.what.clone()).collect()
}

fn visible(loaded: &Loaded) -> Vec<Visibility> {
    let zones = &loaded.snapshot.zones;
    zones.numbers().map(|zone| zones.image(zone).visibility.clone()).collect()
}

#[test]
fn a_change_of_a_hosted_zone_reloads_its_records() {
    let hosted = |private: bool, vpcs: &str| {
        format!(
            "{{\"HostedZone\": {{\"Name\": \"corp.\", \"Config\": {{\"PrivateZone\": {private}}}}}, \"VPCs\": [{vpcs}]}}"
        )
    };
    let vpc = |id: &str| format!("{{\"VPCRegion\": \"eu-west-1\", \"VPCId\": \"{id}\"}}");
    let private = |id: &str| vec![Visibility::Private(vec![id.into()])];
    let folder = files(&[
        ("zones/corp.json", "{\"ResourceRecordSets\": []}"),
        ("zones/vpcs.toml", "[vpc.vpc-1]\nnetworks = ['10.0.0.0/8']\n[vpc.vpc-2]\nnetworks = ['172.16.0.0/12']\n"),
    ]);
    let path = folder.path().join("zones/corp.hosted-zone.json");
    // Another file each time, since two versions within one tick of the clock may be of one size.
    let write = |text: &str| {
        fs::write(folder.path().join("next"), text).expect("written");
        fs::rename(folder.path().join("next"), &path).expect("its place");
    };
    let touched = Touched::Files([std::path::absolute(&path).expect("a path")].into());
    let mut own = loader(folder.path());
    assert_eq!(visible(&own.load().expect("a load")), [Visibility::Public]);
    write(&hosted(true, &vpc("vpc-1")));
    assert_eq!(visible(&own.load_touched(&touched).expect("a load")), private("vpc-1"));
    write(&hosted(true, &vpc("vpc-2")));
    assert_eq!(visible(&own.load_touched(&touched).expect("a load")), private("vpc-2"));
    write("{");
    let broken = own.load_touched(&touched).expect("a load");
    assert_eq!((visible(&broken), broken.problems.errors(), broken.kept.len()), (private("vpc-2"), 1, 1));
    write(&hosted(false, ""));
    assert_eq!(visible(&own.load_touched(&touched).expect("a load")), [Visibility::Public]);
    fs::remove_file(folder.path().join("zones/corp.json")).expect("removed");
    let alone = own.load().expect("a load");
    assert_eq!((alone.zones, alone.problems.errors(), alone.refused.len()), (0, 0, 0));
    assert_eq!(warnings(&alone), ["the hosted zone corp. is here without its records"]);
}

#[test]
fn a_file_that_comes_or_goes_is_told_by_a_load_of_what_was_touched() {
    let folder = files(&[("zones/example.zone", ZONE)]);
    let mut own = loader(folder.path());
    assert_eq!(warnings(&own.load().expect("a load")), [""; 0]);
    let path = std::path::absolute(folder.path().join("zones/db.example")).expect("a path");
    let touched = Touched::Files([path.clone()].into());
    fs::write(&path, ZONE).expect("written");
    let told = ["db.example looks like a zone file"];
    assert_eq!(warnings(&own.load_touched(&touched).expect("a load")), told);
    assert_eq!(warnings(&own.load_touched(&touched).expect("a load")), told, "it is still there");
    fs::remove_file(&path).expect("removed");
    assert_eq!(warnings(&own.load_touched(&touched).expect("a load")), [""; 0]);
}

#[test]
fn signatures_that_have_ended_are_told_at_each_load() {
    let signature = "@ RRSIG SOA 8 1 60 20200102000000 20200101000000 40430 @ GSwC1jWm\n\
                     @ RRSIG NS 8 1 60 20200102000000 20200101000000 40430 @ GSwC1jWm\n";
    let folder = files(&[("zones/signed.zone", &format!("{ZONE}{signature}")), ("zones/plain.zone", ZONE)]);
    let mut own = loader(folder.path());
    let ended = "2 signatures of signed. have ended, the first on 20200102000000, over signed. NS".to_string();
    assert!(warnings(&own.load().expect("a load")).contains(&ended));
    let path = std::path::absolute(folder.path().join("zones/plain.zone")).expect("a path");
    fs::write(&path, format!("{ZONE}www A 192.0.2.1\n")).expect("written");
    let loaded = own.load_touched(&Touched::Files([path].into())).expect("a load");
    assert_eq!(loaded.fresh, 1, "another zone changed");
    assert!(warnings(&loaded).contains(&ended), "{:?}", warnings(&loaded));
}

/// Code of `check --format json`, and of each problem its code and line.
fn codes(folder: &Path) -> (Option<i32>, Vec<(String, u64)>) {
    let (code, out) = check(folder, &["--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&out).expect("one document");
    let problems = document["problems"].as_array().expect("problems").iter();
    let told = problems.map(|problem| (problem["code"].as_str().unwrap_or_default().into(), problem["line"].as_u64()));
    (code, told.map(|(code, line)| (code, line.unwrap_or_default())).collect())
}

#[test]
fn what_check_finds_has_stable_codes() {
    let dump = |name: &str, value: &str| {
        format!(
            "{{\"ResourceRecordSets\": [{{\"Name\": \"{name}\", \"Type\": \"NS\", \"TTL\": 60,
            \"ResourceRecords\": [{{\"Value\": \"{value}\"}}]}}]}}"
        )
    };
    let zone = |records: &str| format!("{ZONE}cname CNAME ns.example.net.\ntext TXT x\n{records}\n");
    let cases: [(&str, &str, i32, &[&str]); 15] = [
        ("README.md", "x", 1, &["no-zone-loaded"]),
        ("db.example", ZONE, 1, &["no-zone-loaded", "file-passed-over"]),
        ("deeper/example.zone", ZONE, 1, &["no-zone-loaded", "folder-passed-over"]),
        ("a.zone", &zone("@ NS cname"), 0, &["ns-leads-to-cname"]),
        ("a.zone", &zone("@ NS gone"), 0, &["ns-without-address"]),
        (
            "a.zone",
            &zone("@ MX 1 cname\nb MX 1 text\nc MX 1 gone"),
            0,
            &["mx-leads-to-cname", "mx-without-address", "mx-target-missing"],
        ),
        (
            "a.zone",
            &zone("@ SRV 1 1 1 cname\nb SRV 1 1 1 text\nc SRV 1 1 1 gone"),
            0,
            &["srv-leads-to-cname", "srv-without-address", "srv-target-missing"],
        ),
        ("a.zone", &zone("b CNAME gone"), 0, &["cname-target-missing"]),
        ("a.zone", &zone("b AWS ALIAS A example.net. Z1 false"), 0, &["no-resolver"]),
        ("a.zone", &zone("* NS ns.example.net."), 0, &["wildcard-ns"]),
        ("*.a.zone", &zone(""), 0, &["wildcard-zone", "wildcard-ns"]),
        ("a.zone", &zone("b DYNA x\nc LUA A x"), 1, &["other-servers-type", "other-servers-type"]),
        ("a.json", &dump("a.", "ns-0.awsdns-00.com."), 0, &["no-soa-or-ns", "private-zone-served-to-all"]),
        ("a.json", &dump("*.a.", "ns.example.net."), 1, &["no-soa-or-ns", "wildcard-ns"]),
        ("*.a.json", &dump("*.a.", "ns.example.net."), 1, &["wildcard-zone", "no-soa-or-ns", "wildcard-ns"]),
    ];
    for (name, text, code, expected) in cases {
        let folder = files(&[(&format!("zones/{name}"), text)]);
        let (ended, found) = codes(folder.path());
        let found: Vec<&str> = found.iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(found, expected, "{name}: {text}");
        assert_eq!(ended, Some(code), "{name}: {found:?}");
    }
}

#[test]
fn signatures_that_end_soon_are_shown_in_their_place_beside_those_that_ended() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    let signature =
        |rtype: &str, end: u64| format!("@ RRSIG {rtype} 8 1 60 {end} {} 40430 @ GSwC1jWm\n", now - 900_000);
    let records = [signature("SOA", now - 60), signature("NS", now + 3600), signature("NSEC", now + 86_400)].concat();
    let zone = format!("{ZONE}{records}@ NSEC @ NS SOA RRSIG NSEC\nb A 192.0.2.1\n");
    let folder = files(&[("zones/signed.zone", &zone)]);
    let expected = [("signature-ended", 4), ("signature-ends-soon", 5), ("not-signed", 8)];
    assert_eq!(codes(folder.path()), (Some(0), expected.map(|(code, line)| (code.to_string(), line)).to_vec()));
}

#[test]
fn broken_settings_are_in_the_document_too() {
    let folder = files(&[("zones/a.zone", ZONE), ("fingerpost.toml", "wrokers = 2\n")]);
    assert_eq!(codes(folder.path()), (Some(2), vec![("unknown-setting".to_string(), 1)]));
}

#[test]
fn names_of_routing_tests_do_not_command_the_terminal() {
    let test = "[[test]]\nname = \"a\\nb\\u001b\"\nask = \"a SOA\"\nrcode = \"NOERROR\"\n";
    let folder = files(&[("zones/a.zone", ZONE), ("zones/a.test.toml", test)]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    let output = command.current_dir(folder.path()).arg("test").output().expect("the program");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\\nb\\u{1b}  ok\n");
}
