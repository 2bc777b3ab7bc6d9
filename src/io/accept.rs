//! Accepts TCP connections, whatever is spoken over them, until the server is to stop.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::clock::Clock;
use super::crowd::{Crowd, Seat};
use super::proxy::Proxies;
use super::repeated::Repeated;

/// The longest a listener rests when it cannot accept.
const REST_MAX: Duration = Duration::from_secs(1);

/// Gives each connection a seat and runs `converse` on it, with its client's address; a proxy says that first. Returns
/// once `stop` is true and all have ended.
pub async fn each<F>(
    listener: TcpListener,
    crowd: &Arc<Crowd>,
    proxies: &Arc<Proxies>,
    mut stop: watch::Receiver<bool>,
    converse: impl Fn(TcpStream, IpAddr, Seat) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut failures = 0_u32;
    let (clock, mut failing) = (Clock::start(), Repeated::default());
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = running.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((mut stream, source)) => {
                failures = 0;
                let source = source.ip();
                // Without it a reply waits for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                if !proxies.expects(source) {
                    let seat = crowd.admit(Some(source));
                    running.spawn(converse(stream, source, seat));
                    continue;
                }
                let (seat, proxies, converse) = (crowd.admit(None), proxies.clone(), converse.clone());
                running.spawn(async move {
                    let client = tokio::select! {
                        biased;
                        () = seat.taken() => return,
                        client = proxies.client_of(&mut stream, source) => client,
                    };
                    if let Ok(client) = client {
                        seat.belongs_to(client);
                        converse(stream, client, seat).await;
                    }
                });
            }
            // The client was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if let Some(times) = failing.again(clock.now()) {
                    tracing::error!(%error, times, "cannot accept TCP connections; closing idle ones and trying on");
                }
                crowd.close_idlest();
                let rest = Duration::from_millis(10 << failures.min(7)).min(REST_MAX);
                failures = failures.saturating_add(1);
                sleep(rest).await;
            }
        }
    }
    drop(listener);
    while running.join_next().await.is_some() {}
}
