//! What a machine can do to a server: no room, no files, no address. It goes on, and says so once.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fingerpost::io::admin_client;
use serde_json::Value;

use crate::skipped::without_root;
use crate::sockets::{ZONE, ask_udp};

const PATIENCE: Duration = Duration::from_secs(30);

const WWW: (u8, Option<[u8; 4]>) = (0, Some([192, 0, 2, 2]));

/// A server that a shell starts, once it has made things hard.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
    admin: SocketAddr,
    log: Arc<Mutex<String>>,
}

/// What is there before long.
fn in_time<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        match look() {
            None => std::thread::sleep(Duration::from_millis(5)),
            found => return found,
        }
    }
    None
}

/// Where the admin port is, as the log says.
fn admin_port(log: &Mutex<String>) -> Option<SocketAddr> {
    let log = log.lock().expect("the log");
    log.lines().find_map(|line| line.split_once("admin port on ")?.1.trim().parse().ok())
}

/// Where a process listens for TCP beside its DNS address, as the kernel knows it: for a server whose log has no room.
fn other_listener(process: u32, dns: SocketAddr) -> Option<SocketAddr> {
    const LISTENING: &str = "0A";
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .ok()?
        .filter_map(|file| Some(fs::read_link(file.ok()?.path()).ok()?.to_string_lossy().into_owned()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_string()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    let mut ports = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ours =
            fields.get(3) == Some(&LISTENING) && sockets.iter().any(|inode| fields.get(9) == Some(&inode.as_str()));
        let port = u16::from_str_radix(fields.get(1)?.split_once(':')?.1, 16).ok()?;
        (ours && port != dns.port()).then_some(port)
    });
    Some(SocketAddr::from(([127, 0, 0, 1], ports.next()?)))
}

impl Server {
    /// `hardship` is a line of shell, run in the server's folder before it starts.
    fn start(hardship: &str, listen: &str) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        fs::create_dir_all(at.join("zones")).expect("a folder");
        fs::create_dir_all(at.join("state")).expect("a folder");
        fs::write(at.join("zones/example.com.zone"), ZONE).expect("a zone");
        let check = "[health_check.one]\ntype = \"HTTP\"\nip_address = \"127.0.0.1\"\nport = 9\n";
        fs::write(at.join("zones/health-checks.toml"), check).expect("a health check");
        let mut child = Command::new("sh")
            .args(["-c", &format!("{hardship}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_fingerpost")])
            .args(["serve", "--workers", "1", "--listen", listen, "--admin", "127.0.0.1:0"])
            .current_dir(at)
            .env_remove("FINGERPOST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let (log, lines) =
            (Arc::new(Mutex::new(String::new())), BufReader::new(child.stderr.take().expect("its stderr")));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().expect("the log").push_str(&format!("{line}\n"));
            }
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut first).expect("what it serves");
        let address = first.split(" on ").nth(1).and_then(|rest| rest.split(", UDP").next());
        let address =
            address.unwrap_or_else(|| panic!("{first}{}", log.lock().expect("the log"))).parse().expect("an address");
        let unread = hardship.contains("2>log");
        let admin = in_time(|| if unread { other_listener(child.id(), address) } else { admin_port(&log) });
        let admin = admin.unwrap_or_else(|| panic!("no admin port: {}", log.lock().expect("the log")));
        Server { child, folder, address, admin, log }
    }

    fn set(&self, state: &str) -> Value {
        let reply = admin_client::put(self.admin, "/health/one", &format!("{{\"state\": \"{state}\"}}"));
        serde_json::from_slice(&reply.expect("a reply")).expect("JSON")
    }

    /// Lines of the log that tell of something.
    fn told(&self, of: &str) -> usize {
        self.log().lines().filter(|line| line.contains(of)).count()
    }

    fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn where_nothing_can_be_written_it_serves_and_says_that_nothing_is_kept() {
    // No file may grow: what a full disk says, without one.
    let server = Server::start("trap '' XFSZ; ulimit -f 0", "127.0.0.1:0");
    assert_eq!(ask_udp(server.address, "www"), WWW);
    for number in 0..200 {
        let reply = server.set(if number % 2 == 0 { "down" } else { "up" });
        assert_eq!((&reply["kept"], &reply["healthy"]), (&false.into(), &(number % 2 == 1).into()), "{reply}");
    }
    assert_eq!(server.told("cannot be kept in the state folder"), 1, "{}", server.log());
    assert_eq!(ask_udp(server.address, "www"), WWW);
    // The log may lie on the same disk.
    let server = Server::start("trap '' XFSZ; ulimit -f 0; exec 2>log", "127.0.0.1:0");
    for _ in 0..5 {
        assert_eq!(server.set("down")["kept"], false);
        assert_eq!(ask_udp(server.address, "www"), WWW);
    }
    assert_eq!(fs::metadata(server.folder.path().join("log")).map(|file| file.len()).ok(), Some(0));
}

