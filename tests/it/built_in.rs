//! Without a folder of geography the one that is built in is used, by every command and from any folder. A geography
//! without networks is an error where records need one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use fingerpost::io::admin_client;

use crate::sockets::ask_udp;

const ZONE: &str = r#"$TTL 60
@ IN SOA ns1 host 1 7200 3600 1209600 300
@ IN NS ns1
ns1 IN A 192.0.2.1
geo IN A 192.0.2.49 ; AWS routing="GEOLOCATION" countryCode="DE" identifier="germany"
geo IN A 192.0.2.33 ; AWS routing="GEOLOCATION" countryCode="FR" identifier="france"
geo IN A 192.0.2.1 ; AWS routing="GEOLOCATION" countryCode="*" identifier="rest"
near IN A 192.0.2.2 ; AWS routing="LATENCY" region="us-east-1" identifier="east"
near IN A 192.0.2.3 ; AWS routing="LATENCY" region="eu-central-1" identifier="middle"
"#;

/// A folder with a zone in `zones/`, and an empty folder of geography in `none/`.
fn lab() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("zones")).expect("a folder");
    fs::create_dir_all(folder.path().join("none")).expect("a folder");
    fs::write(folder.path().join("zones/example.com.zone"), ZONE).expect("a zone");
    folder
}

/// Runs a command in the root of all folders, which has no `geo`.
fn run(lab: &Path, arguments: &[&str], geo: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.args(arguments).arg("--zones").arg(lab.join("zones")).current_dir("/");
    if let Some(geo) = geo {
        command.arg("--geo").arg(lab.join(geo));
    }
    command.output().expect("the program")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn commands_know_countries_in_any_folder() {
    let lab = lab();
    let ask =
        |command, from: &str| text(&run(lab.path(), &[command, "geo.example.com", "A", "--from", from], None).stdout);
    for (from, address) in [("193.99.144.80", "192.0.2.49"), ("2.15.1.1", "192.0.2.33"), ("8.8.8.8", "192.0.2.1")] {
        let explained = ask("explain", from);
        assert!(explained.contains(address), "{from}\n{explained}");
        assert!(explained.contains("by built-in geo/countries.ranges for "), "{explained}");
        assert!(ask("odds", from).contains(address), "{from}");
    }
    // A row of the built-in places.csv.
    assert!(ask("explain", "198.51.100.7").contains("by built-in geo/places.csv:16"));
}

#[test]
fn check_says_what_geography_it_loaded() {
    let lab = lab();
    let output = run(lab.path(), &["check"], None);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}{said}", text(&output.stdout));
    let line = said.lines().find(|line| line.starts_with("geography: built in, ")).expect("a line of its own");
    assert!(line.contains(" networks, 1 database of 2026-06-01 (") && line.contains("DB-IP"), "{line}");
    // A folder replaces it whole.
    fs::create_dir(lab.path().join("own")).expect("a folder");
    fs::write(lab.path().join("own/places.csv"), "network,country\n192.0.2.0/24,DE\n").expect("a file");
    let output = run(lab.path(), &["check"], Some("own"));
    let expected = format!("geography: {}, 1 network, 0 databases\n", lab.path().join("own").display());
    assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn check_fails_where_records_need_networks_and_none_is_known() {
    let lab = lab();
    let output = run(lab.path(), &["check"], Some("none"));
    let found = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{found}");
    assert!(found.contains("zones/example.com.zone:5:"), "{found}");
    assert!(
        found.contains("no network, and 2 groups of latency, geolocation or geoproximity records in 1 zone"),
        "{found}"
    );
    // Files that are no use are no geography either.
    fs::write(lab.path().join("none/bad.mmdb"), "nonsense").expect("a file");
    let output = run(lab.path(), &["check"], Some("none"));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("2 groups of latency"), "{}", text(&output.stdout));
    // Other records need none.
    fs::remove_file(lab.path().join("none/bad.mmdb")).expect("a file");
    let plain: String =
        ZONE.lines().filter(|line| !line.contains("routing=")).map(|line| format!("{line}\n")).collect();
    fs::write(lab.path().join("zones/example.com.zone"), plain).expect("a zone");
    assert_eq!(run(lab.path(), &["check"], Some("none")).status.code(), Some(0));
}

/// A server until it is dropped.
struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server; returns its log until it serves, an answer and its metrics.
fn serve(lab: &Path, geo: Option<&str>) -> (String, (u8, Option<[u8; 4]>), String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).arg("--zones");
    command.arg(lab.join("zones")).current_dir(lab).env_remove("FINGERPOST_LOG");
    if let Some(geo) = geo {
        command.arg("--geo").arg(lab.join(geo));
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let mut lines = BufReader::new(child.stderr.take().expect("its stderr")).lines().map_while(Result::ok);
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut first).expect("what it serves");
    let _server = Serve(child);
    let mut log = String::new();
    for line in lines.by_ref() {
        log += &format!("{line}\n");
        if line.contains(" serving") {
            break;
        }
    }
    let address = first.split(" on ").nth(1).and_then(|rest| rest.split(", UDP").next());
    let address = address.unwrap_or_else(|| panic!("{first}{log}")).parse().expect("an address");
    let admin = log.split("admin port on ").nth(1).and_then(|rest| rest.lines().next()).expect("an admin port");
    let metrics = admin_client::get(admin.parse().expect("an address"), "/metrics").expect("metrics");
    (log, ask_udp(address, "geo"), text(&metrics))
}

#[test]
fn a_server_says_what_geography_it_loaded() {
    let lab = lab();
    let (log, answer, metrics) = serve(lab.path(), None);
    let loaded = log.lines().find(|line| line.contains(" loaded ")).expect("the line");
    for field in ["geography=\"built in\"", "networks=", "databases=1", "database_age=\""] {
        assert!(loaded.contains(field), "{loaded}");
    }
    assert!(!log.contains("ERROR"), "{log}");
    assert_eq!(answer, (0, Some([192, 0, 2, 1])));
    for line in [
        "fingerpost_geography_info{origin=\"built in\"} 1",
        "fingerpost_geography_networks ",
        "fingerpost_geography_databases 1",
        "fingerpost_geography_age_seconds{database=\"oldest\"} ",
        "fingerpost_geography_age_seconds{database=\"newest\"} ",
    ] {
        assert!(metrics.contains(&format!("\n{line}")), "{line}\n{metrics}");
    }
}

#[test]
fn a_server_without_networks_logs_an_error_and_serves() {
    let lab = lab();
    let (log, answer, metrics) = serve(lab.path(), Some("none"));
    let error = log.lines().find(|line| line.contains("ERROR")).unwrap_or_else(|| panic!("{log}"));
    assert!(error.contains("2 groups of latency, geolocation or geoproximity records"), "{error}");
    assert_eq!(answer, (0, Some([192, 0, 2, 1])));
    assert!(metrics.contains("\nfingerpost_geography_networks 0\n"), "{metrics}");
    assert!(!metrics.contains("fingerpost_geography_age_seconds"), "{metrics}");
}
