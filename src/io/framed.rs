//! Messages with their length before them, one after the other, over any stream: TCP (RFC 7766) or TLS (RFC 7858).

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::Responder;
use super::crowd::Seat;
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

/// Who talks, and with whom.
pub struct Parties<'a, R> {
    pub client: IpAddr,
    pub seat: &'a Seat,
    pub turns: &'a Turns<R>,
    pub limits: &'a TcpLimits,
}

impl<R: Responder> Parties<'_, R> {
    /// Talks until the client has said its last, a limit is reached, its seat is taken, or the server stops.
    pub async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, stop: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = self.seat.taken() => {}
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
                self.seat.used();
                self.answer(&mut input, &mut output);
                // A stream with buffers of its own sends what is flushed.
                timeout(self.limits.write, async {
                    stream.write_all(&output).await?;
                    stream.flush().await
                })
                .await??;
                output.clear();
                output.shrink_to(READ_CHUNK);
                waiting_since = Instant::now();
            }
        }
    }

    /// Answers complete messages until there is none left, or enough to write.
    fn answer(&self, input: &mut Input, output: &mut Vec<u8>) {
        let mut turn = self.turns.take(self.seat.id());
        while output.len() < BUFFERED_MAX
            && let Some(message) = input.take_message()
        {
            let reply = turn.reply(message, self.client);
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