/// With a disk of its own, in a mount namespace of its own; only root can have one.
#[test]
fn a_full_disk_is_survived_and_used_again_when_it_has_room() {
    if without_root("mount a disk that is full") {
        return;
    }
    let hardship = "if [ -z \"$INSIDE\" ]; then INSIDE=1 exec unshare -m sh -c 'mount -t tmpfs -o size=32k tmpfs state; \
                    head -c 1M /dev/zero > state/full 2>/dev/null; exec \"$0\" \"$@\"' \"$0\" \"$@\"; fi";
    let server = Server::start(hardship, "127.0.0.1:0");
    assert_eq!(server.set("down")["kept"], false);
    assert_eq!(server.set("up")["kept"], false);
    let state = PathBuf::from(format!("/proc/{}/root", server.child.id()))
        .join(server.folder.path().join("state").strip_prefix("/").expect("an absolute path"));
    fs::remove_file(state.join("full")).expect("room again");
    assert_eq!(server.set("down")["kept"], true);
    let kept: Value = serde_json::from_slice(&fs::read(state.join("health.json")).expect("kept")).expect("whole");
    assert_eq!(kept["forced"]["one"]["healthy"], false);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_told_once() {
    if without_root("mount a disk that cannot be written") {
        return;
    }
    let hardship = "if [ -z \"$INSIDE\" ]; then INSIDE=1 exec unshare -m sh -c 'mount -t tmpfs -o ro tmpfs state; \
                    exec \"$0\" \"$@\"' \"$0\" \"$@\"; fi";
    let server = Server::start(hardship, "127.0.0.1:0");
    for _ in 0..50 {
        assert_eq!(server.set("down")["kept"], false);
    }
    assert_eq!(ask_udp(server.address, "www"), WWW);
    assert_eq!(server.told("serving without"), 1, "{}", server.log());
    assert_eq!(server.told("cannot be kept"), 0, "{}", server.log());
}

#[test]
fn without_files_left_it_answers_over_udp_and_takes_tcp_again_later() {
    let server = Server::start("ulimit -n 48", "127.0.0.1:0");
    let silent: Vec<TcpStream> = (0..150).filter_map(|_| TcpStream::connect(server.address).ok()).collect();
    for _ in 0..20 {
        assert_eq!(ask_udp(server.address, "www"), WWW);
    }
    // The silent are closed, so that others have their turn.
    let begin = Instant::now();
    let mut newcomer = TcpStream::connect(server.address).expect("a connection");
    newcomer.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let query = [0, 12, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    std::io::Write::write_all(&mut newcomer, &query).expect("sent");
    assert!(newcomer.read(&mut [0; 64]).is_ok_and(|length| length > 0), "after {:?}", begin.elapsed());
    drop(silent);
    assert_eq!(ask_udp(server.address, "www"), WWW);
    let told = server.told("cannot accept TCP connections");
    assert!(told <= 2, "told {told} times");
}

#[test]
fn without_files_left_endpoints_are_not_blamed() {
    let server = Server::start(":", "127.0.0.1:0");
    let files = |most: &str| {
        let (process, limit) = (server.child.id().to_string(), format!("--nofile={most}:4096"));
        assert!(
            Command::new("prlimit").args(["--pid", &process, &limit]).status().is_ok_and(|status| status.success())
        );
    };
    files("4");
    let begin = Instant::now();
    while server.told("health checks wait for a file") == 0 {
        assert!(begin.elapsed() < PATIENCE, "{}", server.log());
        std::thread::yield_now();
    }
    assert_eq!(ask_udp(server.address, "www"), WWW);
    files("4096");
    // Now it is asked, and only now is there something that went wrong.
    loop {
        let state = admin_client::get(server.admin, "/health/one").expect("a reply");
        let state: Value = serde_json::from_slice(&state).expect("JSON");
        if state["last"].is_object() {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{state}");
    }
    assert_eq!(server.told("health checks wait for a file"), 1, "{}", server.log());
}

/// Set for the process that has a network of its own.
const INSIDE: &str = "FINGERPOST_TEST_NETWORK";

/// What it does there. Without the variable there is nothing to do.
#[test]
fn in_a_network_of_its_own() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let ip = |arguments: &str| {
        let done = Command::new("ip").args(arguments.split(' ')).status();
        assert!(done.is_ok_and(|status| status.success()), "ip {arguments}");
    };
    ip("link set lo up");
    ip("link add there type veth peer name other");
    ip("address add 192.0.2.53/24 dev there");
    ip("link set there up");
    let server = Server::start(":", "192.0.2.53:5300");
    let ask = || {
        let client = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
        client.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
        client.send_to(&[0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], server.address).ok()?;
        client.recv(&mut [0; 64]).ok()
    };
    assert!(ask().is_some());
    for round in 0..3 {
        ip("address del 192.0.2.53/24 dev there");
        assert_eq!(ask(), None, "the address is gone");
        match round {
            0 => ip("address add 192.0.2.53/24 dev there"),
            _ => {
                ip("link del there");
                ip("link add there type veth peer name other");
                ip("address add 192.0.2.53/24 dev there");
                ip("link set there up");
            }
        }
        let begin = Instant::now();
        while ask().is_none() {
            assert!(begin.elapsed() < PATIENCE, "it does not answer again");
        }
        assert_eq!(ask_udp(server.address, "www"), WWW);
    }
    let noise = server.log().lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(noise, 0, "{}", server.log());
    println!("said end");
}

#[test]
fn an_address_that_goes_away_and_returns_is_answered_on_again() {
    if without_root("take an address away") {
        return;
    }
    let child = Command::new("unshare")
        .arg("-n")
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "hardships::in_a_network_of_its_own", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare");
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(told.contains("said end"), "{told}{}", String::from_utf8_lossy(&child.stderr));
}
