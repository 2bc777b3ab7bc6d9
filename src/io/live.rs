//! A server's replies: from the snapshot that is being served now.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::{Responder, clock};
use crate::respond::counters::Counters;
use crate::respond::rate_limit::Table;
use crate::respond::{Arrival, Transport, Worker, respond};
use crate::snapshot::Snapshot;

/// The snapshot that is being served, swapped whole.
pub type Served = Arc<ArcSwap<Snapshot>>;

/// One thread's (or one TCP turn's) way to it.
pub struct Live {
    served: Cache<Served, Arc<Snapshot>>,
    /// The one that this batch is answered from.
    snapshot: Arc<Snapshot>,
    worker: Worker,
    transport: Transport,
    unix_time: u32,
}

impl Live {
    pub fn new(served: &Served, transport: Transport, seed: u64) -> Live {
        let snapshot = served.load_full();
        Live {
            served: Cache::new(served.clone()),
            snapshot,
            worker: Worker::new(seed),
            transport,
            unix_time: clock::unix_seconds(),
        }
    }

    /// Replies are limited by this table, where the settings say so.
    pub fn limited_by(mut self, table: &Arc<Table>) -> Live {
        self.worker.limit_by(table.clone());
        self
    }

    /// Whether the last answer may be another one for another client.
    pub fn is_personal(&self) -> bool {
        self.worker.is_personal()
    }

    /// Whether the last question asked for a keepalive.
    pub fn keepalive_asked(&self) -> bool {
        self.worker.keepalive_asked()
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<Counters> {
        self.worker.counters()
    }
}

impl Responder for Live {
    fn begin(&mut self) {
        let newest = self.served.load();
        if !Arc::ptr_eq(newest, &self.snapshot) {
            self.snapshot = newest.clone();
        }
        self.unix_time = clock::unix_seconds();
    }

    fn respond(&mut self, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize {
        let arrival = Arrival { packet: message, source, transport: self.transport, unix_time: self.unix_time };
        respond(&self.snapshot, &arrival, &mut self.worker, reply)
    }
}
