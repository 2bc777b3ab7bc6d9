//! What makes a lab: answers that repeat, stand-ins for names outside, settings from the environment, readiness.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use fingerpost::io::load::{Folders, Loader};
use fingerpost::model::Limits;
use fingerpost::model::health_check::Kind;
use fingerpost::snapshot::Settings;

use crate::sockets::{self, PATIENCE, Server, answer_udp, ask_tcp, ask_udp, run, until};

const ZONE: &str = "\
$TTL 60
@ SOA ns hm 1 2 3 4 5
@ NS ns
ns A 192.0.2.1
www A 192.0.2.11 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"1\"
www A 192.0.2.12 ; AWS routing=\"WEIGHTED\" weight=2 identifier=\"2\"
www A 192.0.2.13 ; AWS routing=\"WEIGHTED\" weight=3 identifier=\"3\"
set A 192.0.2.21
set A 192.0.2.22
set A 192.0.2.23
many A 192.0.2.31 ; AWS routing=\"MULTIVALUE\" identifier=\"1\"
many A 192.0.2.32 ; AWS routing=\"MULTIVALUE\" identifier=\"2\"
many A 192.0.2.33 ; AWS routing=\"MULTIVALUE\" identifier=\"3\"
lb AWS ALIAS A web-1.us-east-1.elb.amazonaws.com. Z1 true
lb AWS ALIAS AAAA web-1.us-east-1.elb.amazonaws.com. Z1 true
";

/// The answers of a server with this seed, 60 over UDP and 60 over TCP.
fn sequence(seed: &str) -> Vec<Vec<u8>> {
    let server = Server::launch(
        &[("zones/example.com.zone", ZONE)],
        &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--seed", seed],
        &[],
    );
    let names = || ["www", "set", "many"].into_iter().cycle().take(60);
    let over_udp = names().map(|name| answer_udp(server.addresses[0], name));
    let over_udp: Vec<_> = over_udp.collect();
    let over_tcp = names().map(|name| ask_tcp(server.addresses[0], name));
    over_udp.into_iter().chain(over_tcp).collect()
}

#[test]
fn a_seed_repeats_all_answers() {
    let first = sequence("7");
    assert_eq!(first, sequence("7"));
    let other = sequence("8");
    assert!(first[..60] != other[..60] && first[60..] != other[60..]);
}

#[test]
fn a_seed_means_one_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    for (settings, arguments) in
        [("", &["serve", "--seed", "7", "--workers", "2"][..]), ("seed = 7\nworkers = 2", &["serve"])]
    {
        fs::write(folder.path().join("fingerpost.toml"), settings).expect("settings");
        let output = run(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("a seed means one worker, and 2 workers are asked for"), "{said}");
    }
}

#[test]
fn a_stand_in_answers_for_a_name_outside_and_changes_at_a_reload() {
    let settings = "[stand_in]\n\"*.elb.amazonaws.com\" = [\"192.0.2.200\", \"2001:db8::200\"]\n";
    let server = Server::of(&[("zones/example.com.zone", ZONE), ("fingerpost.toml", settings)], &[]);
    // From the first query on.
    assert_eq!(ask_udp(server.addresses[0], "lb"), (0, Some([192, 0, 2, 200])));
    let folder = server.folder.path();
    for (arguments, expected) in [
        (&["odds", "lb.example.com", "--json"][..], "\"192.0.2.200\""),
        (&["odds", "lb.example.com", "AAAA", "--json"], "\"2001:db8::200\""),
        (&["explain", "lb.example.com"], "the stand-in *.elb.amazonaws.com of the settings is the answer"),
        (&["explain", "lb.example.com"], "60 A 192.0.2.200"),
    ] {
        let output = run(folder, arguments);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(expected) && !said.contains("\"upstream\""), "{arguments:?}: {said}");
    }
    let settings = settings.replace("192.0.2.200", "192.0.2.201");
    fs::write(folder.join("fingerpost.toml"), settings).expect("settings");
    server.signal("HUP");
    until(server.addresses[0], "lb", (0, Some([192, 0, 2, 201])));
    // Without one, nobody knows the name.
    fs::write(folder.join("fingerpost.toml"), "").expect("settings");
    server.signal("HUP");
    until(server.addresses[0], "lb", (2, None));
}

