//! The server as the tests talk to it: zones in, packets in, packets out. No socket.

use std::net::{IpAddr, Ipv4Addr};

use fingerpost::model::{Shared, ZoneData};
use fingerpost::problem::Problems;
pub use fingerpost::respond::Transport;
use fingerpost::respond::{Arrival, Worker, respond};
use fingerpost::snapshot::Snapshot;
use fingerpost::snapshot::settings::Settings;

/// The time that cookies are checked against.
pub const NOW: u32 = 1_700_000_000;

pub struct Server {
    pub snapshot: Snapshot,
    pub problems: Problems,
    worker: Worker,
    reply: Vec<u8>,
}

impl Server {
    pub fn new(zones: Vec<ZoneData>, settings: Settings) -> Server {
        let (snapshot, problems) = Snapshot::of(zones, Shared::default(), Default::default(), settings);
        Server { snapshot, problems, worker: Worker::new(1), reply: vec![0; 65_535] }
    }

    /// The reply's bytes; none for silence.
    pub fn ask(&mut self, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
        self.ask_from(packet, transport, IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)))
    }

    pub fn ask_from(&mut self, packet: &[u8], transport: Transport, source: IpAddr) -> Option<Vec<u8>> {
        let arrival = Arrival { packet, source, transport, unix_time: NOW };
        match respond(&self.snapshot, &arrival, &mut self.worker, &mut self.reply) {
            0 => None,
            length => Some(self.reply[..length].to_vec()),
        }
    }

    pub fn problem_lines(&self) -> Vec<String> {
        self.problems.iter().map(|problem| problem.to_string()).collect()
    }
}
