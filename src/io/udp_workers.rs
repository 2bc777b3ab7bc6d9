//! The threads that answer over UDP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use super::live::{Live, Served};
use super::proxy::{Behind, Proxies};
use super::udp;
use crate::respond::Transport;
use crate::respond::counters::Counters;
use crate::respond::rate_limit::Table;

/// The threads that answer over UDP.
pub struct UdpWorkers {
    stop: Arc<AtomicBool>,
    threads: Vec<(Arc<std::net::UdpSocket>, JoinHandle<()>)>,
}

impl UdpWorkers {
    pub fn start(
        sockets: Vec<std::net::UdpSocket>,
        served: &Served,
        seed: u64,
        limiter: &Arc<Table>,
        proxies: &Arc<Proxies>,
        counters: &mut Vec<Arc<Counters>>,
    ) -> Result<UdpWorkers> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::with_capacity(sockets.len());
        for (number, socket) in (1..).zip(sockets) {
            let socket = Arc::new(socket);
            let mut live = Live::new(served, Transport::Udp, seed.wrapping_add(number)).limited_by(limiter);
            counters.push(live.counters());
            let (its_socket, its_stop) = (socket.clone(), stop.clone());
            // Who has no proxies doesn't look for any.
            let proxies = proxies.any().then(|| proxies.clone());
            let thread = thread::Builder::new()
                .name(format!("udp-{number}"))
                .spawn(move || match proxies {
                    None => udp::serve(&its_socket, &mut live, &its_stop),
                    Some(proxies) => udp::serve(&its_socket, &mut Behind { proxies, responder: live }, &its_stop),
                })
                .context("the system gives no threads")?;
            threads.push((socket, thread));
        }
        Ok(UdpWorkers { stop, threads })
    }

    /// Returns when all that had been received is answered.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for (socket, _) in &self.threads {
            udp::wake(socket);
        }
        for (_, thread) in self.threads {
            if thread.join().is_err() {
                tracing::error!("a UDP worker had ended before its time");
            }
        }
    }
}
