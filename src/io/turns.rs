//! Connections take turns at a few responders, each with room for the longest reply.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Responder;

/// The longest message that a stream can frame (RFC 1035 4.2.2).
pub const MESSAGE_MAX: usize = 65_535;

pub struct Turns<R> {
    responders: Vec<Mutex<Turn<R>>>,
}

/// A responder, for as long as this is held. Nothing is awaited meanwhile.
pub struct Turn<R> {
    pub responder: R,
    reply: Box<[u8]>,
}

impl<R: Responder> Turns<R> {
    /// There must be at least one responder; one for each thread that runs connections keeps them from waiting.
    pub fn new(responders: Vec<R>) -> Turns<R> {
        assert!(!responders.is_empty());
        let with_room = |responder| Mutex::new(Turn { responder, reply: vec![0; MESSAGE_MAX].into_boxed_slice() });
        Turns { responders: responders.into_iter().map(with_room).collect() }
    }

    /// The turn of a connection, by its number. Its responder begins a batch of what came to this address.
    pub fn take(&self, connection: u64, listener: Option<SocketAddr>) -> MutexGuard<'_, Turn<R>> {
        let at = (connection % self.responders.len() as u64) as usize;
        // A panic elsewhere leaves a responder that starts anew with the next message.
        let mut turn = self.responders[at].lock().unwrap_or_else(PoisonError::into_inner);
        turn.responder.listen_at(listener);
        turn.responder.begin();
        turn
    }

    /// Lets go of what the responders keep between batches.
    pub fn housekeep(&self) {
        for number in 0..self.responders.len() as u64 {
            drop(self.take(number, None));
        }
    }
}

impl<R: Responder> Turn<R> {
    /// The reply to a message; it is empty for silence.
    pub fn reply(&mut self, message: &[u8], client: IpAddr) -> &[u8] {
        let length = self.responder.respond(message, client, &mut self.reply);
        &self.reply[..length]
    }
}
