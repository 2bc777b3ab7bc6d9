//! The framing of requests, seen before hyper sees it: hyper drops a Content-Length that stands beside a
//! Transfer-Encoding, and what stands before this server may have gone by the other (RFC 9112, 6.3).

use std::collections::VecDeque;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::HEADERS_MAX;

/// For each request head that came and was not taken yet: whether its length is given in two ways.
#[derive(Clone, Default)]
pub struct Heads(Arc<Mutex<VecDeque<bool>>>);

impl Heads {
    /// Takes the next head. One that was not understood here is refused by hyper.
    pub fn next_is_ambiguous(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(false)
    }
}

/// A connection whose request heads are noted as they are read.
pub struct Framed<S> {
    stream: S,
    heads: Heads,
    at: At,
}

/// What the next byte belongs to.
enum At {
    Head(Head),
    Body {
        left: u64,
    },
    /// Nothing more is looked at: after chunks, the connection is closed.
    End,
}

#[derive(Default)]
struct Head {
    line: Vec<u8>,
    /// The request line has come.
    began: bool,
    length: Option<u64>,
    encoded: bool,
}

impl<S> Framed<S> {
    pub fn new(stream: S) -> (Framed<S>, Heads) {
        let heads = Heads::default();
        (Framed { stream, heads: heads.clone(), at: At::Head(Head::default()) }, heads)
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.at {
                At::End => return,
                At::Body { left } => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= skipped as u64;
                    bytes = &bytes[skipped..];
                    if *left == 0 {
                        self.at = At::Head(Head::default());
                    }
                }
                At::Head(head) => {
                    let end = bytes.iter().position(|&byte| byte == b'\n');
                    let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    head.line.extend_from_slice(part);
                    bytes = rest;
                    if head.line.len() > HEADERS_MAX {
                        self.at = At::End;
                    } else if end.is_some() {
                        self.end_of_line();
                    }
                }
            }
        }
    }

    fn end_of_line(&mut self) {
        let At::Head(head) = &mut self.at else { return };
        let line = std::mem::take(&mut head.line);
        let line = line.trim_ascii_end();
        match (line.is_empty(), head.began) {
            // Empty lines before a request are skipped (RFC 9112, 2.2).
            (true, false) => {}
            (true, true) => {
                let (length, encoded) = (head.length.unwrap_or(0), head.encoded);
                let ambiguous = head.encoded && head.length.is_some();
                self.heads.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(ambiguous);
                self.at = match length {
                    _ if encoded => At::End,
                    0 => At::Head(Head::default()),
                    left => At::Body { left },
                };
            }
            (false, false) => head.began = true,
            (false, true) => {
                let Some(colon) = line.iter().position(|&byte| byte == b':') else { return };
                let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
                if name.eq_ignore_ascii_case(b"transfer-encoding") {
                    head.encoded = true;
                } else if name.eq_ignore_ascii_case(b"content-length") {
                    // What is no number counts as given: hyper refuses it, or drops it beside the other.
                    let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                    head.length = Some(number.unwrap_or(0));
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, into))?;
        this.read(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The heads of what came, whatever pieces it came in.
    fn heads(text: &str) -> Vec<bool> {
        let mut all: Vec<Vec<bool>> = Vec::new();
        for size in [1, 2, 7, text.len().max(1)] {
            let (mut framed, heads) = Framed::new(());
            text.as_bytes().chunks(size).for_each(|piece| framed.read(piece));
            all.push(heads.0.lock().unwrap().iter().copied().collect());
        }
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{text:?}: {all:?}");
        all.swap_remove(0)
    }

    #[test]
    fn a_length_given_in_two_ways_is_seen_in_either_order() {
        let body = "POST / HTTP/1.1\r\nContent-Length: 17\r\n\r\nTransfer-Encoding";
        let chunked = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
        for (text, expected) in [
            ("", vec![]),
            ("GET / HTTP/1.1\r\nHost: a\r\n", vec![]),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", vec![false]),
            ("\r\n\nGET / HTTP/1.1\nHost: a\n\n", vec![false]),
            ("GET / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", vec![true]),
            ("GET / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nX: y\r\ncontent-LENGTH:5\r\n\r\n", vec![true]),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n", vec![true]),
            (&body.repeat(3), vec![false; 3]),
            (&format!("{body}{chunked}{body}"), vec![false; 2]),
        ] {
            assert_eq!(heads(text), expected, "{text:?}");
        }
        assert_eq!(heads(&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(2 * HEADERS_MAX))), Vec::<bool>::new());
    }
}
