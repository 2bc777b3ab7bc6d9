//! The TCP server (RFC 7766): pipelined queries, bounded memory, and room for a newcomer however many stay silent.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Responder;
use crate::config::TcpLimits;

/// The longest message TCP can frame (RFC 1035 4.2.2).
const MESSAGE_MAX: usize = 65_535;

/// Each message is preceded by its length.
const PREFIX: usize = 2;

/// Read at once. Most queries take a hundredth of it; a longer message grows the buffer to what it announced.
const READ_CHUNK: usize = 4096;

/// Replies wait for each other up to this, then they are written before the next query is answered.
const BUFFERED_MAX: usize = 65_536;

/// The longest a listener rests when it cannot accept.
const ACCEPT_REST_MAX: Duration = Duration::from_secs(1);

/// Once the server is to stop, queries are still read for so long: those that had come may not have been seen yet.
const LAST_CALL: Duration = Duration::from_millis(50);

/// Connections the kernel completes while we are busy.
const BACKLOG: i32 = 1024;

/// All that the connections of a server share.
pub struct Server<R> {
    limits: TcpLimits,
    /// Counts what happens, so that it can be told what happened longest ago.
    events: AtomicU64,
    /// Connections take turns: each has one of them by its number, with room for the longest reply.
    responders: Vec<Mutex<(R, Box<[u8]>)>>,
    connections: Mutex<Connections>,
}

impl<R: Responder + 'static> Server<R> {
    /// There must be at least one responder; one for each thread that runs connections keeps them from waiting.
    pub fn new(limits: TcpLimits, responders: Vec<R>) -> Server<R> {
        assert!(!responders.is_empty());
        let with_room = |responder| Mutex::new((responder, vec![0_u8; MESSAGE_MAX].into_boxed_slice()));
        Server {
            limits,
            events: AtomicU64::new(0),
            responders: responders.into_iter().map(with_room).collect(),
            connections: Mutex::new(Connections::default()),
        }
    }

    /// Lets go of what the responders keep between batches.
    pub fn housekeep(&self) {
        for responder in &self.responders {
            lock(responder).0.begin();
        }
    }

    /// Accepts and serves connections until `stop` turns true, then answers the queries that had come by then.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let mut running = JoinSet::new();
        let mut failures = 0_u32;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_) = running.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    failures = 0;
                    let server = self.clone();
                    let stop = stop.clone();
                    let place = lock(&self.connections).admit(client.ip(), self.event(), &self.limits);
                    running.spawn(async move {
                        server.converse(stream, client.ip(), &place, stop).await;
                        lock(&server.connections).leave(place.id);
                    });
                }
                // The client was gone before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if failures == 0 {
                        tracing::error!(%error, "cannot accept TCP connections; closing idle ones and trying on");
                    }
                    lock(&self.connections).close_idlest(|_| true);
                    let rest = Duration::from_millis(10 << failures.min(7)).min(ACCEPT_REST_MAX);
                    failures = failures.saturating_add(1);
                    sleep(rest).await;
                }
            }
        }
        drop(listener);
        while running.join_next().await.is_some() {}
    }

    fn event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed)
    }

    async fn converse(&self, mut stream: TcpStream, client: IpAddr, place: &Place, stop: watch::Receiver<bool>) {
        // Without it a reply waits for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        tokio::select! {
            biased;
            () = place.close.notified() => {}
            // However it ended, the client knows as much as we do.
            _ = self.exchange(&mut stream, client, place, stop) => {}
        }
    }

    /// Reads, answers and writes in turn, so that a client that doesn't read its replies isn't read either.
    async fn exchange(
        &self,
        stream: &mut TcpStream,
        client: IpAddr,
        place: &Place,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut input = Input::default();
        let mut output = Vec::new();
        let mut waiting_since = Instant::now();
        let mut last_call = None;
        loop {
            input.make_room();
            let patience = if input.is_empty() { self.limits.idle } else { self.limits.read };
            let deadline = waiting_since + patience;
            let reading = timeout_at(last_call.unwrap_or(deadline).min(deadline), stream.read_buf(&mut input.bytes));
            let length = tokio::select! {
                biased;
                read = reading => match read {
                    Err(_) if last_call.is_some() => 0,
                    read => read??,
                },
                _ = stop.wait_for(|stop| *stop), if last_call.is_none() => {
                    last_call = Some(Instant::now() + LAST_CALL);
                    continue;
                }
            };
            if length == 0 {
                return stream.shutdown().await;
            }
            if input.bytes.len() == length {
                waiting_since = Instant::now();
            }
            while input.has_message() {
                place.last_active.store(self.event(), Ordering::Relaxed);
                self.answer(place.id, client, &mut input, &mut output);
                timeout(self.limits.write, stream.write_all(&output)).await??;
                output.clear();
                output.shrink_to(READ_CHUNK);
                waiting_since = Instant::now();
            }
        }
    }

    /// Answers complete messages until there is none left, or enough to write.
    fn answer(&self, connection: u64, client: IpAddr, input: &mut Input, output: &mut Vec<u8>) {
        let turn = (connection % self.responders.len() as u64) as usize;
        let (responder, reply) = &mut *lock(&self.responders[turn]);
        responder.begin();
        while output.len() < BUFFERED_MAX
            && let Some(message) = input.take_message()
        {
            let length = responder.respond(message, client, reply);
            if length > 0
                && let Ok(prefix) = u16::try_from(length)
            {
                output.extend_from_slice(&prefix.to_be_bytes());
                output.extend_from_slice(&reply[..length]);
            }
        }
    }
}

