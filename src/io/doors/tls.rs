//! DNS over TLS (RFC 7858): what goes over TCP, in TLS.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::super::accept;
use super::super::framed::Parties;
use super::Doors;
use super::counts::Door;

/// RFC 7858 has no ALPN; IANA registered this, and clients that offer others want something else.
pub const ALPN: [&str; 1] = ["dot"];

pub async fn serve(doors: Arc<Doors>, acceptor: TlsAcceptor, listener: TcpListener, stop: watch::Receiver<bool>) {
    accept::each(listener, doors.entrance.clone(), stop.clone(), move |stream, caller| {
        let (doors, acceptor, mut stop) = (doors.clone(), acceptor.clone(), stop.clone());
        async move {
            let shaken = doors.shake_hands(Door::Tls, &acceptor, stream, &caller.seat, &mut stop).await;
            let Some(stream) = shaken else { return };
            let Doors { tls: turns, framed: limits, .. } = &*doors;
            Parties { caller: &caller, turns, limits }.converse(stream, stop).await;
        }
    })
    .await;
}
