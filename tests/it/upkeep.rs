//! What a server needs beside answers: a log that never holds it up, a state folder of its own, files that are files,
//! and signals.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fingerpost::config::{Config, Effect};
use fingerpost::io::admin_client;
use nix::sys::stat::Mode;
use serde_json::{Value, json};

use crate::sockets::{PATIENCE, Server, ZONE, ask_udp, ends_within, program};

const CHECK: &str = "[health_check.one]\ntype = \"RECOVERY_CONTROL\"\nrouting_control_arn = \"arn\"\n";

const WWW: (u8, Option<[u8; 4]>) = (0, Some([192, 0, 2, 2]));

/// A server must end sooner than a service manager loses its patience.
const END_MAX: Duration = Duration::from_secs(8);

/// Bytes that the log of the flood takes at most, until lines are dropped.
const FLOOD_MAX: usize = 20_000;

fn lab() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    fs::write(folder.path().join("zones/example.com.zone"), ZONE).expect("a zone");
    fs::write(folder.path().join("zones/health-checks.toml"), CHECK).expect("a health check");
    folder
}

fn force(admin: SocketAddr, state: &str, reason: &str) -> Value {
    let reply = admin_client::put(admin, "/health/one", &json!({ "state": state, "reason": reason }).to_string());
    serde_json::from_slice(&reply.expect("a reply")).expect("JSON")
}

fn check(admin: SocketAddr) -> Value {
    serde_json::from_slice(&admin_client::get(admin, "/health/one").expect("a reply")).expect("JSON")
}

fn dropped(admin: SocketAddr) -> u64 {
    let metrics = String::from_utf8(admin_client::get(admin, "/metrics").expect("a reply")).expect("text");
    let value = metrics.lines().find_map(|line| line.strip_prefix("fingerpost_log_lines_dropped_total "));
    value.expect("the metric").parse().expect("a number")
}

fn ends(child: Child, signal: &str) {
    assert!(
        Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().is_ok_and(|sent| sent.success())
    );
    ends_within(child, END_MAX);
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let folder = lab();
    let mut child = program(folder.path())
        .args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut log = BufReader::new(child.stderr.take().expect("its stderr")).lines().map_while(Result::ok);
    let admin = log.find_map(|line| line.split_once("admin port on ")?.1.trim().parse().ok()).expect("its admin port");
    // From here on nobody reads.
    let reason = "r".repeat(255);
    let flood = || {
        let before = dropped(admin);
        for number in 0..FLOOD_MAX {
            let state = ["down", "up"][number % 2];
            assert_eq!(force(admin, state, &reason)["healthy"], state == "up");
            if number % 100 == 99 && dropped(admin) > before {
                return;
            }
        }
        panic!("no line was dropped");
    };
    flood();
    // The reader is back: it learns of what it missed, once.
    let told = log.find(|line| line.contains("log lines were dropped")).expect("what was dropped");
    assert!(told.contains("lines="), "{told}");
    flood();
    ends(child, "TERM");
}

#[test]
fn the_last_lines_of_a_log_are_written_before_the_end() {
    let folder = lab();
    let child = program(folder.path())
        .args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the program");
    let (stdout, stderr) = (child.stdout.take().expect("its stdout"), child.stderr.take().expect("its stderr"));
    BufReader::new(stdout).read_line(&mut String::new()).expect("what it serves");
    ends(child, "TERM");
    let log: Vec<String> = BufReader::new(stderr).lines().map_while(Result::ok).collect();
    assert!(log.last().is_some_and(|line| line.ends_with("ended")), "{log:?}");
    // An error at the start stands last, behind what was logged before it.
    let output = program(folder.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--user", "nobody-of-that-name"])
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.trim_end().lines().last().is_some_and(|line| line.contains("there is no user")), "{said}");
}

