//! The program itself, over real sockets on the loopback interface: start, answers, reload, end.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// Nothing here takes long; a machine that is busy with other things may.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const ZONE: &str = "$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n";

/// A running server with folders of its own.
pub struct Server {
    pub child: Child,
    pub folder: tempfile::TempDir,
    pub addresses: Vec<SocketAddr>,
    /// The lines of its log.
    log: Mutex<Receiver<String>>,
}

impl Server {
    /// Starts on free ports of these addresses.
    fn start(addresses: &[&str]) -> Server {
        let listen: Vec<&str> = addresses.iter().flat_map(|address| ["--listen", address]).collect();
        Server::launch(&[("zones/example.com.zone", ZONE)], &listen, &[])
    }

    /// Starts with these files on a free port of its own, its admin port on another.
    pub fn of(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Server {
        Server::launch(files, &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], environment)
    }

    pub fn launch(files: &[(&str, &str)], arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
        for (file, text) in files {
            fs::write(folder.path().join(file), text).expect("a file");
        }
        // It may become another user, who has to get in.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("an open folder");
        let mut command = program(folder.path());
        command.arg("serve").args(arguments).envs(environment.iter().copied());
        // A seed means one worker.
        if !arguments.contains(&"--seed") {
            command.args(["--workers", "2"]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let lines = BufReader::new(child.stderr.take().expect("its stderr")).lines();
        let (sender, log) = mpsc::channel();
        // Read to the end, so that the server never waits for somebody to read its log.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut first).expect("what it serves");
        let told = first.split(" on ").nth(1).and_then(|rest| rest.split(", UDP").next()).expect("its addresses");
        let addresses = told.split(" and ").map(|address| address.parse().expect("an address")).collect();
        Server { child, folder, addresses, log: Mutex::new(log) }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The next line of the log that holds this.
    pub fn said(&self, what: &str) -> String {
        let log = self.log.lock().expect("the log");
        let begin = Instant::now();
        loop {
            let left = PATIENCE.checked_sub(begin.elapsed()).unwrap_or_default();
            let line = log.recv_timeout(left).unwrap_or_else(|_| panic!("the log doesn't say {what:?}"));
            if line.contains(what) {
                return line;
            }
        }
    }

    /// Where its admin port is, as its log says. To be asked once.
    pub fn admin(&self) -> String {
        let line = self.said("admin port on ");
        line.rsplit("admin port on ").next().expect("an address").trim().to_string()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// The code it ended with.
    fn end(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status.code();
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a process ends by itself. One that does not is killed.
pub fn ends_within(mut child: Child, most: Duration) {
    let process = child.id().to_string();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait()));
    if ended.recv_timeout(most).is_err() {
        let _ = Command::new("kill").args(["-s", "KILL", &process]).status();
        panic!("it does not end");
    }
}

/// The program, in a folder where no settings of others lie.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.current_dir(folder).env_remove("FINGERPOST_LOG");
    command
}

pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder).args(arguments).output().expect("the program")
}

/// A query for the A records of a name.
fn query_for(name: &str, id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let mut packet = vec![high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').chain([""]) {
        packet.push(label.len() as u8);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 1, 0, 1]);
    packet
}

/// A query for the A records of `NAME.example.com`.
fn query(name: &str, id: u16) -> Vec<u8> {
    query_for(&format!("{name}.example.com"), id)
}

/// The RCODE of a reply to the query, and the address in it that comes last.
fn read_reply(reply: &[u8], id: u16) -> (u8, Option<[u8; 4]>) {
    assert_eq!(reply[..2], id.to_be_bytes());
    assert_eq!(reply[2] & 0x80, 0x80);
    (reply[3] & 15, (reply[7] > 0).then(|| reply[reply.len() - 4..].try_into().expect("four bytes")))
}

fn client(server: SocketAddr) -> UdpSocket {
    let any: IpAddr = if server.is_ipv4() { "127.0.0.1".parse() } else { "::1".parse() }.expect("an address");
    let client = UdpSocket::bind((any, 0)).expect("a socket");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client
}

/// Asks until the answer is this one.
pub fn until(server: SocketAddr, name: &str, expected: (u8, Option<[u8; 4]>)) {
    let begin = Instant::now();
    while ask_udp(server, name) != expected {
        assert!(begin.elapsed() < PATIENCE, "{name} is not {expected:?}");
    }
}

pub fn ask_udp(server: SocketAddr, name: &str) -> (u8, Option<[u8; 4]>) {
    ask_udp_for(server, &format!("{name}.example.com"))
}

