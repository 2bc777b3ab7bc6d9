//! Proxies that speak for their clients: from their networks a PROXY header is expected, from elsewhere none is read.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::Responder;
use crate::config::{ProxyClient, ProxySettings};
use crate::wire::proxy::{self, HEAD, Header, LENGTH_MAX};

/// How long a header may take from the connection's begin. It comes in the first packet; ours.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who may speak for others, and how often it was done.
#[derive(Default)]
pub struct Proxies {
    settings: ProxySettings,
    pub accepted: AtomicU64,
    /// Connections and packets of proxies without a header that can be read.
    pub refused: AtomicU64,
}

impl Proxies {
    pub fn new(settings: ProxySettings) -> Proxies {
        Proxies { settings, ..Proxies::default() }
    }

    pub fn any(&self) -> bool {
        !self.settings.from.is_empty()
    }

    pub fn expects(&self, source: IpAddr) -> bool {
        self.settings.expects(source)
    }

    /// Whose question it is that a proxy passes on.
    fn client(&self, header: Option<Header>, source: IpAddr) -> Option<IpAddr> {
        let count = if header.is_some() { &self.accepted } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
        let named = header?.client.unwrap_or(source);
        Some(match self.settings.client {
            ProxyClient::Header => named,
            ProxyClient::Source => source,
        })
    }

    /// Reads a proxy's header off a new connection, and no byte more. An error is no reason to say anything back.
    pub async fn client_of(&self, stream: &mut (impl AsyncRead + Unpin), source: IpAddr) -> io::Result<IpAddr> {
        let header = match timeout(PATIENCE, read(stream)).await {
            Ok(Ok(header)) => header,
            Ok(Err(_)) | Err(_) => None,
        };
        self.client(header, source).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Header>> {
    let mut bytes = [0; LENGTH_MAX];
    let Some(head) = bytes.first_chunk_mut::<HEAD>() else { return Ok(None) };
    stream.read_exact(head).await?;
    let Some(length) = proxy::length(head) else { return Ok(None) };
    stream.read_exact(&mut bytes[HEAD..length]).await?;
    Ok(proxy::read(&bytes[..length]))
}

/// Answers datagrams, with those of proxies on behalf of whom their headers name.
pub struct Behind<R> {
    pub proxies: Arc<Proxies>,
    pub responder: R,
}

impl<R: Responder> Responder for Behind<R> {
    fn listen_at(&mut self, listener: Option<SocketAddr>) {
        self.responder.listen_at(listener);
    }

    fn begin(&mut self) {
        self.responder.begin();
    }

    fn respond(&mut self, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize {
        if !self.proxies.expects(source) {
            return self.responder.respond(message, source, reply);
        }
        let header = proxy::read(message);
        let Some(client) = self.proxies.client(header, source) else { return 0 };
        let length = header.map_or(0, |header| header.length);
        self.responder.respond(&message[length..], client, reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\xc6\x33\x64\x02\x12\x34\0\x35";

    fn proxies(client: ProxyClient) -> Arc<Proxies> {
        Arc::new(Proxies::new(ProxySettings { from: vec!["10.0.0.0/8".parse().unwrap()], client }))
    }

    /// Replies with the client's address and the message.
    struct Echo;

    impl Responder for Echo {
        fn begin(&mut self) {}

        fn respond(&mut self, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize {
            let text = [source.to_string().as_bytes(), b" ", message].concat();
            reply[..text.len()].copy_from_slice(&text);
            text.len()
        }
    }

    #[test]
    fn a_datagram_is_its_clients() {
        let with_header = [HEADER, b"hello"].concat();
        for (client, source, message, expected) in [
            (ProxyClient::Header, "10.1.2.3", &with_header[..], "203.0.113.7 hello"),
            (ProxyClient::Source, "10.1.2.3", &with_header, "10.1.2.3 hello"),
            (ProxyClient::Header, "10.1.2.3", b"hello", ""),
            (ProxyClient::Header, "10.1.2.3", &HEADER[..20], ""),
            (ProxyClient::Header, "11.1.2.3", b"hello", "11.1.2.3 hello"),
        ] {
            let mut behind = Behind { proxies: proxies(client), responder: Echo };
            let mut reply = [0; 64];
            let length = behind.respond(message, source.parse().unwrap(), &mut reply);
            assert_eq!(std::str::from_utf8(&reply[..length]).unwrap(), expected);
            let refused = behind.proxies.refused.load(Ordering::Relaxed);
            assert_eq!(refused, u64::from(expected.is_empty()));
        }
    }

    #[test]
    fn a_stream_gives_its_header_and_no_byte_more() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let client_of = |mut bytes: &[u8]| {
            let source = "10.1.2.3".parse().unwrap();
            let client = runtime.block_on(proxies(ProxyClient::Header).client_of(&mut bytes, source));
            (client.ok().map(|client| client.to_string()), bytes.len())
        };
        assert_eq!(client_of(&[HEADER, b"hello"].concat()), (Some("203.0.113.7".into()), 5));
        assert_eq!(client_of(b"GET / HTTP/1.1\r\n\r\n").0, None);
        assert_eq!(client_of(&HEADER[..27]).0, None);
    }
}
