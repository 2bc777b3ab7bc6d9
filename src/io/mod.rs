//! All that touches the world: sockets, files, clocks, threads, randomness. Nothing outside this folder does.

pub mod accept;
pub mod admin_client;
pub mod announce;
pub mod bind;
pub mod admin;
pub mod clock;
pub mod confine;
pub mod crowd;
pub mod daemon;
pub mod doors;
pub mod folder;
pub mod framed;
pub mod geo;
pub mod hands;
pub mod health;
pub mod keeper;
pub mod live;
pub mod load;
pub mod log;
pub mod probe;
pub mod proxy;
pub mod repeated;
pub mod report;
pub mod routing_tests;
pub mod service;
pub mod settings;
pub mod state;
pub mod sys;
pub mod tcp;
pub mod terminal;
pub mod turns;
pub mod udp;
pub mod upstream;
pub mod watch;

use std::net::{IpAddr, SocketAddr};

/// What a server loop asks for the reply to a message; one for each thread and transport.
pub trait Responder: Send {
    /// What comes from here on came to this address of ours.
    fn listen_at(&mut self, _listener: Option<SocketAddr>) {}

    /// Comes before each batch of messages: whatever they share (the snapshot, the time) is looked up here, once.
    fn begin(&mut self);

    /// Writes the reply to a message into `reply` and returns its length; 0 is silence.
    fn respond(&mut self, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize;

    /// Takes in a message of a batch, ahead of its reply. There are `TOGETHER` places.
    fn take(&mut self, _place: usize, _message: &[u8]) {}

    /// All that are to be answered together have been taken in, at the first so many places.
    fn look_ahead(&mut self, _count: usize) {}

    /// Like `respond`, for a message that was taken in at this place.
    fn reply(&mut self, _place: usize, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize {
        self.respond(message, source, reply)
    }
}