pub fn ask_udp_for(server: SocketAddr, name: &str) -> (u8, Option<[u8; 4]>) {
    let client = client(server);
    client.send_to(&query_for(name, 7), server).expect("sent");
    let mut reply = [0; 512];
    let (length, from) = client.recv_from(&mut reply).expect("a reply");
    assert_eq!(from, server);
    read_reply(&reply[..length], 7)
}

/// The whole reply.
pub fn answer_udp(server: SocketAddr, name: &str) -> Vec<u8> {
    let client = client(server);
    client.send_to(&query(name, 7), server).expect("sent");
    let mut reply = [0; 512];
    let (length, _) = client.recv_from(&mut reply).expect("a reply");
    reply[..length].to_vec()
}

/// The whole reply.
pub fn ask_tcp(server: SocketAddr, name: &str) -> Vec<u8> {
    let mut client = connect(server);
    client.write_all(&framed(&query(name, 7))).expect("sent");
    read_framed(&mut client)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

fn connect(server: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(server).expect("a connection");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client
}

fn read_framed(client: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    client.read_exact(&mut length).expect("a length");
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut reply).expect("a reply");
    reply
}

const WWW: (u8, Option<[u8; 4]>) = (0, Some([192, 0, 2, 2]));

#[test]
fn it_answers_over_udp_and_tcp_ipv4_and_ipv6_and_ends_when_told() {
    let mut server = Server::start(&["127.0.0.1:0", "[::1]:0"]);
    assert_eq!(server.addresses.len(), 2);
    for address in server.addresses.clone() {
        assert_eq!(ask_udp(address, "www"), WWW);
        let mut silent: Vec<_> = (0..300).map(|_| connect(address)).collect();
        for (number, one) in silent.iter_mut().enumerate() {
            // Some of the first are closed by now to make room.
            let _ = one.write_all(&framed(&query("www", 1))[..number % 20]);
        }
        let mut client = connect(address);
        let all: Vec<u8> = (0..100).flat_map(|id| framed(&query("www", id))).collect();
        client.write_all(&all).expect("sent");
        for id in 0..100 {
            assert_eq!(read_reply(&read_framed(&mut client), id), WWW);
        }
    }
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
}

#[test]
fn on_a_wildcard_address_it_replies_from_the_address_asked() {
    let server = Server::start(&["0.0.0.0:0"]);
    for address in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
        assert_eq!(
            ask_udp((address.parse::<IpAddr>().expect("an address"), server.addresses[0].port()).into(), "www"),
            WWW
        );
    }
}

#[test]
fn changes_are_loaded_and_what_is_broken_is_not() {
    let server = Server::start(&["127.0.0.1:0"]);
    let file = server.folder.path().join("zones/example.com.zone");
    let until = |name: &str, expected| until(server.addresses[0], name, expected);
    until("new", (3, None));
    fs::write(&file, format!("{ZONE}new A 192.0.2.9\n")).expect("written");
    until("new", (0, Some([192, 0, 2, 9])));
    // The good zone shows when the load that saw the broken one is over.
    fs::write(&file, format!("{ZONE}new A 192.0.2\n")).expect("written");
    let good = format!("{ZONE}x A 192.0.2.10\n");
    fs::write(server.folder.path().join("zones/sub.example.com.zone"), good).expect("written");
    server.signal("HUP");
    until("x.sub", (0, Some([192, 0, 2, 10])));
    assert_eq!(ask_udp(server.addresses[0], "new"), (0, Some([192, 0, 2, 9])));
}

#[test]
fn a_reload_that_fails_a_routing_test_is_refused() {
    let expects = |data: &str| format!("[[test]]\nask = \"www.example.com\"\nexpect = [\"{data}\"]\n");
    let files = [
        ("fingerpost.toml", "gate_reload = true\n"),
        ("zones/example.com.zone", ZONE),
        ("zones/example.test.toml", &expects("192.0.2.2")),
    ];
    let server = Server::launch(&files, &["--listen", "127.0.0.1:0"], &[]);
    // Written beside and renamed: half a zone would be refused too, and show nothing.
    let write = |file: &str, text: &str| {
        fs::write(server.folder().join("next"), text).expect("written");
        fs::rename(server.folder().join("next"), server.folder().join(file)).expect("renamed");
    };
    let until = |name: &str, expected| until(server.addresses[0], name, expected);
    write("zones/example.com.zone", &format!("{ZONE}one A 192.0.2.9\n"));
    until("one", (0, Some([192, 0, 2, 9])));
    let broken = ZONE.replace("www A 192.0.2.2", "www A 192.0.2.3");
    write("zones/example.com.zone", &broken);
    // The reload is over, and it was refused: all of it, so "one" is still there.
    assert!(server.said("192.0.2.3").contains("example.test.toml"));
    server.said("gate_reload");
    assert_eq!(ask_udp(server.addresses[0], "www"), WWW);
    assert_eq!(ask_udp(server.addresses[0], "one"), (0, Some([192, 0, 2, 9])));
    // What was refused is served once the tests expect it, though no zone changed since.
    write("zones/example.test.toml", &expects("192.0.2.3"));
    until("www", (0, Some([192, 0, 2, 3])));
    assert_eq!(ask_udp(server.addresses[0], "one"), (3, None));
}