#[test]
fn what_others_wrote_is_one_line_of_the_log_and_the_same_in_json() {
    let reason = "up\n2026-01-01 ERROR forged\x1b[31m\u{202e}";
    let escaped = "up\\n2026-01-01 ERROR forged\\u{1b}[31m\\u{202e}";
    let files = [("zones/example.com.zone", ZONE), ("zones/health-checks.toml", CHECK)];
    let server = Server::of(&files, &[]);
    let admin: SocketAddr = server.admin().parse().expect("an address");
    assert_eq!(force(admin, "down", reason)["forced"]["reason"], reason);
    assert!(server.said("health check one is unhealthy").contains(escaped));
    for arguments in [&["health", "list"][..], &["health", "show", "one"]] {
        let output = program(server.folder()).args(arguments).args(["--admin", &admin.to_string()]).output();
        let shown = String::from_utf8(output.expect("the program").stdout).expect("text");
        assert!(shown.contains(escaped) && !shown.contains('\x1b') && !shown.contains('\u{202e}'), "{shown}");
    }
    // The name of a file, too.
    fs::write(server.folder().join("zones/a\x1b[2J\u{2066}.zone"), "x\n").expect("a file");
    let line = server.said("a\\u{1b}[2J\\u{2066}.zone");
    assert!(!line.contains('\x1b'), "{line}");
    let output = program(server.folder()).args(["check"]).output().expect("the program");
    let shown = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert!(shown.contains("a\\u{1b}[2J\\u{2066}.zone") && !shown.contains('\u{2066}'), "{shown}");
}

#[test]
fn the_second_server_on_a_state_folder_takes_nothing_from_it_and_says_so() {
    let files = [("zones/example.com.zone", ZONE), ("zones/health-checks.toml", CHECK)];
    let outer = tempfile::tempdir().expect("a folder that outlives the servers");
    let folder = outer.path().join("state");
    let state = folder.to_str().expect("a path").to_string();
    let arguments = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state", &state];
    let first = Server::launch(&files, &arguments, &[]);
    let admin: SocketAddr = first.admin().parse().expect("an address");
    assert_eq!(force(admin, "down", "mine")["kept"], true);
    let kept = || ["health.json", "cookie-secrets"].map(|file| fs::read(folder.join(file)).expect("kept"));
    let before = kept();
    let second = Server::launch(&files, &arguments, &[]);
    second.said("another server uses the state folder");
    let other: SocketAddr = second.admin().parse().expect("an address");
    assert_eq!(check(other)["healthy"], true, "what the first was told is not the second's");
    assert_eq!(force(other, "up", "other")["kept"], false);
    assert_eq!(ask_udp(second.addresses[0], "www"), WWW);
    drop(second);
    assert_eq!(kept(), before);
    drop(first);
    // The lock ends with the process, however that ended.
    let third = Server::launch(&files, &arguments, &[]);
    let admin: SocketAddr = third.admin().parse().expect("an address");
    assert_eq!(check(admin)["forced"]["reason"], "mine");
}

#[test]
fn what_cannot_be_understood_in_the_state_folder_is_kept_and_nothing_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    fs::create_dir(&state).expect("a folder");
    fs::write(state.join("health.json"), "{ half").expect("a file");
    nix::unistd::mkfifo(&state.join("cookie-secrets"), Mode::S_IRWXU).expect("a FIFO");
    fs::write(folder.path().join("mine"), "mine").expect("a file");
    symlink("../mine", state.join(".probe")).expect("a link");
    let arguments = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state", state.to_str().expect("a path")];
    let files = [("zones/example.com.zone", ZONE), ("zones/health-checks.toml", CHECK)];
    let server = Server::launch(&files, &arguments, &[]);
    server.said("cookie-secrets in the state folder cannot be understood, and is kept as cookie-secrets.unreadable-1");
    server.said("health.json in the state folder cannot be understood, and is kept as health.json.unreadable-1");
    let admin: SocketAddr = server.admin().parse().expect("an address");
    assert_eq!(force(admin, "down", "")["kept"], true);
    assert_eq!(fs::read_to_string(state.join("health.json.unreadable-1")).expect("kept"), "{ half");
    assert_eq!(fs::read_to_string(folder.path().join("mine")).expect("a file"), "mine");
}

