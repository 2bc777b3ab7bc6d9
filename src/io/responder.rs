//! Who replies: what the loops of all transports talk to.

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
