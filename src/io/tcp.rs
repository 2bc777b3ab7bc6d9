//! The TCP server (RFC 7766): pipelined queries, bounded memory, and room for a newcomer however many stay silent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::accept::Entrance;
use super::crowd::Crowd;
use super::framed::Parties;
use super::live::Served;
use super::proxy::Proxies;
use super::turns::Turns;
use super::{Responder, accept};
use crate::config::TcpLimits;

/// Connections the kernel completes while we are busy.
const BACKLOG: i32 = 1024;

/// All that the connections of a server share.
pub struct Server<R> {
    limits: TcpLimits,
    turns: Turns<R>,
    entrance: Entrance,
}

impl<R: Responder + 'static> Server<R> {
    /// There must be at least one responder; one for each thread that runs connections keeps them from waiting.
    pub fn new(limits: TcpLimits, responders: Vec<R>) -> Server<R> {
        let crowd = Crowd::new(limits.connections_max, limits.client_max);
        let entrance = Entrance { crowd, proxies: Arc::default(), served: None };
        Server { limits, turns: Turns::new(responders), entrance }
    }

    /// From these a PROXY header is expected.
    pub fn behind(mut self, proxies: Arc<Proxies>) -> Server<R> {
        self.entrance.proxies = proxies;
        self
    }

    /// Whoever is to find nobody here, as the settings of these say, does not.
    pub fn guarded_by(mut self, served: Served) -> Server<R> {
        self.entrance.served = Some(served);
        self
    }

    /// Lets go of what the responders keep between batches.
    pub fn housekeep(&self) {
        self.turns.housekeep();
    }

    /// Accepts and serves connections until `stop` turns true, then answers the queries that had come by then.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: watch::Receiver<bool>) {
        accept::each(listener, self.entrance.clone(), stop.clone(), move |stream, caller| {
            let (server, stop) = (self.clone(), stop.clone());
            async move {
                let Server { turns, limits, .. } = &*server;
                Parties { caller: &caller, turns, limits }.converse(stream, stop).await;
            }
        })
        .await;
    }
}

