//! Whoever is slow, silent or talks nonsense at a door leaves the others unharmed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hyper::Version;

use crate::doors::{
    Certificate, Https, PATIENCE, Server, ask_quic, ask_tls, block_on, connect_quic, connect_tls, framed, get, query,
    quic_client, send_h3, trusting,
};

/// Few connections and little patience, so that a few of the bad ones are many.
const TIGHT: &str = "encrypted_connections_max = 40\nencrypted_handshake_seconds = 1\ntcp_read_seconds = 1\n";

fn question() -> Vec<u8> {
    query("simple.example.com", 1, 0, &[])
}

/// A client of each door asks, one that was there before and one that comes now.
struct GoodClients<'a> {
    server: &'a Server,
    certificate: &'a Certificate,
    tls: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    https: Https,
    quic: quinn::Connection,
}

impl<'a> GoodClients<'a> {
    async fn new(server: &'a Server, certificate: &'a Certificate) -> GoodClients<'a> {
        let known = [certificate];
        GoodClients {
            server,
            certificate,
            tls: connect_tls(server.tls, trusting(&known, "dot")).await,
            https: Https::connect(server.https, &known, Version::HTTP_2).await,
            quic: connect_quic(server.quic, &quic_client(&known, "doq")).await,
        }
    }

    async fn ask(&mut self) {
        assert_eq!(ask_tls(&mut self.tls, &question()).await.expect("a reply over TLS")[7], 2);
        assert_eq!(self.https.send(get(&question())).await.expect("a response over HTTPS").body()[7], 2);
        assert_eq!(ask_quic(&self.quic, &question()).await.expect("a reply over QUIC")[7], 2);
    }

    async fn newcomers_ask(&self) {
        GoodClients::new(self.server, self.certificate).await.ask().await;
        let response = send_h3(self.server.h3, &quic_client(&[self.certificate], "h3"), get(&question())).await;
        assert_eq!(response.body()[7], 2);
    }
}

/// The first message of a handshake, as a client sends it.
fn hello() -> Vec<u8> {
    let certificate = Certificate::new();
    let config = std::sync::Arc::new(trusting(&[&certificate], "dot"));
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let mut connection = rustls::ClientConnection::new(config, name).expect("a client");
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).expect("a hello");
    hello
}

/// Bytes without any sense, always the same.
fn garbage(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Opens so many connections, says so much on each, and keeps them.
fn crowd(server: SocketAddr, words: &[u8]) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(server).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // It may be closed for room already.
        let _ = stream.write_all(words);
        stream
    };
    (0..60).map(connect).collect()
}

/// Waits until the server has closed it.
fn wait_until_closed(mut stream: TcpStream) {
    let mut rest = [0; 4096];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                panic!("it stays open")
            }
            Err(_) => return,
        }
    }
}

fn harmless_over_tcp(door: fn(&Server) -> SocketAddr) {
    let certificate = Certificate::new();
    let server = Server::start(TIGHT, &certificate);
    let hello = hello();
    let http = b"GET /dns-query?dns=AAABAA HTTP/1.1\r\nhost: localhost\r\n\r\n";
    block_on(async {
        let mut good = GoodClients::new(&server, &certificate).await;
        for words in [&[][..], &hello[..1], &hello[..hello.len() - 1], &hello, http, &garbage(5000)] {
            good.ask().await;
            let bad = crowd(door(&server), words);
            good.ask().await;
            good.newcomers_ask().await;
            bad.into_iter().for_each(wait_until_closed);
        }
        good.ask().await;
    });
}

#[test]
fn half_open_slow_and_senseless_connections_to_the_tls_door_harm_nobody() {
    harmless_over_tcp(|server| server.tls);
}

#[test]
fn half_open_slow_and_senseless_connections_to_the_https_door_harm_nobody() {
    harmless_over_tcp(|server| server.https);
}

/// First packets of clients that will never answer, as one address after the other would send them.
fn first_packets(protocol: &str, count: usize) -> Vec<Vec<u8>> {
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    nobody.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let address = nobody.local_addr().expect("an address");
    block_on(async {
        let certificate = Certificate::new();
        let client = quic_client(&[&certificate], protocol);
        let attempts: Vec<_> = (0..count).map(|_| client.connect(address, "localhost").expect("an attempt")).collect();
        let packets = tokio::task::spawn_blocking(move || {
            let mut packets: Vec<Vec<u8>> = Vec::new();
            // A client repeats itself; a packet counts by its connection's name, which stands near its beginning.
            while packets.len() < count {
                let mut packet = [0; 2048];
                let length = nobody.recv(&mut packet).expect("a packet");
                if !packets.iter().any(|one| one[..14] == packet[..14]) {
                    packets.push(packet[..length].to_vec());
                }
            }
            packets
        });
        let packets = packets.await.expect("packets");
        drop(attempts);
        packets
    })
}

