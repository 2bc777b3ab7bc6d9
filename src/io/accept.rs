//! Accepts TCP connections, whatever is spoken over them, until the server is to stop.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::clock::Clock;
use super::crowd::{Crowd, Seat};
use super::live::Served;
use super::proxy::Proxies;
use super::repeated::Repeated;

/// The longest a listener rests when it cannot accept.
const REST_MAX: Duration = Duration::from_secs(1);

/// What decides who comes in.
#[derive(Clone)]
pub struct Entrance {
    pub crowd: Arc<Crowd>,
    pub proxies: Arc<Proxies>,
    /// Whose settings say who is to find nobody; none: nobody is.
    pub served: Option<Served>,
}

/// A connection that came in, and what is known of it.
pub struct Caller {
    pub client: IpAddr,
    /// The address of ours that it came to.
    pub listener: Option<SocketAddr>,
    pub seat: Seat,
}

impl Entrance {
    /// Whether this client is to find nobody here.
    pub fn turns_away(&self, client: IpAddr, listener: Option<&SocketAddr>) -> bool {
        self.served.as_ref().is_some_and(|served| served.turns_away(client, listener))
    }
}

/// Gives each connection a seat and runs `converse` on it, with its client's address; a proxy says that first. Returns
/// once `stop` is true and all have ended.
pub async fn each<F>(
    listener: TcpListener,
    entrance: Entrance,
    mut stop: watch::Receiver<bool>,
    converse: impl Fn(TcpStream, Caller) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut failures = 0_u32;
    let (clock, mut failing) = (Clock::start(), Repeated::default());
    let address = listener.local_addr().ok();
    let Entrance { crowd, proxies, .. } = &entrance;
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
                    if !entrance.turns_away(source, address.as_ref()) {
                        let seat = crowd.admit(Some(source));
                        running.spawn(converse(stream, Caller { client: source, listener: address, seat }));
                    }
                    continue;
                }
                let (seat, entrance, converse) = (crowd.admit(None), entrance.clone(), converse.clone());
                running.spawn(async move {
                    let client = tokio::select! {
                        biased;
                        () = seat.taken() => return,
                        client = entrance.proxies.client_of(&mut stream, source) => client,
                    };
                    if let Ok(client) = client
                        && !entrance.turns_away(client, address.as_ref())
                    {
                        seat.belongs_to(client);
                        converse(stream, Caller { client, listener: address, seat }).await;
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
