//! The server as a service manager starts it: with sockets that were bound for it, and an ear for how it is.

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::sockets::{ZONE, ask_udp};

const PATIENCE: Duration = Duration::from_secs(30);

/// A UDP socket and a listener of one port.
fn sockets() -> (UdpSocket, TcpListener) {
    let pair = || {
        let udp = UdpSocket::bind("127.0.0.1:0").ok()?;
        Some((TcpListener::bind(udp.local_addr().ok()?).ok()?, udp))
    };
    let (tcp, udp) = (0..100).find_map(|_| pair()).expect("a free port");
    (udp, tcp)
}

#[test]
fn a_service_manager_gives_sockets_and_is_told_how_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder");
    fs::write(folder.path().join("zones/example.com.zone"), ZONE).expect("a zone");
    let ear = UnixDatagram::bind(folder.path().join("ear")).expect("an ear");
    ear.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let (udp, tcp) = sockets();
    let address = udp.local_addr().expect("its address");
    // Sockets are handed over from file 3 on, to the process that has this number.
    let hand_over = "exec 3<&0 4<&1 </dev/null >&2; \
                     LISTEN_FDS=2 LISTEN_PID=$$ WATCHDOG_PID=$$ WATCHDOG_USEC=2000000 exec \"$0\" \"$@\"";
    let mut server = Command::new("sh")
        .args(["-c", hand_over, env!("CARGO_BIN_EXE_fingerpost")])
        .args(["serve", "--workers", "2", "--admin", "127.0.0.1:0"])
        .current_dir(folder.path())
        .env("NOTIFY_SOCKET", folder.path().join("ear"))
        .stdin(Stdio::from(OwnedFd::from(udp)))
        .stdout(Stdio::from(OwnedFd::from(tcp)))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let hear = |wanted: &str| {
        let mut text = [0; 4096];
        loop {
            let length = ear.recv(&mut text).unwrap_or_else(|error| panic!("{wanted} is not told: {error}"));
            let told = String::from_utf8_lossy(&text[..length]).into_owned();
            if told.contains(wanted) {
                return told;
            }
        }
    };
    let signal = |name: &str| {
        let sent = Command::new("kill").args(["-s", name, &server.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    };
    assert!(hear("READY=1").contains("STATUS=serving 1 zone, 4 records"));
    for _ in 0..10 {
        assert_eq!(ask_udp(address, "www"), (0, Some([192, 0, 2, 2])));
    }
    TcpStream::connect(address).expect("it listens");
    hear("WATCHDOG=1");
    signal("HUP");
    assert!(hear("RELOADING=1").contains("MONOTONIC_USEC="));
    hear("READY=1");
    hear("WATCHDOG=1");
    signal("TERM");
    hear("STOPPING=1");
    assert!(server.wait().expect("its end").success());
}

/// The lines of a section of a unit.
fn section<'u>(unit: &'u str, name: &str) -> Vec<&'u str> {
    let lines = unit.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    lines.take_while(|line| !line.starts_with('[')).collect()
}

#[test]
fn the_unit_survives_quick_failures_and_bounds_what_it_takes() {
    let unit = include_str!("../../dist/fingerpost.service");
    // In another section systemd would pass it over.
    assert!(section(unit, "Unit").contains(&"StartLimitIntervalSec=0"));
    let service = section(unit, "Service");
    for wanted in ["Restart=on-failure", "RestartSec=1", "TasksMax=4096", "OOMScoreAdjust=-500"] {
        assert!(service.contains(&wanted), "{wanted}");
    }
}
