//! `kill -9` at random moments, while states are set and zones change: what was acknowledged is there afterwards, no
//! file is torn, and the server starts.
//!
//! `FINGERPOST_KILLS=5000 cargo test --release --test it -- kill --nocapture` kills as often as one likes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fingerpost::dice::{Dice, Seeded};
use fingerpost::io::admin_client;
use serde_json::Value;

/// Kills in a usual run.
const KILLS: u32 = 8;

/// A server lives no longer than this once it answers.
const LIFE_MAX: u32 = 40_000;

const PATIENCE: Duration = Duration::from_secs(30);

const CHECKS: [&str; 2] = ["blue", "green"];

/// What was asked for and what was acknowledged of one check. Odd numbers are down.
#[derive(Default)]
struct Said {
    asked: AtomicU64,
    acknowledged: AtomicU64,
}

/// A server on free ports, and where its log says that its admin port is.
fn start(folder: &Path) -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.current_dir(folder).env("FINGERPOST_LOG", "info");
    command.args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program");
    let mut lines = BufReader::new(child.stderr.take().expect("its stderr")).lines().map_while(Result::ok);
    let admin = lines.find_map(|line| Some(line.split_once("admin port on ")?.1.to_string()));
    let admin = admin.expect("it does not start").trim().parse().expect("an address");
    // Read to the end, so that the server never waits for its log to be read.
    std::thread::spawn(move || lines.for_each(drop));
    (child, admin)
}

/// The state of a check once the server answers. It must not end before.
fn state(server: &mut Child, admin: SocketAddr, check: &str) -> Value {
    let begin = Instant::now();
    loop {
        if let Ok(body) = admin_client::get(admin, &format!("/health/{check}")) {
            return serde_json::from_slice(&body).expect("JSON");
        }
        assert_eq!(server.try_wait().expect("its status"), None, "it does not start");
        assert!(begin.elapsed() < PATIENCE, "it does not answer");
        std::thread::yield_now();
    }
}

/// Sets states until the server is gone.
fn set(admin: SocketAddr, check: &str, said: &Said) {
    loop {
        let number = said.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let state = if number % 2 == 1 { "down" } else { "up" };
        let body = format!("{{\"state\": \"{state}\", \"reason\": \"{number}\"}}");
        let Ok(reply) = admin_client::put(admin, &format!("/health/{check}"), &body) else { return };
        let reply: Value = serde_json::from_slice(&reply).expect("JSON");
        assert_eq!(reply["kept"], true, "{reply}");
        said.acknowledged.store(number, Ordering::SeqCst);
    }
}

fn zone(version: u64) -> String {
    let mut text = format!("$TTL 60\n@ SOA ns hm {version} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n");
    for (number, check) in CHECKS.iter().enumerate() {
        text += &format!(
            "www A 192.0.2.{} ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"{check}\" healthCheckId=\"{check}\"\n",
            number + 2
        );
    }
    text
}

fn write_zone(folder: &Path, version: u64) {
    fs::write(folder.join("next"), zone(version)).expect("written");
    fs::rename(folder.join("next"), folder.join("zones/example.com.zone")).expect("renamed");
}

/// Each file of the state folder is whole.
fn look_into(folder: &Path) -> Option<Vec<u8>> {
    if let Ok(bytes) = fs::read(folder.join("state/health.json")) {
        serde_json::from_slice::<Value>(&bytes).expect("health.json is whole");
    }
    let files: Vec<_> = fs::read_dir(folder.join("state")).map(|files| files.flatten().collect()).unwrap_or_default();
    assert!(files.len() <= 8, "files are left behind: {files:?}");
    fs::read(folder.join("state/cookie-secrets")).ok()
}

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let kills = std::env::var("FINGERPOST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::create_dir(folder.join("zones")).expect("a folder");
    let checks = CHECKS.map(|check| {
        format!(
            "[health_check.{check}]\ntype = \"HTTP\"\nip_address = \"127.0.0.1\"\nport = 9\nrequest_interval = 30\n"
        )
    });
    fs::write(folder.join("zones/health-checks.toml"), checks.concat()).expect("written");
    write_zone(folder, 1);
    let said: BTreeMap<&str, Said> = CHECKS.map(|check| (check, Said::default())).into();
    let mut dice = Seeded::new(std::process::id().into());
    let mut secrets = None;
    let (mut version, mut starts, mut compared) = (1, 0, 0);
    loop {
        let (mut server, admin) = start(folder);
        for (check, said) in &said {
            let state = state(&mut server, admin, check);
            let (acknowledged, asked) = (said.acknowledged.load(Ordering::SeqCst), said.asked.load(Ordering::SeqCst));
            let kept: u64 = state["forced"]["reason"].as_str().map_or(0, |number| number.parse().expect("a number"));
            assert!((acknowledged..=asked).contains(&kept), "{check}: {acknowledged} was acknowledged: {state}");
            compared += u64::from(acknowledged > 0);
            if kept > 0 {
                assert_eq!(state["forced"]["state"], if kept % 2 == 1 { "down" } else { "up" });
                assert_eq!(state["healthy"], kept.is_multiple_of(2), "what is kept is served");
            }
        }
        starts += 1;
        // The last life is there to look at what the one before left.
        if starts > kills {
            server.kill().expect("killed");
            server.wait().expect("its end");
            break;
        }
        let life = Duration::from_micros(dice.roll(LIFE_MAX).into());
        std::thread::scope(|scope| {
            for (check, said) in &said {
                scope.spawn(move || set(admin, check, said));
            }
            let begin = Instant::now();
            while begin.elapsed() < life {
                version += 1;
                write_zone(folder, version);
                let _ = admin_client::get(admin, "/metrics");
            }
            server.kill().expect("killed");
        });
        server.wait().expect("its end");
        let now = look_into(folder);
        assert!(secrets.is_none() || secrets == now, "the cookie secrets are those from before");
        secrets = now;
    }
    let acknowledged: u64 = said.values().map(|said| said.acknowledged.load(Ordering::SeqCst)).sum();
    println!(
        "{kills} kills, {starts} starts, {acknowledged} states acknowledged, {compared} of them looked for after a kill, \
         {version} versions of the zone, nothing lost"
    );
}
