//! Messages on their way over HTTP and QUIC, where one connection has many at a time: together they take no more than
//! was set aside for all.

use std::sync::Arc;

use hyper::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::turns::MESSAGE_MAX;

/// What longer questions that are not whole yet, and replies that nobody has taken yet, take together; ours. A reply has
/// some hundred bytes.
const UNDER_WAY_MAX: usize = 256 << 20;

/// So many bytes of a question are kept for everybody who sends them: real ones are shorter. Ours.
const SMALL: usize = 1024;

/// Room is counted in so many bytes.
const UNIT: usize = 1024;

#[derive(Clone)]
pub struct UnderWay(Arc<Semaphore>);

impl Default for UnderWay {
    fn default() -> UnderWay {
        UnderWay::of(UNDER_WAY_MAX)
    }
}

/// Why a question is not read to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// No message is so long.
    TooLong,
    /// Others' messages take all there is.
    NoRoom,
}

/// A question, as its pieces come.
pub struct Question {
    bytes: Vec<u8>,
    most: usize,
    under_way: UnderWay,
    /// Given back with it.
    room: Option<OwnedSemaphorePermit>,
}

/// A reply that gives its room back when nobody has it any more.
struct Reply {
    bytes: Box<[u8]>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Reply {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl UnderWay {
    fn of(bytes: usize) -> UnderWay {
        UnderWay(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_many_owned(bytes.div_ceil(UNIT) as u32).ok()
    }

    /// A reply for as long as it is on its way; none where there is no room for it.
    pub fn reply(&self, bytes: &[u8]) -> Option<Bytes> {
        let room = self.room(bytes.len())?;
        Some(Bytes::from_owner(Reply { bytes: bytes.into(), _room: room }))
    }

    /// A question of which nothing has come yet; with what frames it, it has `more` bytes at most than a message can.
    pub fn question(&self, more: usize) -> Question {
        Question { bytes: Vec::new(), most: MESSAGE_MAX + more, under_way: self.clone(), room: None }
    }
}

impl Question {
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Unread> {
        let length = self.bytes.len() + piece.len();
        if length > self.most {
            return Err(Unread::TooLong);
        }
        if length > SMALL && self.room.is_none() {
            self.room = Some(self.under_way.room(self.most).ok_or(Unread::NoRoom)?);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_have_room_until_they_are_gone() {
        let under_way = UnderWay::of(4 * UNIT);
        let first = under_way.reply(&[1; 3 * UNIT]).unwrap();
        assert_eq!(first.len(), 3 * UNIT);
        assert!(under_way.reply(&[2; UNIT + 1]).is_none());
        let second = under_way.reply(&[2; UNIT]).unwrap();
        // Whoever still sends a part of it holds all of it.
        let part = first.slice(1..2);
        drop(first);
        assert!(under_way.reply(&[3]).is_none());
        drop((part, second));
        assert!(under_way.reply(&[3; 4 * UNIT]).is_some());
    }

    #[test]
    fn short_questions_are_read_whatever_others_send() {
        let under_way = UnderWay::of(2 * MESSAGE_MAX);
        let long = |under_way: &UnderWay| {
            let mut question = under_way.question(0);
            question.push(&[0; SMALL]).and_then(|()| question.push(&[0; 1])).map(|()| question)
        };
        let first = long(&under_way).map_err(|_| ()).unwrap();
        assert_eq!(long(&under_way).map(|_| ()), Err(Unread::NoRoom));
        let mut short = under_way.question(0);
        assert_eq!(short.push(&[7; SMALL]), Ok(()));
        assert_eq!(short.bytes(), [7; SMALL]);
        drop(first);
        let mut longest = under_way.question(2);
        assert_eq!(longest.push(&[0; MESSAGE_MAX + 2]), Ok(()));
        assert_eq!(longest.push(&[0]), Err(Unread::TooLong));
    }
}
