//! Starts that find something wrong: a broken file, zones that fail their routing tests. And a server that gets no more
//! threads.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use fingerpost::io::admin_client;

use crate::doors::Certificate;
use crate::sockets::{PATIENCE, ZONE, ask_udp, ask_udp_for, run, until};

const BROKEN: &str = "$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nwww A nonsense\n";

const WWW: (u8, Option<[u8; 4]>) = (0, Some([192, 0, 2, 2]));
const SERVFAIL: u8 = 2;
const REFUSED: u8 = 5;

/// A routing test that holds for `ZONE`.
const TEST: &str = "[[test]]\nname = \"www is at two\"\nask = \"www.example.com\"\nexpect = [\"192.0.2.2\"]\n";

/// A server in a folder that outlives it.
struct Running {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Running {
    fn start(folder: &Path, more: &[&str]) -> Running {
        Running::launch(&[env!("CARGO_BIN_EXE_fingerpost")], folder, more)
    }

    /// Starts the program by this command.
    fn launch(by: &[&str], folder: &Path, more: &[&str]) -> Running {
        let mut command = Command::new(by[0]);
        command.args(&by[1..]).current_dir(folder).env_remove("FINGERPOST_LOG");
        command.args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let (stderr, log) = (child.stderr.take().expect("its stderr"), Arc::new(Mutex::new(String::new())));
        let its_log = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                its_log.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{line}\n"));
            }
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut first).expect("what it serves");
        let address = first.split(" on ").nth(1).and_then(|rest| rest.split(", UDP").next());
        let address = address.unwrap_or_else(|| panic!("it does not serve")).parse().expect("an address");
        Running { child, address, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn told(&self, what: &str) -> usize {
        self.log().lines().filter(|line| line.contains(what)).count()
    }

    fn until_told(&self, what: &str) {
        let begin = Instant::now();
        while self.told(what) == 0 {
            assert!(begin.elapsed() < PATIENCE, "the log does not say {what:?}: {}", self.log());
            std::thread::yield_now();
        }
    }

    fn admin(&self) -> SocketAddr {
        self.until_told("admin port on ");
        let log = self.log();
        let rest = log.split("admin port on ").nth(1).expect("an address");
        rest.lines().next().expect("a line").trim().parse().expect("an address")
    }

    fn metric(&self, name: &str) -> u64 {
        let text = admin_client::get(self.admin(), "/metrics").expect("metrics");
        let text = String::from_utf8(text).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Lets it start no thread, or any.
    fn threads(&self, most: &str) -> bool {
        let (process, limit) = (self.child.id().to_string(), format!("--nproc={most}:"));
        Command::new("prlimit").args(["--pid", &process, &limit]).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a whole file in the place of another.
fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join("next"), text).expect("written");
    fs::rename(folder.join("next"), folder.join(name)).expect("in place");
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    files.iter().for_each(|(name, text)| put(folder.path(), name, text));
    folder
}

/// A query with EDNS for the A records of `www.example.com`.
fn query() -> Vec<u8> {
    let header = [0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    [&header[..], b"\x03www\x07example\x03com\0\0\x01\0\x01", &opt].concat()
}

/// The RCODE and the code of the extended error in a reply.
fn read(reply: &[u8]) -> (u8, Option<u16>) {
    let at = reply.windows(2).position(|bytes| bytes == [0, 15]);
    (reply[3] & 15, at.map(|at| u16::from_be_bytes([reply[at + 4], reply[at + 5]])))
}

#[test]
fn a_file_that_is_broken_at_the_start_is_served_as_it_was() {
    let folder = folder(&[("zones/example.com.zone", ZONE)]);
    let server = Running::start(folder.path(), &[]);
    assert_eq!(ask_udp(server.address, "www"), WWW);
    // A small folder is kept before the first answer, so that even a crash right after it loses nothing.
    drop(server);
    put(folder.path(), "zones/example.com.zone", BROKEN);
    let server = Running::start(folder.path(), &[]);
    assert_eq!(ask_udp(server.address, "www"), WWW);
    assert_eq!(server.told("its zone is served as it was before"), 1, "{}", server.log());
    drop(server);
    fs::remove_file(folder.path().join("zones/example.com.zone")).expect("removed");
    let server = Running::start(folder.path(), &[]);
    assert_eq!(ask_udp(server.address, "www").0, REFUSED);
}

#[test]
fn a_zone_that_no_version_is_known_of_is_servfail_over_every_transport() {
    let folder = folder(&[("zones/example.com.zone", BROKEN), ("zones/example.net.zone", ZONE)]);
    let server = Running::start(folder.path(), &[]);
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.send_to(&query(), server.address).expect("sent");
    let mut reply = [0; 512];
    let length = client.recv(&mut reply).expect("a reply");
    assert_eq!(read(&reply[..length]), (SERVFAIL, Some(24)));
    let mut client = TcpStream::connect(server.address).expect("a connection");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let query = query();
    client.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).expect("sent");
    let length = client.read(&mut reply).expect("a reply");
    assert_eq!(read(&reply[2..length]), (SERVFAIL, Some(24)));
    assert_eq!(ask_udp_for(server.address, "www.example.net"), WWW);
    assert_eq!(ask_udp_for(server.address, "www.example.org").0, REFUSED);
    put(folder.path(), "zones/example.com.zone", ZONE);
    until(server.address, "www", WWW);
}

#[test]
fn what_fails_a_routing_test_is_not_served_from_the_start() {
    let settings = ("fingerpost.toml", "gate_reload = true\n");
    let other = ZONE.replace("192.0.2.2", "192.0.2.66");
    let folder = folder(&[settings, ("zones/example.com.zone", &other), ("zones/a.test.toml", TEST)]);
    // Nothing else is known: it cannot begin.
    let ended = run(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("www is at two"), "{told}");
    // What passed is served instead of what fails.
    put(folder.path(), "zones/example.com.zone", ZONE);
    drop(Running::start(folder.path(), &[]));
    put(folder.path(), "zones/example.com.zone", &other);
    put(folder.path(), "zones/example.net.zone", ZONE);
    let server = Running::start(folder.path(), &[]);
    assert_eq!(ask_udp(server.address, "www"), WWW);
    assert_eq!(ask_udp_for(server.address, "www.example.net").0, SERVFAIL, "it is new, and held back with the rest");
    assert!(server.told("www is at two") > 0, "{}", server.log());
    assert_eq!(server.told(" loaded"), 0, "{}", server.log());
    // Once it passes all is served.
    put(folder.path(), "zones/example.com.zone", &format!("{ZONE}more A 192.0.2.3\n"));
    until(server.address, "more", (0, Some([192, 0, 2, 3])));
    assert_eq!(ask_udp_for(server.address, "www.example.net"), WWW);
}

#[test]
fn a_refused_reload_is_no_reload() {
    let settings = ("fingerpost.toml", "gate_reload = true\n");
    let folder = folder(&[settings, ("zones/example.com.zone", ZONE), ("zones/a.test.toml", TEST)]);
    let server = Running::start(folder.path(), &[]);
    put(folder.path(), "zones/example.com.zone", &ZONE.replace("192.0.2.2", "192.0.2.66"));
    server.until_told("what was served before is (gate_reload)");
    assert_eq!(ask_udp(server.address, "www"), WWW);
    assert_eq!((server.told("reloaded"), server.told("www is at two")), (0, 1), "{}", server.log());
    assert!(server.metric("fingerpost_reloads_failed_total") > 0);
    put(folder.path(), "zones/example.com.zone", &format!("{ZONE}more A 192.0.2.3\n"));
    until(server.address, "more", (0, Some([192, 0, 2, 3])));
    server.until_told("reloaded");
    // Settings that are refused count, too.
    let failed = server.metric("fingerpost_reloads_failed_total");
    put(folder.path(), "fingerpost.toml", "gate_relod = true\n");
    let sent = Command::new("kill").args(["-s", "HUP", &server.child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    server.until_told("the settings stay as they were");
    assert_eq!(server.metric("fingerpost_reloads_failed_total"), failed + 1);
}

#[test]
fn a_zone_is_not_taken_over_while_the_server_is_down() {
    let folder = folder(&[("zones/example.com.zone", ZONE)]);
    drop(Running::start(folder.path(), &[]));
    put(folder.path(), "zones/EXAMPLE.com.zone", &ZONE.replace("192.0.2.2", "192.0.2.66"));
    let server = Running::start(folder.path(), &[]);
    server.until_told("zones/EXAMPLE.com.zone has errors: the file is not served");
    assert_eq!(server.told("SERVFAIL"), 0, "the zone is served: {}", server.log());
    assert_eq!(ask_udp(server.address, "www"), WWW);
    server.until_told("zones/EXAMPLE.com.zone:1:1: error: the zone example.com. is claimed by zones/example.com.zone");
}

/// Lets others into a folder, so that a server that becomes one of them can read it.
fn open_up(folder: &Path, files: &[&str]) {
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    mode(folder, 0o755);
    files.iter().for_each(|file| mode(&folder.join(file), 0o644));
}

#[test]
fn a_start_without_threads_ends_with_a_sentence() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become a user who has no other threads");
        return;
    }
    let folder = folder(&[("zones/example.com.zone", ZONE)]);
    open_up(folder.path(), &[]);
    let mut command = Command::new("prlimit");
    command.args(["--nproc=1:1", env!("CARGO_BIN_EXE_fingerpost"), "serve", "--listen", "127.0.0.1:0"]);
    command.args(["--admin", "127.0.0.1:0", "--user", "bin"]).current_dir(folder.path());
    let ended = command.output().expect("prlimit");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("fingerpost: the system gives no threads"), "{told}");
}

#[test]
fn without_threads_left_zones_and_certificates_are_loaded_all_the_same() {
    let certificates = [Certificate::new(), Certificate::new()];
    let folder = folder(&[("zones/example.com.zone", ZONE)]);
    let write = |certificate: &Certificate| {
        put(folder.path(), "key.pem", &certificate.key);
        put(folder.path(), "cert.pem", &certificate.pem);
        open_up(folder.path(), &["key.pem", "cert.pem"]);
    };
    write(&certificates[0]);
    let mut more = vec!["--listen-tls", "127.0.0.1:0", "--certificate", "cert.pem", "--certificate-key", "key.pem"];
    let root = nix::unistd::geteuid().is_root();
    if root {
        // The limit does not bind root. This user has no other threads.
        more.extend(["--user", "daemon"]);
    }
    let mut server = Running::start(folder.path(), &more);
    server.until_told("serving");
    // All its threads are there once it has read the certificate again.
    let threads = format!("/proc/{}/task", server.child.id());
    let begin = Instant::now();
    let is_reader = |name: String| name.trim() == "certificate";
    let names = || fs::read_dir(&threads).expect("its threads").flatten().map(|thread| thread.path().join("comm"));
    while !names().filter_map(|file| fs::read_to_string(file).ok()).any(is_reader) {
        assert!(begin.elapsed() < PATIENCE, "no thread reads the certificate");
    }
    if root {
        // Another one that may have as many threads as that one has, and no more.
        let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("its status");
        let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("its threads").trim();
        let limit = format!("--nproc={threads}:{threads}");
        drop(server);
        server = Running::launch(&["prlimit", &limit, env!("CARGO_BIN_EXE_fingerpost")], folder.path(), &more);
        server.until_told("serving");
    } else if !server.threads("1") {
        println!("skipped: prlimit cannot lower the number of threads here");
        return;
    }
    // Many zones, one of which is large enough to be shared among threads.
    let large: String = (0..60_000).map(|number| format!("number-{number} A 192.0.2.1\n")).collect();
    for zone in 0..40 {
        put(folder.path(), &format!("zones/z{zone}.example.zone"), ZONE);
    }
    put(folder.path(), "zones/example.com.zone", &format!("{ZONE}{large}more A 192.0.2.3\n"));
    until(server.address, "more", (0, Some([192, 0, 2, 3])));
    server.until_told("the system refuses a new thread");
    write(&certificates[1]);
    server.until_told("is shown from now on");
    assert_eq!(server.told("broke down"), 0, "{}", server.log());
    put(folder.path(), "zones/example.com.zone", &format!("{ZONE}{large}last A 192.0.2.4\n"));
    until(server.address, "last", (0, Some([192, 0, 2, 4])));
}
