//! The settings of encrypted listeners, and of proxies that stand before any listener.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::{
    CONNECTIONS_MAX, Setting, Value, Wrong, address, boolean, name_in, networks, number, one_of, seconds, text, wrong,
};

/// QUIC numbers streams with 60 bits, HTTP/2 with 31; nobody has so many questions at a time.
const STREAMS_MAX: i64 = 65_535;

/// Questions over one connection; HTTP/2 has numbers for two milliards of streams.
pub(super) const REQUESTS_MAX: i64 = 1 << 30;

/// Where the encrypted doors are, and what they may take.
#[derive(Clone, Debug, PartialEq)]
pub struct Doors {
    pub tls: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    pub h3: Vec<SocketAddr>,
    pub quic: Vec<SocketAddr>,
    pub certificate: Option<PathBuf>,
    /// None: it lies in the certificate's file.
    pub key: Option<PathBuf>,
    /// A certificate is made at start.
    pub self_signed: bool,
    /// Where DNS over HTTP is, such as `/dns-query`.
    pub path: Box<str>,
    pub limits: DoorLimits,
}

/// What encrypted connections may take.
#[derive(Clone, Debug, PartialEq)]
pub struct DoorLimits {
    /// All connections, over TLS, HTTPS, HTTP/3 and QUIC together; beyond, the one useful longest ago is closed.
    pub connections_max: usize,
    /// Connections of one client: an IPv4 address, or an IPv6 network of 64 bits.
    pub client_max: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a connection may be silent between questions.
    pub idle: Duration,
    /// Questions under way at a time over one connection that can have several.
    pub streams_max: u32,
    /// Questions over one connection; then the client is asked to come again.
    pub requests_max: u64,
}

/// Who speaks for others, and what their word is worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProxySettings {
    /// From here a PROXY header is expected, and nothing without one is listened to.
    pub from: Vec<IpNet>,
    pub client: ProxyClient,
}

/// Who the client of a proxy is taken to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyClient {
    /// Whom the header names.
    #[default]
    Header,
    /// The proxy: the connection's own address.
    Source,
}

impl Default for Doors {
    fn default() -> Doors {
        Doors {
            tls: Vec::new(),
            https: Vec::new(),
            h3: Vec::new(),
            quic: Vec::new(),
            certificate: None,
            key: None,
            self_signed: false,
            path: "/dns-query".into(),
            limits: DoorLimits::default(),
        }
    }
}

impl Default for DoorLimits {
    fn default() -> DoorLimits {
        DoorLimits {
            connections_max: 2048,
            client_max: 256,
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            streams_max: 100,
            requests_max: 1_000_000,
        }
    }
}

impl Doors {
    /// Whether any encrypted door is to be opened.
    pub fn any(&self) -> bool {
        [&self.tls, &self.https, &self.h3, &self.quic].iter().any(|addresses| !addresses.is_empty())
    }
}

impl ProxySettings {
    /// Whether this address has to say for whom it speaks.
    pub fn expects(&self, source: IpAddr) -> bool {
        self.from.iter().any(|network| network.contains(&source))
    }
}

#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    setting!(AtStart, "listen_tls = [\"192.0.2.53:853\"]", |config, value, _| config.doors.tls = address::listening(value, address::DNS_OVER_TLS)?),
    setting!(AtStart, "listen_https = [\"192.0.2.53:443\"]", |config, value, _| config.doors.https = address::listening(value, address::HTTPS)?),
    setting!(AtStart, "listen_h3 = [\"192.0.2.53:443\"]", |config, value, _| config.doors.h3 = address::listening(value, address::HTTPS)?),
    setting!(AtStart, "listen_quic = [\"192.0.2.53:853\"]", |config, value, _| config.doors.quic = address::listening(value, address::DNS_OVER_TLS)?),
    setting!(AtStart, "certificate = \"fullchain.pem\"", |config, value, folder| config.doors.certificate = Some(folder.join(text(value)?))),
    setting!(AtStart, "certificate_key = \"privkey.pem\"", |config, value, folder| config.doors.key = Some(folder.join(text(value)?))),
    setting!(AtStart, "self_signed = true", |config, value, _| config.doors.self_signed = boolean(value)?),
    setting!(AtStart, "https_path = \"/dns-query\"", |config, value, _| config.doors.path = path(value)?),
    setting!(AtStart, "encrypted_connections_max = 2048", |config, value, _| config.doors.limits.connections_max = number(value, 1, CONNECTIONS_MAX)? as usize),
    setting!(AtStart, "encrypted_connections_per_client_max = 256", |config, value, _| config.doors.limits.client_max = number(value, 1, CONNECTIONS_MAX)? as usize),
    setting!(AtStart, "encrypted_handshake_seconds = 5", |config, value, _| config.doors.limits.handshake = seconds(value)?),
    setting!(AtStart, "encrypted_idle_seconds = 30", |config, value, _| config.doors.limits.idle = seconds(value)?),
    setting!(AtStart, "encrypted_streams_max = 100", |config, value, _| config.doors.limits.streams_max = number(value, 1, STREAMS_MAX)? as u32),
    setting!(AtStart, "encrypted_requests_max = 1000000", |config, value, _| config.doors.limits.requests_max = number(value, 1, REQUESTS_MAX)? as u64),
    setting!(AtStart, "proxy_from = [\"10.0.0.0/8\"]", |config, value, _| config.proxy.from = networks(value)?),
    setting!(AtStart, "proxy_client = \"header\"", |config, value, _| config.proxy.client =
        one_of(value, &[("header", ProxyClient::Header), ("source", ProxyClient::Source)])?),
];

fn path(value: &Value<'_>) -> Result<Box<str>, Wrong> {
    let path = text(value)?;
    if path.starts_with('/') && path.bytes().all(|one| one.is_ascii_graphic() && !b"?#%{}".contains(&one)) {
        Ok(path.into())
    } else {
        wrong(value, format!("\"{path}\" is not the path of a URL, which begins with / and has no ? in it"))
    }
}