/// Binds the listener of an address. Fails where another server listens.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restarted server doesn't wait for the connections of the one before to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{IpAddr, TcpStream};
    use std::time::Duration;

    use super::*;
    use crate::io::turns::MESSAGE_MAX;

    /// Replies with as many bytes as the message says in its first two, all equal to its third.
    struct Repeat;

    impl Responder for Repeat {
        fn begin(&mut self) {}

        fn respond(&mut self, message: &[u8], _: IpAddr, reply: &mut [u8]) -> usize {
            let length = usize::from(u16::from_be_bytes([message[0], message[1]]));
            reply[..length].fill(message[2]);
            length
        }
    }

    fn ask(length: u16, fill: u8) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        vec![0, 3, high, low, fill]
    }

    fn expect(client: &mut TcpStream, length: u16, fill: u8) {
        let mut prefix = [0; 2];
        client.read_exact(&mut prefix).unwrap();
        assert_eq!(u16::from_be_bytes(prefix), length);
        let mut reply = vec![0; usize::from(length)];
        client.read_exact(&mut reply).unwrap();
        assert!(reply.iter().all(|byte| *byte == fill));
    }

    fn closed(client: &mut TcpStream) -> bool {
        !matches!(client.read(&mut [0]), Ok(1..))
    }

    fn connect(server: SocketAddr) -> TcpStream {
        let client = TcpStream::connect(server).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }

    /// Runs a server while `body` talks to it; `body` may tell it to stop.
    fn with_server(limits: TcpLimits, body: impl FnOnce(SocketAddr, &watch::Sender<bool>)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let server = runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            Arc::new(Server::new(limits, vec![Repeat, Repeat])).serve(listener, stopped).await;
        });
        body(address, &stop);
        stop.send_replace(true);
        runtime.block_on(server).unwrap();
    }

    #[test]
    fn many_queries_a_segment_and_many_segments_a_query() {
        with_server(TcpLimits::default(), |server, _| {
            let mut client = connect(server);
            client.set_nodelay(true).unwrap();
            client.write_all(&[ask(1, 1), ask(65535, 2), ask(0, 3), ask(70, 4)].concat()).unwrap();
            expect(&mut client, 1, 1);
            expect(&mut client, 65535, 2);
            expect(&mut client, 70, 4);
            for byte in ask(300, 5) {
                client.write_all(&[byte]).unwrap();
            }
            expect(&mut client, 300, 5);
            // A message of the greatest length, and half of the next one in its last segment.
            let mut long = vec![0xFF; 2 + MESSAGE_MAX];
            long[2..5].copy_from_slice(&[0, 9, 6]);
            let next = ask(2, 7);
            client.write_all(&[&long, &next[..3]].concat()).unwrap();
            expect(&mut client, 9, 6);
            client.write_all(&next[3..]).unwrap();
            expect(&mut client, 2, 7);
        });
    }

    #[test]
    fn replies_still_come_after_the_client_said_its_last() {
        with_server(TcpLimits::default(), |server, _| {
            let mut client = connect(server);
            client.write_all(&ask(40_000, 1).repeat(20)).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            for _ in 0..20 {
                expect(&mut client, 40_000, 1);
            }
            assert!(closed(&mut client));
        });
    }

    #[test]
    fn the_silent_and_the_slow_make_room() {
        for limits in [
            TcpLimits { connections_max: 20, ..TcpLimits::default() },
            TcpLimits { client_max: 20, ..TcpLimits::default() },
        ] {
            with_server(limits, |server, _| {
                let mut good = connect(server);
                let mut silent = Vec::new();
                for number in 0..100 {
                    let mut one = connect(server);
                    one.write_all(&[0, 3, 0][..number % 4]).unwrap();
                    silent.push(one);
                    good.write_all(&ask(10, 1)).unwrap();
                    expect(&mut good, 10, 1);
                }
                for one in &mut silent[..70] {
                    assert!(closed(one));
                }
                let mut newcomer = connect(server);
                newcomer.write_all(&ask(10, 2)).unwrap();
                expect(&mut newcomer, 10, 2);
            });
        }
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_limits_say() {
        let soon = Duration::from_millis(50);
        let never = Duration::from_secs(3600);
        for (limits, sent) in [
            (TcpLimits { idle: soon, read: never, write: never, ..TcpLimits::default() }, vec![]),
            (TcpLimits { idle: soon, read: never, write: never, ..TcpLimits::default() }, ask(5, 1)),
            (TcpLimits { idle: never, read: soon, write: never, ..TcpLimits::default() }, vec![0, 3, 0]),
            // Replies of 64 KiB that nobody reads fill every buffer on the way.
            (TcpLimits { idle: never, read: never, write: soon, ..TcpLimits::default() }, ask(65_535, 1).repeat(800)),
        ] {
            with_server(limits, |server, _| {
                let mut client = connect(server);
                // A connection cut while its client still sends is a refusal, too.
                let _ = client.write_all(&sent);
                let mut rest = Vec::new();
                if sent.len() > 100 {
                    wait_until_cut(&mut client);
                } else {
                    assert!(client.read_to_end(&mut rest).is_ok());
                }
            });
        }
    }

    #[test]
    fn a_connection_that_asked_enough_has_its_replies_and_ends() {
        with_server(TcpLimits { queries_max: 3, ..TcpLimits::default() }, |server, _| {
            let mut client = connect(server);
            // More than may be asked: what comes too late must not cost the replies before it.
            client.write_all(&ask(40_000, 1).repeat(1000)).unwrap();
            for _ in 0..3 {
                expect(&mut client, 40_000, 1);
            }
            assert_eq!(client.read(&mut [0]).unwrap(), 0, "an end in good order");
            let mut again = connect(server);
            again.write_all(&ask(1, 2)).unwrap();
            expect(&mut again, 1, 2);
        });
    }

    /// Sends until the other side has closed.
    fn wait_until_cut(client: &mut TcpStream) {
        while client.write_all(&ask(65_535, 1)).is_ok() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn stopping_answers_what_had_come_and_ends() {
        with_server(TcpLimits::default(), |server, stop| {
            let mut silent = connect(server);
            let mut client = connect(server);
            client.write_all(&ask(3, 1)).unwrap();
            expect(&mut client, 3, 1);
            client.write_all(&ask(3, 2)).unwrap();
            stop.send_replace(true);
            expect(&mut client, 3, 2);
            assert!(closed(&mut client));
            assert!(closed(&mut silent));
        });
    }
}
