//! The encrypted doors: DNS over TLS, HTTPS, HTTP/3 and QUIC, all to the one `respond`.
//!
//! Answers are bytes and stay bytes: what UDP would send is what goes into the stream. The libraries used are those
//! that take bytes and let every limit be set: rustls, hyper, quinn and h3.

mod beside;
pub mod certificate;
pub mod counts;
mod doh;
mod doq;
mod h3;
pub mod https;
pub mod open;
mod quic;
mod tls;
mod under_way;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::certificate::Certificate;
use self::counts::{Counts, Door, Handshake};
use self::under_way::UnderWay;
use super::accept::{Caller, Entrance};
use super::crowd::Seat;
use super::live::Live;
use super::turns::{Turn, Turns};
use crate::config::{DoorLimits, TcpLimits};

/// Headers of a request, in bytes. A question of a thousand bytes in a URL fits, and a browser's cookies; ours.
const HEADERS_MAX: usize = 16_384;

/// Once a connection is told that it ends, answers under way may take so long.
const FAREWELL: Duration = Duration::from_secs(2);

/// All that the encrypted doors share.
pub struct Doors {
    limits: DoorLimits,
    /// The patience with one message and one reply, as with plain TCP.
    framed: TcpLimits,
    /// Where DNS over HTTP is.
    path: Box<str>,
    entrance: Entrance,
    under_way: UnderWay,
    pub counts: Counts,
    pub certificate: Arc<Certificate>,
    tls: Turns<Live>,
    https: Turns<Live>,
    h3: Turns<Live>,
    quic: Turns<Live>,
}

impl Doors {
    /// Lets go of what the responders keep between batches.
    pub fn housekeep(&self) {
        for turns in [&self.tls, &self.https, &self.h3, &self.quic] {
            turns.housekeep();
        }
    }

    /// Connections that are open, and that were closed to make room for others.
    pub fn connections(&self) -> (usize, u64) {
        (self.entrance.crowd.count(), self.entrance.crowd.closed_for_room())
    }

    /// Shakes hands over TCP.
    async fn shake_hands(
        &self,
        door: Door,
        acceptor: &TlsAcceptor,
        stream: TcpStream,
        seat: &Seat,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<TlsStream<TcpStream>> {
        let shaken = tokio::select! {
            biased;
            () = seat.taken() => Err(Handshake::Abandoned),
            shaken = timeout(self.limits.handshake, acceptor.accept(stream)) => match shaken {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "TLS handshake");
                    Err(Handshake::Failed)
                }
                Err(_) => Err(Handshake::Abandoned),
            },
            _ = stop.wait_for(|stop| *stop) => Err(Handshake::Abandoned),
        };
        self.counts.handshake(door, shaken.as_ref().map_or_else(|ended| *ended, |_| Handshake::Done));
        shaken.ok()
    }
}

/// One connection that takes questions side by side: who it is, and how long it has been of no use.
struct Visit {
    doors: Arc<Doors>,
    caller: Caller,
    began: Instant,
    /// Milliseconds after `began` of the last question or answer.
    active_at: AtomicU64,
    questions: AtomicU64,
}

impl Visit {
    fn new(doors: Arc<Doors>, caller: Caller) -> Visit {
        let (active_at, questions) = Default::default();
        Visit { doors, caller, began: Instant::now(), active_at, questions }
    }

    /// The turn of this connection.
    fn turn<'t>(&self, turns: &'t Turns<Live>) -> MutexGuard<'t, Turn<Live>> {
        turns.take(self.caller.seat.id(), self.caller.listener)
    }

    fn touch(&self) {
        self.active_at.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// A whole question has come.
    fn asked(&self) {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.caller.seat.used();
        self.touch();
    }

    fn asked_enough(&self) -> bool {
        self.questions.load(Ordering::Relaxed) >= self.doors.limits.requests_max
    }

    /// When it has been of no use for too long, if nothing happens until then.
    fn idle_until(&self) -> Instant {
        self.began + Duration::from_millis(self.active_at.load(Ordering::Relaxed)) + self.doors.limits.idle
    }
}
