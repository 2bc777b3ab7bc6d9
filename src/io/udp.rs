//! The UDP server: one thread and one blocking socket for each address and worker, datagrams in batches.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::Responder;
use super::clock::Clock;
use super::repeated::Repeated;
use super::sys::{self, Batch, Wait};
use crate::respond::TOGETHER;

/// A worker without queries looks this often whether it is to stop, and lets go of an old snapshot.
const HOUSEKEEPING: Duration = Duration::from_millis(100);

/// How long a worker rests when its socket fails, so that a lasting failure doesn't burn a processor.
const FAILURE_REST: Duration = Duration::from_millis(50);

/// Batches still answered once the server is to stop: what had been received by then, but not a flood for ever.
const DRAIN_BATCHES_MAX: usize = 256;

/// Binds one socket of an address; several may share it, and the kernel spreads clients over them.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket_for(address)?;
    socket.set_reuse_port(true)?;
    let socket = UdpSocket::from(socket);
    prepare(&socket, &address)?;
    SockRef::from(&socket).bind(&address.into())?;
    Ok(socket)
}

/// Sets what `serve` wants of a socket.
pub fn prepare(socket: &UdpSocket, address: &SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(HOUSEKEEPING))?;
    sys::prepare_udp(socket.as_fd(), address)
}

/// Fails where anybody listens on the address already. `bind` would quietly share it with another server of this user.
pub fn claim(address: SocketAddr) -> io::Result<()> {
    socket_for(address)?.bind(&address.into())
}

/// Binds a socket that shares its address with nobody.
pub fn bind_alone(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket_for(address)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn socket_for(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // IPv4 has sockets of its own; a mapped address would be a stranger to ECS, cookies and geography.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Answers what comes until `stop` is set, then what had come by then.
pub fn serve(socket: &UdpSocket, responder: &mut impl Responder, stop: &AtomicBool) {
    let wildcard = socket.local_addr().is_ok_and(|address| address.ip().is_unspecified());
    let mut batch = Batch::new(wildcard);
    let (clock, mut failing) = (Clock::start(), Repeated::default());
    responder.listen_at(socket.local_addr().ok());
    while !stop.load(Ordering::Relaxed) {
        match batch.receive(socket.as_fd(), Wait::ForOne) {
            Ok(count) => {
                answer(&mut batch, count, responder);
                batch.send(socket.as_fd());
            }
            Err(error) if is_timeout(&error) => responder.begin(),
            Err(error) => {
                if let Some(times) = failing.again(clock.now()) {
                    tracing::error!(%error, times, "UDP socket fails; trying on");
                }
                thread::sleep(FAILURE_REST);
            }
        }
    }
    for _ in 0..DRAIN_BATCHES_MAX {
        match batch.receive(socket.as_fd(), Wait::No) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                answer(&mut batch, count, responder);
                batch.send(socket.as_fd());
            }
        }
    }
}

/// Wakes the thread that waits on this socket, so that it sees at once that it is to stop.
pub fn wake(socket: &UdpSocket) {
    // Linux says that the socket is not connected, and wakes the reader all the same.
    let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Read);
}

fn answer(batch: &mut Batch, count: usize, responder: &mut impl Responder) {
    responder.begin();
    for first in (0..count).step_by(TOGETHER) {
        let last = count.min(first + TOGETHER);
        for index in first..last {
            responder.take(index - first, batch.packet(index));
        }
        responder.look_ahead(last - first);
        for index in first..last {
            let Some(exchange) = batch.exchange(index) else { continue };
            // Nobody can be reached at port 0; such a sender is forged.
            if exchange.source.port() == 0 {
                continue;
            }
            let length = responder.reply(index - first, exchange.packet, exchange.source.ip(), exchange.reply);
            batch.reply(index, length);
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    /// Replies with the message and the sender's address after it.
    struct Echo;

    impl Responder for Echo {
        fn begin(&mut self) {}

        fn respond(&mut self, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize {
            if message == b"silence" {
                return 0;
            }
            let source = source.to_string();
            let length = message.len() + source.len();
            reply[..message.len()].copy_from_slice(message);
            reply[message.len()..length].copy_from_slice(source.as_bytes());
            length
        }
    }

    /// Runs a server on an address of the loopback interface while `body` talks to it.
    fn with_server(address: &str, body: impl FnOnce(SocketAddr)) {
        let socket = bind(address.parse().unwrap()).unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let server = scope.spawn(|| serve(&socket, &mut Echo, &stop));
            body(socket.local_addr().unwrap());
            stop.store(true, Ordering::Relaxed);
            wake(&socket);
            server.join().unwrap();
        });
    }

    fn client(address: &str) -> UdpSocket {
        let client = UdpSocket::bind(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }

    #[test]
    fn every_query_has_its_reply() {
        for (server, here) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
            with_server(server, |server| {
                let clients = [(); 2].map(|()| client(&SocketAddr::new(server.ip(), 0).to_string()));
                // Sizes up and down, one client after the other: runs of every kind for segmented sends.
                let sizes = [9, 9, 9, 5, 9, 12, 1200, 1200, 1300, 1300, 2, 0];
                for round in 0..8_u8 {
                    for client in &clients {
                        for (number, size) in (0..).zip(sizes) {
                            let mut message = vec![round; size];
                            message.push(number);
                            client.send_to(&message, server).unwrap();
                            client.send_to(b"silence", server).unwrap();
                        }
                    }
                    for client in &clients {
                        let mut left: Vec<Vec<u8>> = (0..)
                            .zip(sizes)
                            .map(|(number, size)| {
                                let mut expected = vec![round; size];
                                expected.push(number);
                                expected.extend_from_slice(here.as_bytes());
                                expected
                            })
                            .collect();
                        while !left.is_empty() {
                            let mut reply = [0; 4096];
                            let (length, from) = client.recv_from(&mut reply).unwrap();
                            assert_eq!(from, server);
                            let at = left.iter().position(|expected| expected == &reply[..length]).unwrap();
                            left.swap_remove(at);
                        }
                    }
                }
            });
        }
    }

    #[test]
    fn a_datagram_beyond_the_longest_query_arrives_as_a_header() {
        with_server("127.0.0.1:0", |server| {
            let client = client("127.0.0.1:0");
            client.send_to(&[7; 5000], server).unwrap();
            let mut reply = [0; 4096];
            let length = client.recv(&mut reply).unwrap();
            assert_eq!(&reply[..length], b"\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07127.0.0.1");
        });
    }

    #[test]
    fn on_a_wildcard_bind_replies_leave_from_the_address_asked() {
        for (wildcard, local, addresses) in [
            ("0.0.0.0:0", "127.0.0.1:0", &["127.0.0.1", "127.0.0.2", "127.9.8.7"][..]),
            ("[::]:0", "[::1]:0", &["::1"]),
        ] {
            with_server(wildcard, |server| {
                let client = client(local);
                for address in addresses {
                    let asked = SocketAddr::new(address.parse().unwrap(), server.port());
                    for number in 0..3 {
                        client.send_to(&[number], asked).unwrap();
                    }
                    for _ in 0..3 {
                        let (_, from) = client.recv_from(&mut [0; 64]).unwrap();
                        assert_eq!(from, asked);
                    }
                }
            });
        }
    }

    #[test]
    fn an_address_in_use_cannot_be_claimed() {
        let taken = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(claim(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        bind(address).unwrap();
    }
}
