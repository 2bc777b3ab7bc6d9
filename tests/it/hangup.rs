//! SIGHUP at any moment: it reloads, and neither ends the server nor holds it up.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fingerpost::io::admin_client;
use serde_json::json;

use crate::sockets::{PATIENCE, ZONE, ends_within, program};

const CHECK: &str = "[health_check.one]\ntype = \"RECOVERY_CONTROL\"\nrouting_control_arn = \"arn\"\n";

fn lab() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    fs::write(folder.path().join("zones/example.com.zone"), ZONE).expect("a zone");
    fs::write(folder.path().join("zones/health-checks.toml"), CHECK).expect("a health check");
    folder
}

fn launch(folder: &tempfile::TempDir) -> Child {
    program(folder.path())
        .args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|sent| sent.success()));
}

/// Whether a process treats SIGHUP so, by a line of its status (proc_pid_status(5)).
fn hangup_is(status: &str, line: &str) -> bool {
    let bits = status.lines().find_map(|one| one.strip_prefix(line)).expect("the line");
    u64::from_str_radix(bits.trim(), 16).expect("a number") & 1 == 1
}

#[test]
fn one_that_comes_before_the_server_can_obey_is_obeyed_later() {
    let folder = lab();
    let mut child = launch(&folder);
    let begin = Instant::now();
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("its status");
        assert!(!hangup_is(&status, "SigCgt:"), "it is obeyed already");
        if hangup_is(&status, "SigBlk:") {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{status}");
    }
    signal(&child, "HUP");
    let mut lines = BufReader::new(child.stderr.take().expect("its stderr")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("told to reload")), "it ended");
    signal(&child, "TERM");
    lines.for_each(drop);
    assert!(child.wait().expect("its end").success());
}

#[test]
fn wrong_settings_hold_nobody_up_where_the_log_is_not_read() {
    let folder = lab();
    let mut child = launch(&folder);
    let mut log = BufReader::new(child.stderr.take().expect("its stderr"));
    let mut lines = log.by_ref().lines().map_while(Result::ok);
    let admin = lines.find_map(|line| line.split_once("admin port on ")?.1.trim().parse().ok());
    let admin: SocketAddr = admin.expect("its admin port");
    assert!(lines.any(|line| line.contains("serving")));
    // From here on nobody reads, and a pipe has room for 65,536 bytes.
    let body = json!({ "state": "down", "reason": "r".repeat(255) }).to_string();
    for _ in 0..200 {
        admin_client::put(admin, "/health/one", &body).expect("a reply");
    }
    let settings: String = (0..200).map(|number| format!("nonsense{number} = 1\n")).collect();
    fs::write(folder.path().join("fingerpost.toml"), settings).expect("settings");
    signal(&child, "HUP");
    for _ in 0..200 {
        admin_client::put(admin, "/health/one", &body).expect("a reply");
    }
    signal(&child, "TERM");
    ends_within(child, Duration::from_secs(8));
}