#[test]
fn the_environment_wins_over_the_file_at_a_reload_too() {
    let stand_in = |last| format!("{{ \"*\" = [\"192.0.2.{last}\"] }}");
    let file = format!("stand_in = {}\n", stand_in(1));
    // Nobody may ask before the file is read again.
    let before = format!("{file}access = {{ deny = [\"127.0.0.1\"] }}\n");
    let server = Server::of(
        &[("zones/example.com.zone", ZONE), ("fingerpost.toml", &before)],
        &[("FINGERPOST_STAND_IN", &stand_in(2)), ("FINGERPOST_WORKER", "3")],
    );
    assert_eq!(ask_udp(server.addresses[0], "lb"), (5, None));
    fs::write(server.folder.path().join("fingerpost.toml"), file).expect("settings");
    server.signal("HUP");
    until(server.addresses[0], "ns", (0, Some([192, 0, 2, 1])));
    assert_eq!(ask_udp(server.addresses[0], "lb"), (0, Some([192, 0, 2, 2])));

    let mut command = sockets::program(server.folder.path());
    let output = command.arg("check").env("FINGERPOST_WORKERS", "many").output().expect("the program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(2) && said.contains("FINGERPOST_WORKERS: this is not a whole number"),
        "{said}"
    );
}

fn get(admin: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: health.example\r\nConnection: close\r\n\r\n").expect("sent");
    let mut reply = String::new();
    // When the load ends, a connection from before it may, too.
    let _ = stream.read_to_string(&mut reply);
    reply
}

/// Nearly 200,000 records take the load long enough to be asked meanwhile.
#[test]
fn ready_is_503_until_the_first_load_has_ended_and_needs_no_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone: String = (0..60_000).map(|number| format!("h{number} A 192.0.2.1\n")).collect();
    fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    for number in 0..3 {
        let file = folder.path().join(format!("zones/z{number}.example.zone"));
        fs::write(file, format!("{}{zone}", sockets::ZONE)).expect("a zone");
    }
    let mut command = sockets::program(folder.path());
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).env("FINGERPOST_LIMITS", "none");
    command.env("FINGERPOST_ADMIN_TOKEN", "as long as a token has to be, and longer");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program");
    let mut log = BufReader::new(child.stderr.take().expect("its log")).lines().map_while(Result::ok);
    let line = log.find(|line| line.contains("admin port is bound to ")).expect("where its admin port is");
    let rest = line.split("admin port is bound to ").nth(1);
    let admin = rest.and_then(|rest| rest.split(';').next()).expect("an address").to_string();
    std::thread::spawn(move || log.for_each(drop));
    let begin = Instant::now();
    let (mut waited, mut ready) = (false, false);
    while !ready && begin.elapsed() < PATIENCE {
        let reply = get(&admin, "/ready");
        waited |= reply.starts_with("HTTP/1.1 503 ") && reply.contains("the first load has not ended");
        ready = reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("{\"ready\":true}\n");
        assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 503 ") || ready, "{reply}");
    }
    let metrics = get(&admin, "/metrics");
    let _ = child.kill();
    let _ = child.wait();
    assert!(waited && ready, "waited: {waited}, ready: {ready}");
    assert!(metrics.starts_with("HTTP/1.1 401 "), "{metrics}");
}

/// They asked this server's own port 5300, so that on another port all of them were unhealthy half a minute later.
#[test]
fn the_checks_of_the_sample_zones_change_only_when_they_are_told_to() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = Folders::find(Some(root.join("zones")), Some(root.join("geo"))).expect("the samples");
    let mut loader = Loader::new(folders, Limits::default(), Settings::modern()).expect("a loader");
    let snapshot = loader.load().expect("the samples").snapshot;
    let checks = &snapshot.shared.health_checks;
    assert!(checks.contains_key("blue") && checks.contains_key("green"));
    for check in checks.values() {
        assert!(matches!(check.kind, Kind::Switch { .. }), "{} asks {}", check.id, check.asks());
        assert!(snapshot.verdicts.healthy(&check.id), "{}", check.id);
    }
}
