//! A server's replies: from the snapshot that is being served now.

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arc_swap::{ArcSwap, Cache};

use super::{Responder, clock, sys};
use crate::respond::counters::{Counter, Counters};
use crate::respond::rate_limit::Table;
use crate::respond::{Arrival, Transport, Worker, respond};
use crate::snapshot::Snapshot;
use crate::snapshot::access::Treatment;

/// The snapshot that is being served, swapped whole.
#[derive(Clone)]
pub struct Served(Arc<Swapped>);

struct Swapped {
    snapshot: ArcSwap<Snapshot>,
    /// Those that were served before and that somebody may still answer from. To let go of the last of millions of
    /// records takes time, which is not to be a query's.
    retired: Mutex<Vec<Arc<Snapshot>>>,
    /// Connections of clients that are kept out.
    turned_away: AtomicU64,
}

impl Served {
    pub fn new(snapshot: Arc<Snapshot>) -> Served {
        let (retired, turned_away) = Default::default();
        Served(Arc::new(Swapped { snapshot: ArcSwap::new(snapshot), retired, turned_away }))
    }

    pub fn store(&self, snapshot: Arc<Snapshot>) {
        let before = self.0.snapshot.swap(snapshot);
        self.retire(before);
    }

    /// Serves what `change` makes of what is served; returns what was.
    pub fn rcu(&self, change: impl FnMut(&Arc<Snapshot>) -> Snapshot) -> Arc<Snapshot> {
        let before = self.0.snapshot.rcu(change);
        self.retire(before.clone());
        before
    }

    fn retire(&self, before: Arc<Snapshot>) {
        self.0.retired.lock().unwrap_or_else(PoisonError::into_inner).push(before);
    }

    /// Whether whoever comes from here to this address of ours is to find nobody there.
    pub fn turns_away(&self, source: IpAddr, listener: Option<&SocketAddr>) -> bool {
        let snapshot = self.load();
        let denied = snapshot.settings.access.as_ref().and_then(|access| access.at_door(source, listener));
        let away = denied.is_some_and(|denied| denied.treatment == Treatment::Dropped);
        if away {
            self.0.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        away
    }

    /// How many connections were.
    pub fn turned_away(&self) -> u64 {
        self.0.turned_away.load(Ordering::Relaxed)
    }

    /// Lets go of what nobody answers from any more. Where that has zones of its own, a thread does it that stands back:
    /// a million records take milliseconds, and what they leave goes back to the system.
    pub fn sweep(&self) {
        let mut retired = self.0.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let (gone, still) = retired.drain(..).partition(|snapshot| Arc::strong_count(snapshot) == 1);
        *retired = still;
        drop(retired);
        let gone: Vec<Arc<Snapshot>> = gone;
        let served = self.load();
        if gone.iter().any(|snapshot| !Arc::ptr_eq(&snapshot.zones, &served.zones)) {
            let let_go = move || {
                sys::stand_back();
                drop(gone);
                sys::give_back_memory();
            };
            // Without a thread it is let go of here.
            let _ = thread::Builder::new().name("sweeper".into()).spawn(let_go);
        }
    }
}

impl Deref for Served {
    type Target = ArcSwap<Snapshot>;

    fn deref(&self) -> &ArcSwap<Snapshot> {
        &self.0.snapshot
    }
}

/// One thread's (or one TCP turn's) way to it.
pub struct Live {
    served: Cache<Served, Arc<Snapshot>>,
    /// The one that this batch is answered from.
    snapshot: Arc<Snapshot>,
    worker: Worker,
    counters: Arc<Counters>,
    transport: Transport,
    /// Where what is answered now came to.
    listener: Option<SocketAddr>,
    unix_time: u32,
}

impl Live {
    pub fn new(served: &Served, transport: Transport, seed: u64) -> Live {
        let snapshot = served.load_full();
        let worker = Worker::new(seed);
        Live {
            served: Cache::new(served.clone()),
            snapshot,
            counters: worker.counters(),
            worker,
            transport,
            listener: None,
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
        self.counters.clone()
    }
}

impl Responder for Live {
    fn listen_at(&mut self, listener: Option<SocketAddr>) {
        self.listener = listener;
    }

    fn begin(&mut self) {
        let newest = self.served.load();
        if !Arc::ptr_eq(newest, &self.snapshot) {
            self.snapshot = newest.clone();
        }
        self.unix_time = clock::unix_seconds();
        self.counters.add(Counter::Batches);
    }

    fn respond(&mut self, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize {
        let &mut Live { transport, unix_time, .. } = self;
        let arrival = Arrival { packet: message, source, listener: self.listener.as_ref(), transport, unix_time };
        respond(&self.snapshot, &arrival, &mut self.worker, reply)
    }

    fn take(&mut self, place: usize, message: &[u8]) {
        self.worker.take(&self.snapshot, place, message);
    }

    fn look_ahead(&mut self, count: usize) {
        self.worker.look_ahead(&self.snapshot, count);
    }

    fn reply(&mut self, place: usize, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize {
        let &mut Live { transport, unix_time, .. } = self;
        let arrival = Arrival { packet: message, source, listener: self.listener.as_ref(), transport, unix_time };
        self.worker.reply(&self.snapshot, place, &arrival, reply)
    }
}