/// Bytes read and not yet answered.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    /// Where the next message begins; all before it is answered.
    at: usize,
}

impl Input {
    fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn next_length(&self) -> Option<usize> {
        let prefix = self.bytes.get(self.at..self.at + PREFIX)?;
        Some(usize::from(u16::from_be_bytes([prefix[0], prefix[1]])))
    }

    fn has_message(&self) -> bool {
        self.next_length().is_some_and(|length| self.bytes.len() - self.at >= PREFIX + length)
    }

    fn take_message(&mut self) -> Option<&[u8]> {
        let start = self.at + PREFIX;
        let end = start + self.next_length()?;
        let message = self.bytes.get(start..end)?;
        self.at = end;
        Some(message)
    }

    /// Room grows with what was received, not with what a message announces, and a silent client keeps little.
    fn make_room(&mut self) {
        self.bytes.drain(..self.at);
        self.at = 0;
        if self.bytes.is_empty() {
            self.bytes.shrink_to(READ_CHUNK);
        }
        if self.bytes.capacity() - self.bytes.len() < READ_CHUNK / 2 {
            self.bytes.reserve(READ_CHUNK);
        }
    }
}

/// A connection's place among all of them.
struct Place {
    id: u64,
    client: IpAddr,
    /// The event when it was last useful: it was opened, or whole messages had come.
    last_active: AtomicU64,
    close: Notify,
}

/// Who is connected.
#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Arc<Place>>,
    clients: HashMap<IpAddr, usize>,
}

impl Connections {
    /// Takes a connection in, and closes the one idle for longest where there was no room for another.
    fn admit(&mut self, address: IpAddr, event: u64, limits: &TcpLimits) -> Arc<Place> {
        let client = network(address);
        if self.clients.get(&client).is_some_and(|count| *count >= limits.client_max) {
            self.close_idlest(|place| place.client == client);
        }
        if self.open.len() >= limits.connections_max {
            self.close_idlest(|_| true);
        }
        let id = self.next;
        self.next += 1;
        let place = Arc::new(Place { id, client, last_active: AtomicU64::new(event), close: Notify::new() });
        self.open.insert(id, place.clone());
        *self.clients.entry(client).or_default() += 1;
        place
    }

    fn close_idlest(&mut self, among: impl Fn(&Place) -> bool) {
        let candidates = self.open.values().filter(|place| among(place));
        let idlest = candidates.min_by_key(|place| place.last_active.load(Ordering::Relaxed)).cloned();
        if let Some(place) = idlest {
            place.close.notify_one();
            self.leave(place.id);
        }
    }

    fn leave(&mut self, id: u64) {
        let Some(place) = self.open.remove(&id) else { return };
        if let Some(count) = self.clients.get_mut(&place.client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&place.client);
            }
        }
    }
}

/// Whom a connection counts for: one person often has a whole IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
    }
}

/// A panic elsewhere leaves these values whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::net::TcpStream;

    use super::*;

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
