//! QUIC connections, for DNS over QUIC and HTTP/3: their limits, and how strangers get in.
//!
//! A stranger's address may be forged until the handshake is over. Only then has it a seat among the connections;
//! before that it has one of a few places for handshakes, and while half of these are taken it has to show with a
//! Retry that it is where it says.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, EndpointConfig, Incoming, ServerConfig, TransportConfig, VarInt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::accept::Caller;
use super::super::turns::MESSAGE_MAX;
use super::counts::{Door, Handshake};
use super::{Doors, FAREWELL, Visit};
use crate::config::DoorLimits;

/// Handshakes going on at a time at one address; ours.
const HANDSHAKES_MAX: usize = 512;

/// With so many going on, strangers have to prove their address; ours.
const RETRY_FROM: usize = HANDSHAKES_MAX / 2;

/// First packets that wait while we are busy, and what each may send meanwhile.
const INCOMING_MAX: usize = 1024;
const INCOMING_BYTES_MAX: u64 = 16 * 1024;

/// Questions that one connection sends without waiting for our leave, in bytes; one of the greatest length has to fit,
/// and others beside it.
const RECEIVE_WINDOW: u32 = 2 * MESSAGE_MAX as u32;

/// Replies that a connection keeps until its client has acknowledged them; more wait their turn.
const SEND_WINDOW: u64 = 2 * MESSAGE_MAX as u64;

/// How long an endpoint waits for its goodbyes to be sent.
const GOODBYE: Duration = Duration::from_millis(200);

/// An endpoint on a socket. `one_way` streams are what HTTP/3 needs for itself; DNS has none.
pub fn endpoint(socket: UdpSocket, tls: rustls::ServerConfig, limits: &DoorLimits, one_way: u32) -> Result<Endpoint> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams_max))
        .max_concurrent_uni_streams(VarInt::from_u32(one_way))
        .max_idle_timeout(Some(limits.idle.try_into().context("the idle time is too long for QUIC")?))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None);
    let crypto = QuicServerConfig::try_from(tls).context("this certificate does not do for QUIC")?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_MAX * INCOMING_MAX as u64);
    socket.set_nonblocking(true)?;
    let runtime = Arc::new(quinn::TokioRuntime);
    Endpoint::new(EndpointConfig::default(), Some(config), socket, runtime).context("QUIC cannot be had")
}

/// Lets connections in and runs `converse` on each, until `stop` is true and all have ended.
pub async fn serve<F>(
    doors: Arc<Doors>,
    door: Door,
    endpoint: Endpoint,
    mut stop: watch::Receiver<bool>,
    converse: impl Fn(Connection, Arc<Visit>, watch::Receiver<bool>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let mut running = JoinSet::new();
    let listener = endpoint.local_addr().ok();
    loop {
        let incoming = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = running.join_next() => continue,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { break };
        if doors.entrance.turns_away(incoming.remote_address().ip(), listener.as_ref()) {
            incoming.ignore();
            continue;
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            doors.counts.refused();
            incoming.refuse();
            continue;
        };
        if HANDSHAKES_MAX - places.available_permits() > RETRY_FROM && !incoming.remote_address_validated() {
            // It comes again, with our token.
            let _ = incoming.retry();
            continue;
        }
        let (doors, stop, converse) = (doors.clone(), stop.clone(), converse.clone());
        running.spawn(async move {
            let Some(connection) = shake_hands(&doors, door, incoming, place).await else { return };
            let client = connection.remote_address().ip();
            let seat = doors.entrance.crowd.admit(Some(client));
            converse(connection, Arc::new(Visit::new(doors, Caller { client, listener, seat })), stop).await;
        });
    }
    let _ = timeout(FAREWELL + GOODBYE, async { while running.join_next().await.is_some() {} }).await;
    endpoint.close(VarInt::from_u32(0), b"");
    let _ = timeout(GOODBYE, endpoint.wait_idle()).await;
}

/// The place is free for others when it is over, one way or the other.
async fn shake_hands(doors: &Doors, door: Door, incoming: Incoming, _: OwnedSemaphorePermit) -> Option<Connection> {
    let shaken = match timeout(doors.limits.handshake, async { incoming.accept()?.await }).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => {
            tracing::debug!(%error, "QUIC handshake");
            Err(Handshake::Failed)
        }
        Err(_) => Err(Handshake::Abandoned),
    };
    doors.counts.handshake(door, shaken.as_ref().map_or_else(|ended| *ended, |_| Handshake::Done));
    shaken.ok()
}
