//! Messages with their length before them, one after the other, over any stream: TCP (RFC 7766) or TLS (RFC 7858).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::Responder;
use super::accept::Caller;
use super::turns::Turns;
use crate::config::TcpLimits;

/// Each message is preceded by its length.
pub const PREFIX: usize = 2;

/// Read at once. Most queries take a hundredth of it; a longer message grows the buffer to what it announced.
const READ_CHUNK: usize = 4096;

/// Replies wait for each other up to this, then they are written before the next query is answered.
const BUFFERED_MAX: usize = 65_536;

/// Once the server is to stop, queries are still read for so long: those that had come may not have been seen yet.
pub const LAST_CALL: Duration = Duration::from_millis(50);

/// A client that had all its replies and still sends is listened to for so long: closed at once, the connection would
/// throw away replies on their way.
const FAREWELL: Duration = Duration::from_secs(2);

/// Who talks, and with whom.
pub struct Parties<'a, R> {
    pub caller: &'a Caller,
    pub turns: &'a Turns<R>,
    pub limits: &'a TcpLimits,
}

impl<R: Responder> Parties<'_, R> {
    /// Talks until the client has said its last, a limit is reached, its seat is taken, or the server stops.
    pub async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, stop: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = self.caller.seat.taken() => {}
            // However it ended, the client knows as much as we do.
            _ = self.exchange(&mut stream, stop) => {}
        }
    }

    /// Reads, answers and writes in turn, so that a client that doesn't read its replies isn't read either.
    async fn exchange(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut input = Input::default();
        let mut output = Vec::new();
        let mut waiting_since = Instant::now();
        let mut last_call = None;
        let mut left = self.limits.queries_max;
        loop {
            input.make_room();
            let patience = if input.is_empty() { self.limits.idle } else { self.limits.read };
            let deadline = waiting_since + patience;
            let reading = timeout_at(last_call.unwrap_or(deadline).min(deadline), stream.read_buf(&mut input.bytes));
            let length = tokio::select! {
                biased;
                read = reading => match read {
                    Err(_) if last_call.is_some() => 0,
                    read => read??,
                },
                _ = stop.wait_for(|stop| *stop), if last_call.is_none() => {
                    last_call = Some(Instant::now() + LAST_CALL);
                    continue;
                }
            };
            if length == 0 {
                return timeout(self.limits.write, stream.shutdown()).await?;
            }
            if input.bytes.len() == length {
                waiting_since = Instant::now();
            }
            while input.has_message() {
                self.caller.seat.used();
                self.answer(&mut input, &mut output, &mut left);
                // A stream with buffers of its own sends what is flushed.
                timeout(self.limits.write, async {
                    stream.write_all(&output).await?;
                    stream.flush().await
                })
                .await??;
                output.clear();
                output.shrink_to(READ_CHUNK);
                waiting_since = Instant::now();
                if left == 0 {
                    return self.leave(stream).await;
                }
            }
        }
    }

    /// Ends a connection whose client may be sending on.
    async fn leave(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
        timeout(self.limits.write, stream.shutdown()).await??;
        timeout(FAREWELL, async {
            while stream.read(&mut [0; 512]).await? > 0 {}
            Ok(())
        })
        .await?
    }

    /// Answers complete messages until there is none left, or enough to write, or so many are answered.
    fn answer(&self, input: &mut Input, output: &mut Vec<u8>, left: &mut u64) {
        let mut turn = self.turns.take(self.caller.seat.id(), self.caller.listener);
        while output.len() < BUFFERED_MAX
            && *left > 0
            && let Some(message) = input.take_message()
        {
            *left -= 1;
            let reply = turn.reply(message, self.caller.client);
            if !reply.is_empty()
                && let Ok(prefix) = u16::try_from(reply.len())
            {
                output.extend_from_slice(&prefix.to_be_bytes());
                output.extend_from_slice(reply);
            }
        }
    }
}

/// Bytes read and not yet answered.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    /// Where the next message begins; all before it is answered.
    at: usize,
}

impl Input {
    fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn next_length(&self) -> Option<usize> {
        let prefix = self.bytes.get(self.at..self.at + PREFIX)?;
        Some(usize::from(u16::from_be_bytes([prefix[0], prefix[1]])))
    }

    fn has_message(&self) -> bool {
        self.next_length().is_some_and(|length| self.bytes.len() - self.at >= PREFIX + length)
    }

    fn take_message(&mut self) -> Option<&[u8]> {
        let start = self.at + PREFIX;
        let end = start + self.next_length()?;
        let message = self.bytes.get(start..end)?;
        self.at = end;
        Some(message)
    }

    /// Room grows with what was received, not with what a message announces, and a silent client keeps little.
    fn make_room(&mut self) {
        self.bytes.drain(..self.at);
        self.at = 0;
        if self.bytes.is_empty() {
            self.bytes.shrink_to(READ_CHUNK);
        }
        if self.bytes.capacity() - self.bytes.len() < READ_CHUNK / 2 {
            self.bytes.reserve(READ_CHUNK);
        }
    }
}
