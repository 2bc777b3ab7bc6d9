//! `examples/failover`, as the README shows it: two web servers, a failover and a weighted group on them. One is
//! stopped and returns, and the answers follow.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::Value;

use crate::sockets::{PATIENCE, ask_udp_for, program, run};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/failover");

const BLUE: Option<[u8; 4]> = Some([192, 0, 2, 1]);
const GREEN: Option<[u8; 4]> = Some([192, 0, 2, 2]);

/// A web server that says 200 to all.
pub struct Web {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    pub fn start(address: SocketAddr) -> Web {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("its address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let mut request = [0; 1024];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Web { address, stop, thread: Some(thread) }
    }
}

impl Drop for Web {
    /// When this is over nobody listens there.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The server on a copy of the example with other ports.
struct Lab {
    child: Child,
    folder: tempfile::TempDir,
    dns: SocketAddr,
    admin: String,
}

impl Lab {
    fn start(ports: [(&str, u16); 2]) -> Lab {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
        for file in ["fingerpost.toml", "zones/health-checks.toml", "zones/shop.example.zone"] {
            let mut text = fs::read_to_string(Path::new(EXAMPLE).join(file)).expect("the example");
            for (port, free) in ports {
                text = text.replace(&format!("port = {port}"), &format!("port = {free}"));
            }
            fs::write(folder.path().join(file), text).expect("a copy");
        }
        let mut command = program(folder.path());
        command.args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let mut log = BufReader::new(child.stderr.take().expect("its stderr")).lines();
        let admin = log.find_map(|line| Some(line.ok()?.split_once("admin port on ")?.1.to_string()));
        // What is logged later has to go somewhere.
        std::thread::spawn(move || log.for_each(drop));
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut first).expect("what it serves");
        let told = first.split(" on ").nth(1).and_then(|rest| rest.split(", UDP").next()).expect("its address");
        let dns = told.parse().expect("an address");
        Lab { child, folder, dns, admin: admin.expect("an admin port") }
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = run(self.folder.path(), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// The exact shares of the weighted group; the README shows them just so.
    fn odds(&self) -> String {
        let odds = self.says(&["odds", "many.shop.example", "--server", &self.admin]);
        let shown = format!("$ fingerpost odds many.shop.example --server 127.0.0.1:5380\n{odds}");
        assert!(include_str!("../../README.md").contains(&shown), "the README doesn't show\n{shown}");
        odds
    }

    fn list(&self) -> String {
        self.says(&["health", "list", "--admin", &self.admin])
    }

    fn check(&self, id: &str) -> Value {
        let list = self.says(&["health", "list", "--json", "--admin", &self.admin]);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let checks = list["health_checks"].as_array().expect("checks");
        checks.iter().find(|check| check["id"] == id).expect("the check").clone()
    }

    fn pair(&self) -> Option<[u8; 4]> {
        ask_udp_for(self.dns, "pair.shop.example").1
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn answers_leave_a_server_that_is_stopped_and_come_back_with_it() {
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    let (blue, green) = (Web::start(anywhere), Web::start(anywhere));
    let lab = Lab::start([("8001", blue.address.port()), ("8002", green.address.port())]);
    let streak = |id: &str| lab.check(id)["streak"].as_u64().unwrap_or(0);
    wait_until("both are seen to be well", || streak("blue") >= 2 && streak("green") >= 2);
    assert_eq!(lab.pair(), BLUE);
    assert_eq!(lab.odds(), "3/4   75 %  192.0.2.1\n1/4   25 %  192.0.2.2\n");

    let at = blue.address;
    drop(blue);
    wait_until("the standby answers", || lab.pair() == GREEN);
    assert_eq!(lab.odds(), "1  100 %  192.0.2.2\n");
    let check = lab.check("blue");
    assert_eq!(check["healthy"], false);
    // Two failures turned it, one interval apart: not fewer, and no longer than that ago.
    assert!(check["streak"].as_u64() >= Some(2), "{check}");
    let reason =
        "Failure: The health checker could not establish a connection: it was refused. Resolved IP: 127.0.0.1.";
    assert_eq!(check["last"]["reason"], reason);
    let list = lab.list();
    let mut lines = list.lines().skip_while(|line| !line.starts_with("blue "));
    let (blue_line, below) = (lines.next().expect("its line"), lines.next().expect("the line below"));
    assert!(blue_line.contains(" unhealthy ") && blue_line.contains("it was refused."), "{list}");
    assert!(!list.contains("Resolved IP"), "{list}");
    assert!(below.contains("pair.shop.example. A") && below.contains("many.shop.example. A"), "{list}");
    let why = lab.says(&["explain", "pair.shop.example", "--server", &lab.admin]);
    for step in ["out     blue   blue unhealthy since ", "choose  green", "answer  2 A 192.0.2.2"] {
        assert!(why.contains(step), "no {step:?} in\n{why}");
    }

    let _blue = Web::start(at);
    wait_until("the primary answers again", || lab.pair() == BLUE);
    assert_eq!(lab.odds(), "3/4   75 %  192.0.2.1\n1/4   25 %  192.0.2.2\n");
    assert_eq!(
        (lab.check("blue")["healthy"].clone(), lab.check("green")["healthy"].clone()),
        (true.into(), true.into())
    );
}
