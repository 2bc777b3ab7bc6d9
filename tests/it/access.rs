//! Whoever is kept out finds nobody, or is refused, at every door; rules change without a restart.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use hyper::Version;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::doors::{
    Certificate, Https, PATIENCE, Server, ask_quic, ask_tls, block_on, connect_quic, connect_tls, framed, get,
    over_tls, query, quic_client, read_framed, send_h3, trusting,
};
use crate::sockets;

/// Let in, kept out at the doors, kept out of the zone, and a proxy for others.
const FRIEND: [u8; 4] = [127, 0, 0, 1];
const STRANGER: [u8; 4] = [127, 0, 0, 3];
const NOT_OF_THE_ZONE: [u8; 4] = [127, 0, 0, 4];
const PROXY: [u8; 4] = [127, 0, 0, 2];
/// Kept out at the doors, and somebody who is not.
const BEHIND: [u8; 4] = [203, 0, 113, 9];
const BESIDE: [u8; 4] = [203, 0, 113, 10];

const REFUSED: u8 = 5;

fn question() -> Vec<u8> {
    query("simple.example.com", 1, 0, &[])
}

fn udp(from: [u8; 4]) -> UdpSocket {
    let socket = UdpSocket::bind((IpAddr::from(from), 0)).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// The response code over UDP.
fn rcode(from: [u8; 4], to: SocketAddr) -> u8 {
    let socket = udp(from);
    socket.send_to(&question(), to).expect("sent");
    let mut reply = [0; 512];
    socket.recv(&mut reply).expect("a reply");
    reply[3] & 15
}

async fn connect(from: [u8; 4], to: SocketAddr) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((IpAddr::from(from), 0).into()).expect("an address");
    socket.connect(to).await.expect("a connection")
}

fn header(client: [u8; 4]) -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
    [&head[..], &client, &[192, 0, 2, 53, 0x12, 0x34, 0, 53]].concat()
}

/// Waits until so many were treated so.
fn until_denied(server: &Server, action: &str, count: u64) {
    let (begin, line) = (Instant::now(), format!("fingerpost_denied_total{{action=\"{action}\"}}"));
    while server.metric(&line) < count {
        assert!(begin.elapsed() < PATIENCE, "{action} are not {count} but {}", server.metric(&line));
        std::thread::yield_now();
    }
    assert_eq!(server.metric(&line), count, "{action}");
}

/// A server that learns of its rules while it runs.
fn guarded(certificate: &Certificate) -> Server {
    let server = Server::start("proxy_from = [\"127.0.0.2\"]\n", certificate);
    assert_eq!(rcode(STRANGER, server.plain), 0);
    assert_eq!(rcode(NOT_OF_THE_ZONE, server.plain), 0);
    let file = server.folder.path().join("fingerpost.toml");
    let mut settings = fs::read_to_string(&file).expect("settings");
    for listener in [server.plain, server.tls, server.https, server.h3, server.quic] {
        settings +=
            &format!("[access.listener.\"{listener}\"]\ndeny = [\"127.0.0.3\", \"203.0.113.9\"]\ndenied = \"drop\"\n");
    }
    settings += "[access.zone.\"example.com\"]\ndeny = [\"127.0.0.4\"]\n";
    fs::write(&file, settings).expect("settings");
    server.signal("HUP");
    let begin = Instant::now();
    while rcode(NOT_OF_THE_ZONE, server.plain) != REFUSED {
        assert!(begin.elapsed() < PATIENCE, "the rules are not read");
    }
    server
}

#[test]
fn a_client_that_is_kept_out_finds_nobody_at_any_door() {
    let certificate = Certificate::new();
    let server = guarded(&certificate);
    let socket = udp(STRANGER);
    socket.send_to(&question(), server.plain).expect("sent");
    until_denied(&server, "dropped", 1);
    let mut closed = 0;
    for door in [server.plain, server.tls, server.https] {
        let mut stream = block_on(connect(STRANGER, door)).into_std().expect("a stream");
        stream.set_nonblocking(false).expect("blocking");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        assert_eq!(stream.read(&mut [0; 64]).unwrap_or(0), 0, "closed without a word");
        closed += 1;
        until_denied(&server, "closed", closed);
    }
    for (door, protocol) in [(server.quic, "doq"), (server.h3, "h3")] {
        block_on(async {
            let mut endpoint = quinn::Endpoint::client((IpAddr::from(STRANGER), 0).into()).expect("an endpoint");
            let tls = quinn::crypto::rustls::QuicClientConfig::try_from(trusting(&[&certificate], protocol));
            let tls = std::sync::Arc::new(tls.expect("TLS"));
            endpoint.set_default_client_config(quinn::ClientConfig::new(tls));
            let attempt = endpoint.connect(door, "localhost").expect("an attempt");
            let line = "fingerpost_denied_total{action=\"closed\"}";
            while server.metric(line) <= closed {
                tokio::task::yield_now().await;
            }
            // A client that hears nothing tries again.
            closed = server.metric(line);
            drop(attempt);
            endpoint.close(0_u32.into(), b"");
        });
        closed = server.metric("fingerpost_denied_total{action=\"closed\"}");
    }
    socket.set_nonblocking(true).expect("not blocking");
    assert!(socket.recv(&mut [0; 64]).is_err(), "silence is silence");
    friends_are_answered(&server, &certificate);
}

