//! A connection without a network: what comes in comes in pieces, as bytes choose, and what goes out is kept.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use arbitrary::Unstructured;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Sleep, sleep};

/// A runtime whose clock jumps to the next thing that is due: nothing waits.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// In which pieces bytes come, and how they are taken.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Lengths of the pieces, over and over; without any, all is one.
    lengths: Vec<u8>,
    /// Each piece comes some seconds after the one before.
    pub slow: bool,
    /// Nothing is ready the first time it is asked for.
    reluctant: bool,
    /// What one write takes.
    room: usize,
}

impl Manner {
    pub fn whole() -> Manner {
        Manner { lengths: Vec::new(), slow: false, reluctant: false, room: usize::MAX }
    }

    pub fn read(given: &mut Unstructured<'_>) -> Manner {
        let mut byte = || given.arbitrary::<u8>().unwrap_or(0);
        let (how, count) = (byte(), byte() % 16);
        let room = [usize::MAX, 1, 7, 512][usize::from(how >> 2) % 4];
        let lengths = (0..count).map(|_| byte()).collect();
        Manner { lengths, slow: how & 1 != 0, reluctant: how & 2 != 0, room }
    }

    /// The bytes that read so, before what is said.
    pub fn prefix(&self) -> Vec<u8> {
        let room = [usize::MAX, 1, 7, 512].iter().position(|room| *room == self.room).unwrap_or(0) as u8;
        let how = u8::from(self.slow) | u8::from(self.reluctant) << 1 | room << 2;
        [&[how, self.lengths.len() as u8], &self.lengths[..]].concat()
    }

    /// Ways of cutting that seeds are given in.
    pub fn some() -> Vec<Manner> {
        let whole = Manner::whole();
        vec![
            Manner { lengths: vec![1], reluctant: true, ..whole.clone() },
            Manner { lengths: vec![20, 3, 200], room: 7, ..whole.clone() },
            Manner { lengths: vec![30, 2], slow: true, ..whole.clone() },
            whole,
        ]
    }

    pub fn stream(&self, bytes: &[u8]) -> (Pieces, Arc<Mutex<Gone>>) {
        let mut pieces = VecDeque::new();
        let mut rest = bytes;
        let mut lengths = self.lengths.iter().cycle();
        while !rest.is_empty() {
            let length = lengths.next().copied();
            let (piece, after) =
                rest.split_at(length.map_or(rest.len(), |one| usize::from(one.max(1))).min(rest.len()));
            let pause = Duration::from_secs(if self.slow { u64::from(length.unwrap_or(0) % 8) } else { 0 });
            pieces.push_back((pause, piece.to_vec()));
            rest = after;
        }
        let gone = Arc::new(Mutex::new(Gone::default()));
        let stream = Pieces {
            pieces,
            pause: None,
            ready: [!self.reluctant; 2],
            reluctant: self.reluctant,
            room: self.room,
            waits_for: Vec::new(),
            reader: None,
            gone: gone.clone(),
        };
        (stream, gone)
    }
}

/// What went over the stream.
#[derive(Default)]
pub struct Gone {
    pub written: Vec<u8>,
    pub read: usize,
    /// The most that a reader had room for beyond twice what it had read by then.
    pub greed: usize,
    pub closed: bool,
}

#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

pub struct Pieces {
    pieces: VecDeque<(Duration, Vec<u8>)>,
    pause: Option<Pin<Box<Sleep>>>,
    ready: [bool; 2],
    reluctant: bool,
    room: usize,
    /// Nothing is said before the other side has said this.
    waits_for: Vec<u8>,
    reader: Option<Waker>,
    gone: Arc<Mutex<Gone>>,
}

impl Pieces {
    /// Says nothing before the other side has said this.
    pub fn after(self, word: &[u8]) -> Pieces {
        Pieces { waits_for: word.to_vec(), ..self }
    }

    /// Stays for this long after the last piece.
    pub fn staying(mut self, time: Duration) -> Pieces {
        self.pieces.push_back((time, Vec::new()));
        self
    }

    fn was_asked(&self) -> bool {
        let length = self.waits_for.len();
        length == 0 || self.gone().written.windows(length).any(|window| window == self.waits_for)
    }

    /// Makes the reluctant wait once, each direction by itself.
    fn hesitate(&mut self, direction: Direction, cx: &mut Context<'_>) -> Poll<()> {
        let ready = &mut self.ready[direction as usize];
        if std::mem::replace(ready, !self.reluctant) {
            return Poll::Ready(());
        }
        *ready = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn gone(&self) -> std::sync::MutexGuard<'_, Gone> {
        self.gone.lock().expect("nobody panics with it")
    }
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.was_asked() {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        ready!(self.hesitate(Direction::Read, cx));
        let read = self.gone().read;
        let greed = buf.remaining().saturating_sub(2 * read);
        let mut gone = self.gone();
        gone.greed = gone.greed.max(greed);
        drop(gone);
        let Some((pause, _)) = self.pieces.front_mut() else { return Poll::Ready(Ok(())) };
        let pause = std::mem::take(pause);
        if pause > Duration::ZERO {
            self.pause = Some(Box::pin(sleep(pause)));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let Some((_, piece)) = self.pieces.front_mut() else { return Poll::Ready(Ok(())) };
        let length = piece.len().min(buf.remaining());
        buf.put_slice(&piece[..length]);
        piece.drain(..length);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        self.gone().read += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.hesitate(Direction::Write, cx));
        let length = bytes.len().min(self.room);
        self.gone().written.extend_from_slice(&bytes[..length]);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.gone().closed = true;
        Poll::Ready(Ok(()))
    }
}