fn harmless_over_quic(protocol: &str, door: fn(&Server) -> SocketAddr) {
    let certificate = Certificate::new();
    let server = Server::start(TIGHT, &certificate);
    let packets = first_packets(protocol, 100);
    let noise = garbage(1200 * 100);
    block_on(async {
        let mut good = GoodClients::new(&server, &certificate).await;
        let bad: Vec<_> = (0..100).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
        for (number, socket) in bad.iter().enumerate() {
            let mut noise = noise[number * 1200..][..1 + number * 11].to_vec();
            socket.send_to(&noise, door(&server)).expect("sent");
            // A long header of version 1, and senseless from there on.
            noise.splice(..0, [0xc0, 0, 0, 0, 1, 8]);
            socket.send_to(&noise, door(&server)).expect("sent");
            socket.send_to(&packets[number], door(&server)).expect("sent");
            if number % 10 == 0 {
                good.ask().await;
            }
        }
        good.ask().await;
        good.newcomers_ask().await;
    });
    let begin = std::time::Instant::now();
    let abandoned = format!("fingerpost_handshakes_total{{transport=\"{protocol}\",result=\"abandoned\"}}");
    // Those handshakes are given up, not kept.
    while server.metric(&abandoned.replace("doq", "quic")) == 0 {
        assert!(begin.elapsed() < PATIENCE, "half-open handshakes are not given up");
        std::thread::yield_now();
    }
    block_on(async { GoodClients::new(&server, &certificate).await.ask().await });
}

#[test]
fn half_open_handshakes_and_noise_at_the_quic_door_harm_nobody() {
    harmless_over_quic("doq", |server| server.quic);
}

#[test]
fn half_open_handshakes_and_noise_at_the_h3_door_harm_nobody() {
    harmless_over_quic("h3", |server| server.h3);
}

#[test]
fn a_client_that_takes_no_replies_is_given_up() {
    let certificate = Certificate::new();
    let server = Server::start("tcp_write_seconds = 1\nencrypted_idle_seconds = 3600\n", &certificate);
    block_on(async {
        use tokio::io::AsyncWriteExt;
        let mut greedy = connect_tls(server.tls, trusting(&[&certificate], "dot")).await;
        let many = framed(&question()).repeat(1000);
        // Its replies fill every buffer on the way, then its questions do, then it is cut off.
        while greedy.write_all(&many).await.is_ok() && greedy.flush().await.is_ok() {}
        GoodClients::new(&server, &certificate).await.ask().await;
    });
}

#[test]
fn connections_that_go_silent_after_their_handshake_are_closed() {
    let certificate = Certificate::new();
    let server = Server::start("encrypted_idle_seconds = 1\ntcp_read_seconds = 1\n", &certificate);
    let known = [&certificate];
    block_on(async {
        use tokio::io::AsyncReadExt;
        let mut silent = connect_tls(server.tls, trusting(&known, "dot")).await;
        let mut torn = connect_tls(server.tls, trusting(&known, "dot")).await;
        tokio::io::AsyncWriteExt::write_all(&mut torn, &[0, 40, 1]).await.expect("sent");
        for stream in [&mut silent, &mut torn] {
            // Whether it says goodbye or not, it ends.
            assert_eq!(stream.read(&mut [0; 10]).await.unwrap_or(0), 0);
        }
        let quic = connect_quic(server.quic, &quic_client(&known, "doq")).await;
        quic.closed().await;
        for protocol in ["h2", "http/1.1"] {
            let mut stream = connect_tls(server.https, trusting(&known, protocol)).await;
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said).await;
        }
    });
}

#[test]
fn a_server_that_ends_answers_what_had_come() {
    let certificate = Certificate::new();
    let server = Server::start("", &certificate);
    block_on(async {
        let mut good = GoodClients::new(&server, &certificate).await;
        good.ask().await;
        server.signal("TERM");
        // Nobody is left hanging: each connection ends.
        while good.tls.get_ref().0.peer_addr().is_ok() && ask_tls(&mut good.tls, &question()).await.is_ok() {}
        while good.https.send(get(&question())).await.is_ok() {}
        tokio::time::timeout(Duration::from_secs(20), good.quic.closed()).await.expect("the goodbye of QUIC");
    });
}