/// Runs a command that has to end by itself.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("timeout")
        .args(["-s", "KILL", "30", env!("CARGO_BIN_EXE_fingerpost")])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(2), "{arguments:?} {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn fifos_and_devices_in_place_of_files_end_in_a_sentence() {
    let folder = lab();
    let at = |name: &str| folder.path().join(name);
    nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).expect("a FIFO");
    symlink("fifo", at("link")).expect("a link");
    fs::write(at("token.toml"), "[report.a]\nurl = \"http://127.0.0.1:9\"\nas = \"b\"\ntoken_file = \"fifo\"\n")
        .expect("settings");
    let listen = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    for (more, expected) in [
        (&["--config", "fifo"][..], "the settings file fifo cannot be read: it is a FIFO, not a regular file"),
        (&["--config", "link"], "the settings file link cannot be read: it is a FIFO, not a regular file"),
        (&["--config", "/dev/zero"], "the settings file /dev/zero cannot be read: it is a device, not a regular file"),
        (&["--config", "zones"], "the settings file zones cannot be read: it is a directory, not a regular file"),
        // Whatever is in a name, the error is one line.
        (&["--config", "a\x1b[31m\nb\u{202e}"], "there is no settings file a\\u{1b}[31m\\nb\\u{202e}\n"),
        (&["--config", "token.toml"], "fifo cannot be read: it is a FIFO, not a regular file"),
        (
            &["--listen-tls", "127.0.0.1:0", "--certificate", "fifo"],
            "the certificate file fifo cannot be read: it is a FIFO, not a regular file",
        ),
    ] {
        let told = said(folder.path(), &[&listen[..], more].concat());
        assert!(told.contains(expected), "{more:?}: {told}");
    }
    // A link to a regular file is one: Kubernetes mounts settings so.
    fs::write(at("settings.toml"), "workers = 0\n").expect("settings");
    symlink("settings.toml", at("mounted.toml")).expect("a link");
    assert!(said(folder.path(), &["serve", "--config", "mounted.toml"]).contains("1 problem in mounted.toml"));
}

#[test]
fn signals_that_mean_nothing_here_end_nothing() {
    let server = Server::of(&[("zones/example.com.zone", ZONE)], &[]);
    for signal in ["USR1", "USR2", "USR1"] {
        server.signal(signal);
    }
    server.signal("HUP");
    server.said("told to reload");
    assert_eq!(ask_udp(server.addresses[0], "www"), WWW);
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("its status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("the signals it ignores");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a number");
    assert_eq!(ignored >> 9 & 1, 1, "SIGUSR1");
    assert_eq!(ignored >> 11 & 1, 1, "SIGUSR2");
}

#[test]
fn a_reload_names_every_setting_that_changed_and_when_it_takes_effect() {
    let files = [("zones/example.com.zone", ZONE), ("fingerpost.toml", "# nothing yet\n")];
    let server = Server::of(&files, &[]);
    let all: Vec<_> = Config::all_settings().collect();
    assert!(all.len() > 70, "{}", all.len());
    let examples: Vec<&str> = all.iter().map(|(_, example, _)| *example).collect();
    for text in [examples.join("\n"), String::new()] {
        fs::write(server.folder().join("fingerpost.toml"), text).expect("settings");
        server.signal("HUP");
        server.said("told to reload");
        let mut missing: Vec<String> = all
            .iter()
            .map(|(name, _, effect)| match effect {
                Effect::AtStart => format!(" {name} takes effect at the next start"),
                Effect::AtOnce | Effect::AtLoad => format!(" {name} took effect"),
            })
            .collect();
        let begin = Instant::now();
        while !missing.is_empty() {
            assert!(begin.elapsed() < PATIENCE, "{missing:?}");
            let line = server.said("effect");
            missing.retain(|expected| !line.ends_with(expected.as_str()));
        }
    }
}
