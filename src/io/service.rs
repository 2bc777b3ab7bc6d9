//! What a service manager such as systemd gives and wants to know: sockets that it has bound, and how we are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use socket2::SockRef;

use super::admin::Loads;
use super::bind::Sockets;
use super::udp;
use crate::problem::counted;
use crate::respond::counters::{Counter, Counters};

/// The sockets that were bound for us (LISTEN_FDS), if there are any. Workers share those for UDP.
pub fn sockets(workers: usize) -> Result<Option<Sockets>> {
    let mut given = ListenFd::from_env();
    if given.len() == 0 {
        return Ok(None);
    }
    let mut sockets = Sockets { addresses: Vec::new(), udp: Vec::new(), tcp: Vec::new() };
    for number in 0..given.len() {
        if let Ok(Some(socket)) = given.take_udp_socket(number) {
            let address = socket.local_addr()?;
            check(&SockRef::from(&socket), address)?;
            udp::prepare(&socket, &address).with_context(|| format!("cannot use the socket given for {address}"))?;
            for _ in 1..workers {
                sockets.udp.push(socket.try_clone()?);
            }
            sockets.udp.push(socket);
            sockets.addresses.push(address);
        } else if let Ok(Some(listener)) = given.take_tcp_listener(number) {
            let address = listener.local_addr()?;
            check(&SockRef::from(&listener), address)?;
            listener.set_nonblocking(true)?;
            sockets.tcp.push(listener);
            sockets.addresses.push(address);
        } else {
            bail!(
                "socket {number} of those given (LISTEN_FDS) is neither UDP nor listens for TCP; ListenDatagram and \
                 ListenStream name what this server understands"
            );
        }
    }
    sockets.addresses.sort();
    sockets.addresses.dedup();
    Ok(Some(sockets))
}

/// A mapped IPv4 address would be a stranger to client subnets, cookies and geography.
fn check(socket: &SockRef<'_>, address: SocketAddr) -> Result<()> {
    if address.is_ipv6() && !socket.only_v6()? {
        bail!("the socket given for {address} takes IPv4, too; BindIPv6Only=ipv6-only in its unit keeps the two apart");
    }
    Ok(())
}

/// How we are, for whoever started us. Without a service manager nothing is told.
pub struct Service {
    watchdog: Option<Watchdog>,
}

/// Tells regularly that all is well; when it stops telling, we are started anew.
struct Watchdog {
    every: Duration,
    last: Instant,
    /// Of each thread that answers over UDP, and how often it had looked for queries.
    workers: Vec<(Arc<Counters>, u64)>,
}

impl Service {
    pub fn new(workers: Vec<Arc<Counters>>) -> Service {
        let watchdog = sd_notify::watchdog_enabled().map(|limit| Watchdog {
            // Half of it, as sd_watchdog_enabled(3) advises.
            every: limit / 2,
            last: Instant::now(),
            workers: workers.into_iter().map(|counters| (counters, 0)).collect(),
        });
        Service { watchdog }
    }

    pub fn ready(&self, loads: &Loads) {
        let (zones, records) = (loads.zones.load(Ordering::Relaxed), loads.records.load(Ordering::Relaxed));
        let status = format!("serving {}, {}", counted(zones, "zone"), counted(records, "record"));
        tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the service manager cannot be told of a reload"),
        }
    }

    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// To be called every second, by what keeps everything else going.
    pub fn alive(&mut self) {
        let Some(watchdog) = &mut self.watchdog else { return };
        if watchdog.last.elapsed() >= watchdog.every && watchdog.have_workers_moved() {
            watchdog.last = Instant::now();
            tell(&[NotifyState::Watchdog]);
        }
    }
}

impl Watchdog {
    /// A thread without queries looks for them ten times a second.
    fn have_workers_moved(&mut self) -> bool {
        let mut moved = true;
        for (counters, before) in &mut self.workers {
            let now = counters.get(Counter::Batches);
            moved &= now != *before;
            *before = now;
        }
        moved
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_stands_still_is_found() {
        let workers: Vec<Arc<Counters>> = vec![Arc::default(), Arc::default()];
        let watched = workers.iter().map(|counters| (counters.clone(), 0)).collect();
        let mut watchdog = Watchdog { every: Duration::ZERO, last: Instant::now(), workers: watched };
        workers[0].add(Counter::Batches);
        assert!(!watchdog.have_workers_moved(), "the second has not begun");
        workers[0].add(Counter::Batches);
        workers[1].add(Counter::Batches);
        assert!(watchdog.have_workers_moved());
        workers[1].add(Counter::Batches);
        assert!(!watchdog.have_workers_moved(), "the first stands still");
    }
}