/// Others find what they found before.
fn friends_are_answered(server: &Server, certificate: &Certificate) {
    assert_eq!(rcode(FRIEND, server.plain), 0);
    block_on(async {
        let known = [certificate];
        let mut tls = connect_tls(server.tls, trusting(&known, "dot")).await;
        assert_eq!(ask_tls(&mut tls, &question()).await.expect("a reply over TLS")[7], 2);
        let mut https = Https::connect(server.https, &known, Version::HTTP_2).await;
        let response = https.send(get(&question())).await.expect("a response over HTTPS");
        assert_eq!(response.body()[7], 2);
        // Another client may be told something else.
        assert!(response.headers()["cache-control"].to_str().expect("text").starts_with("private"));
        let quic = connect_quic(server.quic, &quic_client(&known, "doq")).await;
        assert_eq!(ask_quic(&quic, &question()).await.expect("a reply over QUIC")[7], 2);
        let response = send_h3(server.h3, &quic_client(&known, "h3"), get(&question())).await;
        assert_eq!(response.body()[7], 2);
    });
}

#[test]
fn behind_a_proxy_it_is_the_client_who_is_let_in_or_not() {
    let certificate = Certificate::new();
    let server = guarded(&certificate);
    let socket = udp(PROXY);
    socket.send_to(&[header(BEHIND), question()].concat(), server.plain).expect("sent");
    until_denied(&server, "dropped", 1);
    socket.send_to(&[header(BESIDE), question()].concat(), server.plain).expect("sent");
    let mut reply = [0; 512];
    socket.recv(&mut reply).expect("a reply");
    assert_eq!(reply[7], 2);
    block_on(async {
        let mut stream = connect(PROXY, server.plain).await;
        stream.write_all(&[header(BEHIND), framed(&question())].concat()).await.expect("sent");
        assert!(read_framed(&mut stream).await.is_err());
        let mut stream = connect(PROXY, server.plain).await;
        stream.write_all(&[header(BESIDE), framed(&question())].concat()).await.expect("sent");
        assert_eq!(read_framed(&mut stream).await.expect("a reply")[7], 2);
        let mut stream = connect(PROXY, server.tls).await;
        stream.write_all(&header(BEHIND)).await.expect("sent");
        assert!(over_tls(stream, trusting(&[&certificate], "dot")).await.is_err());
    });
    until_denied(&server, "closed", 2);
}

#[test]
fn rules_for_nobody_are_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    fs::create_dir(at.join("zones")).expect("a folder");
    fs::write(at.join("zones/example.com.zone"), sockets::ZONE).expect("a zone");
    let settings = "[access.zone.\"example.com\"]\ndeny = [\"192.0.2.1\"]\n[access.zone.\"elsewhere.example\"]\n\
                    deny = [\"192.0.2.1\"]\n[access.listener.\"127.0.0.1:5300\"]\n[access.listener.\"192.0.2.53:53\"]\n";
    fs::write(at.join("fingerpost.toml"), settings).expect("settings");
    let output = sockets::run(at, &["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let told: Vec<&str> = said.lines().filter(|line| line.contains("warning: ")).collect();
    assert_eq!(told.len(), 2, "{said}");
    assert!(
        told[0].starts_with("fingerpost.toml:3:14: warning: access: no zone here is called elsewhere.example."),
        "{said}"
    );
    assert!(told[1].starts_with("fingerpost.toml:6:18: warning: access: nothing listens on 192.0.2.53:53"), "{said}");
    let output = sockets::run(at, &["explain", "www.example.com", "--from", "192.0.2.1"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("192.0.2.1 is in 192.0.2.1/32, which access.zone.\"example.com\" denies"), "{said}");
}