#[test]
fn what_is_in_the_way_is_told_in_one_sentence() {
    let server = Server::start(&["127.0.0.1:0"]);
    let address = server.addresses[0].to_string();
    let folder = server.folder.path();
    fs::write(folder.join("bad.toml"), "wrokers = 2\n").expect("written");
    for (arguments, told) in [
        (&["serve", "--listen", &address][..], "another program does"),
        (&["serve", "--zones", "nowhere"], "there is no folder nowhere"),
        (&["serve", "--geo", "nowhere"], "there is no folder nowhere"),
        (&["serve", "--config", "nowhere.toml"], "there is no settings file nowhere.toml"),
        (&["check", "--config", "bad.toml"], "did you mean workers?"),
    ] {
        let output = run(folder, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(told)), (Some(2), true), "{arguments:?}: {said}");
    }
}

#[test]
fn check_lists_problems_and_says_by_its_code_whether_there_are_any() {
    let server = Server::start(&["127.0.0.1:0"]);
    let folder = server.folder.path();
    let check = |flags: &[&str]| {
        let output = run(folder, &[&["check"], flags].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(check(&["--strict"]), (Some(0), String::new()));
    fs::write(folder.join("zones/example.org.zone"), "www 60 A 192.0.2.1\n").expect("written");
    let (code, said) = check(&[]);
    assert_eq!((code, said.contains("warning: ")), (Some(0), true), "{said}");
    assert_eq!(check(&["--strict"]).0, Some(1));
    fs::write(folder.join("zones/example.org.zone"), "www 60 A 192.0.2\n").expect("written");
    let (code, said) = check(&[]);
    assert_eq!((code, said.contains("zones/example.org.zone:1:10: ")), (Some(1), true), "{said}");
}

/// A zone in which every answer for `www` tells the version twice: in the name of a CNAME's target, and in its address.
fn version(number: u8) -> String {
    format!(
        "$TTL 60\n@ SOA ns hm {number} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww CNAME v{number:03}\nv{number:03} A 192.0.2.{number}\n"
    )
}

/// Both versions that a reply for `www` tells.
fn versions_in(reply: &[u8]) -> (u8, u8) {
    let cname = query("www", 7).len() + 12;
    assert_eq!(reply[3] & 15, 0, "it has an answer");
    let label = std::str::from_utf8(&reply[cname + 2..cname + 5]).expect("digits");
    (label.parse().expect("a number"), *reply.last().expect("an address"))
}

#[test]
fn a_reload_under_load_loses_no_query_and_never_mixes_old_and_new() {
    const VERSIONS: u8 = 12;
    let server = Server::start(&["127.0.0.1:0"]);
    let (address, folder) = (server.addresses[0], server.folder.path());
    let publish = |number: u8| {
        // As editors and deployments do it: written beside, then renamed.
        fs::write(folder.join("next"), version(number)).expect("a zone");
        fs::rename(folder.join("next"), folder.join("zones/example.com.zone")).expect("renamed");
    };
    let latest = std::sync::atomic::AtomicU8::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let client = client(address);
                let (mut reply, mut asked) = ([0; 512], 0_u64);
                while latest.load(std::sync::atomic::Ordering::Relaxed) < VERSIONS {
                    client.send_to(&query("www", 7), address).expect("sent");
                    // Each query has its reply before the next: one that were lost would be waited for in vain.
                    let length = client.recv(&mut reply).expect("a reply to every query");
                    asked += 1;
                    if reply[7] == 2 {
                        let (named, addressed) = versions_in(&reply[..length]);
                        assert_eq!(named, addressed, "after {asked} queries");
                        latest.fetch_max(named, std::sync::atomic::Ordering::Relaxed);
                    } else {
                        assert_eq!(read_reply(&reply[..length], 7), WWW, "the zone from before the first change");
                    }
                }
                assert!(asked > u64::from(VERSIONS));
            });
        }
        let begin = Instant::now();
        for number in 1..=VERSIONS {
            publish(number);
            while latest.load(std::sync::atomic::Ordering::Relaxed) < number {
                assert!(begin.elapsed() < PATIENCE, "version {number} is not served");
                std::thread::yield_now();
            }
        }
    });
}
