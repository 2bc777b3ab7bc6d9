//! Proxies say for whom they speak, and nobody else is listened to on that.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::doors::{Certificate, PATIENCE, Server, block_on, framed, over_tls, query, read_framed, trusting};

/// The proxy's address; other addresses of the loopback interface are no proxies.
const PROXY: [u8; 4] = [127, 0, 0, 2];
const ELSEWHERE: [u8; 4] = [127, 0, 0, 3];

/// A header that names this client.
fn header(client: [u8; 4]) -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
    [&head[..], &client, &[192, 0, 2, 53, 0x12, 0x34, 0, 53]].concat()
}

fn question(id: u16) -> Vec<u8> {
    query("geo.example.com", 1, id, &[])
}

/// The last byte of the address in a reply.
fn address(reply: &[u8]) -> u8 {
    // The OPT record behind it has 11 bytes.
    reply[reply.len() - 12]
}

fn udp(from: [u8; 4]) -> UdpSocket {
    let socket = UdpSocket::bind((IpAddr::from(from), 0)).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

async fn connect(from: [u8; 4], to: SocketAddr) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((IpAddr::from(from), 0).into()).expect("an address");
    socket.connect(to).await.expect("a connection")
}

#[test]
fn the_client_that_a_proxy_names_is_who_is_answered() {
    let certificate = Certificate::new();
    for (settings, from_california, from_germany) in [
        ("proxy_from = [\"127.0.0.2\"]\n", 40, 42),
        ("proxy_from = [\"127.0.0.2\"]\nproxy_client = \"source\"\n", 43, 43),
    ] {
        let server = Server::start(settings, &certificate);
        for (client, expected) in [([192, 0, 2, 1], from_california), ([198, 51, 100, 7], from_germany)] {
            let socket = udp(PROXY);
            socket.send_to(&[header(client), question(1)].concat(), server.plain).expect("sent");
            let mut reply = [0; 512];
            let length = socket.recv(&mut reply).expect("a reply");
            assert_eq!(address(&reply[..length]), expected, "UDP");
            block_on(async {
                let mut stream = connect(PROXY, server.plain).await;
                stream.write_all(&[header(client), framed(&question(2))].concat()).await.expect("sent");
                assert_eq!(address(&read_framed(&mut stream).await.expect("a reply")), expected, "TCP");
                let mut stream = connect(PROXY, server.tls).await;
                stream.write_all(&header(client)).await.expect("sent");
                let mut stream = over_tls(stream, trusting(&[&certificate], "dot")).await.expect("a handshake");
                stream.write_all(&framed(&question(3))).await.expect("sent");
                assert_eq!(address(&read_framed(&mut stream).await.expect("a reply")), expected, "TLS");
            });
        }
    }
}

#[test]
fn headers_that_are_torn_senseless_or_missing_are_refused_and_counted() {
    let certificate = Certificate::new();
    let server = Server::start("proxy_from = [\"127.0.0.2\"]\ntcp_read_seconds = 1\n", &certificate);
    let good = header([192, 0, 2, 1]);
    let mut version_1 = good.clone();
    version_1[12] = 0x11;
    let mut endless = good.clone();
    endless[14..16].copy_from_slice(&[0xff, 0xff]);
    let text = b"PROXY TCP4 192.0.2.1 192.0.2.53 4660 53\r\n".to_vec();
    let bad = [vec![], good[..15].to_vec(), version_1, endless, text];
    let socket = udp(PROXY);
    for header in &bad {
        socket.send_to(&[header, &question(1)[..]].concat(), server.plain).expect("sent");
    }
    // None of them is answered: the first reply is to the good one that comes last.
    socket.send_to(&[good, question(9)].concat(), server.plain).expect("sent");
    let mut reply = [0; 512];
    socket.recv(&mut reply).expect("a reply");
    assert_eq!(reply[..2], [0, 9]);
    for header in &bad {
        for door in [server.plain, server.tls, server.https] {
            let stream = block_on(connect(PROXY, door)).into_std().expect("a stream");
            stream.set_nonblocking(false).expect("blocking");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let mut stream = stream;
            let _ = stream.write_all(&[&header[..], &framed(&question(1))].concat());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said);
            assert_eq!(said, b"", "{header:02x?}");
        }
    }
    assert_eq!(server.metric("fingerpost_proxy_headers_total{result=\"refused\"}"), bad.len() as u64 * 4);
    assert_eq!(server.metric("fingerpost_proxy_headers_total{result=\"accepted\"}"), 1);
    // From elsewhere no header is read: to who sends one it is a torn query, and without one nothing changes.
    let socket = udp(ELSEWHERE);
    socket.send_to(&question(5), server.plain).expect("sent");
    let length = socket.recv(&mut reply).expect("a reply");
    assert_eq!((reply[1], address(&reply[..length])), (5, 43));
}
