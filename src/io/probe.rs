//! Asks an endpoint once, as Route 53's checkers do: `route53.md` 3.3.2 to 3.3.15.
//!
//! Each phase has its own limit. Whatever the endpoint sends, a probe ends within the sum of them, and holds no more
//! than one buffer of headers and the beginning of one body.

mod awake;
mod body;
mod fetch;
mod names;
mod prometheus;
mod tls;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

pub use awake::Awake;
use awake::Start;
pub use fetch::{Fetched, Unfetched};
pub use tls::named_roots;

use super::clock::Clock;
use super::repeated::Repeated;
use super::sys;
use crate::health::checker::Checker;
use crate::health::finding::{BodyFailure, Failure, Finding, Latency, NameFailure, Outcome};
use crate::model::health_check::{Endpoint, Protocol};

/// Route 53 reads headers up to this length (3.3.5).
const HEADERS_MAX: usize = 16_384;

/// The status line comes before the headers; ours.
const STATUS_LINE_MAX: usize = 1024;

/// More header lines than this don't fit `HEADERS_MAX` in any sensible way; ours.
const HEADER_LINES_MAX: usize = 1024;

/// Where this machine has no file left to ask with, it is tried again after this; ours.
const FILES_REST: Duration = Duration::from_secs(1);

/// How long each phase may take (3.3.2).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Resolving the name, and connecting.
    pub connect: Duration,
    /// From there to the status; a TLS handshake is part of it.
    pub status: Duration,
    /// From there to as much of the body as is looked at.
    pub body: Duration,
    /// All of a TCP check.
    pub tcp: Duration,
    /// All of asking a Prometheus; ours. A period that is shorter is the limit then.
    pub metric: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let seconds = Duration::from_secs;
        Limits { connect: seconds(4), status: seconds(2), body: seconds(2), tcp: seconds(10), metric: seconds(10) }
    }
}

/// What an operator may choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Whether certificates must be valid where the check says nothing of it.
    pub validate_certificates: bool,
    /// Whether a name without an IPv4 address is looked up in IPv6.
    pub ipv6: bool,
    /// Who is asked about names; nobody: whom this machine asks.
    pub resolvers: Vec<SocketAddr>,
}

pub struct Prober {
    limits: Limits,
    options: Options,
    names: names::Names,
    tls: tls::Tls,
    awake: Arc<Awake>,
    clock: Clock,
    /// Times that no file was left.
    starving: Mutex<Repeated>,
}

/// A probe on its way.
struct Probe<'a> {
    prober: &'a Prober,
    endpoint: &'a Endpoint,
    checker: &'a Checker,
    id: &'a str,
    resolved: Option<IpAddr>,
    latency: Latency,
}

impl Prober {
    pub fn new(limits: Limits, options: Options) -> Result<Prober, rustls::Error> {
        let (names, tls) = (names::Names::new(&options.resolvers), tls::Tls::new()?);
        let (clock, starving) = (Clock::start(), Mutex::default());
        Ok(Prober { limits, names, tls, options, awake: Arc::default(), clock, starving })
    }

    /// Its limits do not count the time of which this says that it was lost.
    pub fn heeding(self, awake: Arc<Awake>) -> Prober {
        Prober { awake, ..self }
    }

    /// An endpoint that there is no file to ask with is not known to be at fault: it is asked later.
    async fn until_files_are_left(&self) {
        while let Err(error) = TcpSocket::new_v4()
            && matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
        {
            let told = self.starving.lock().unwrap_or_else(PoisonError::into_inner).again(self.clock.now());
            if let Some(times) = told {
                tracing::error!(%error, times, "health checks wait for a file; raise the limit (ulimit -n)");
            }
            sleep(FILES_REST).await;
        }
    }

    pub async fn probe(&self, id: &str, endpoint: &Endpoint, checker: &Checker) -> Outcome {
        self.until_files_are_left().await;
        let begin = Instant::now();
        let latency = Latency::default();
        let mut probe = Probe { prober: self, endpoint, checker, id, resolved: None, latency };
        let start = self.awake.begin();
        let mut finding = probe.run().await.unwrap_or_else(Finding::Failed);
        // Whoever hangs up on somebody who is silent for too long is not at fault: that was us. It is asked once more.
        if is_owed_to_silence(finding) && !self.awake.lost_since(&start).is_zero() {
            finding = probe.run().await.unwrap_or_else(Finding::Failed);
        }
        probe.latency.total = micros(begin);
        Outcome { finding, resolved: probe.resolved, latency: probe.latency }
    }

    /// Asks over a stream that leads to the endpoint already.
    pub async fn probe_over<S>(&self, id: &str, endpoint: &Endpoint, stream: S) -> Finding
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (checker, latency) = (&Checker::local(), Latency::default());
        let mut probe = Probe { prober: self, endpoint, checker, id, resolved: None, latency };
        probe.http(stream, self.awake.begin()).await.unwrap_or_else(Finding::Failed)
    }
}

impl Probe<'_> {
    async fn run(&mut self) -> Result<Finding, Failure> {
        let stream = self.connect().await?;
        match self.endpoint.protocol {
            Protocol::Tcp => Ok(Finding::Connected),
            Protocol::Http => {
                let start = self.prober.awake.begin();
                self.http(stream, start).await
            }
            Protocol::Https => self.https(stream).await,
        }
    }

    async fn connect(&mut self) -> Result<TcpStream, Failure> {
        let (begin, start) = (Instant::now(), self.prober.awake.begin());
        let Limits { connect, tcp, .. } = self.prober.limits;
        let limit = if self.endpoint.protocol == Protocol::Tcp { tcp } else { connect };
        let (resolved, endpoint, checker) = (&mut self.resolved, self.endpoint, self.checker);
        let Prober { names, options, awake, .. } = self.prober;
        let connecting = async {
            let address = match endpoint.ip_address {
                Some(address) => address,
                None => {
                    let name = endpoint.fully_qualified_domain_name.as_deref().unwrap_or_default();
                    names.resolve(name, options.ipv6).await.map_err(Failure::Resolution)?
                }
            };
            *resolved = Some(address);
            connect_from(checker.source(address), SocketAddr::new(address, endpoint.port)).await
        };
        let stream = match awake.within(limit, &start, connecting).await {
            Ok(done) => done?,
            Err(_) if self.resolved.is_none() => return Err(Failure::Resolution(NameFailure::NoAnswer)),
            Err(_) => return Err(Failure::ConnectTimeout),
        };
        self.latency.connect = micros(begin);
        // Without it a handshake waits for delayed acknowledgements.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// 3.3.4: the name is told by SNI; where the certificate does not have it, once more without.
    async fn https(&mut self, stream: TcpStream) -> Result<Finding, Failure> {
        let Prober { tls, options, awake, .. } = self.prober;
        let name = self.endpoint.fully_qualified_domain_name.as_deref();
        if self.endpoint.validate_certificate.unwrap_or(options.validate_certificates) {
            let start = awake.begin();
            let address = self.resolved.ok_or(Failure::Internal)?;
            let shaking = tls.validated(name, self.endpoint.enable_sni, address, stream);
            let shaking = async { shaking.await.map_err(tls::Refused::Failed) };
            let stream = self.handshake(&start, shaking).await.map_err(failure)?;
            return self.http(stream, start).await;
        }
        let name = name.filter(|_| self.endpoint.enable_sni);
        let mut start = awake.begin();
        let stream = match name.and_then(tls::server_name) {
            Some(name) => match self.handshake(&start, tls.with_sni(name, stream)).await {
                Err(tls::Refused::OtherName) => {
                    let stream = self.connect().await?;
                    start = awake.begin();
                    self.handshake(&start, tls.without_sni(stream)).await
                }
                done => done,
            },
            None => self.handshake(&start, tls.without_sni(stream)).await,
        };
        self.http(stream.map_err(failure)?, start).await
    }

    async fn handshake<S>(
        &mut self,
        start: &Start,
        shaking: impl Future<Output = Result<S, tls::Refused>>,
    ) -> Result<S, tls::Refused> {
        let begin = Instant::now();
        let done = self.prober.awake.within(self.prober.limits.status, start, shaking).await;
        self.latency.tls = micros(begin);
        done.unwrap_or(Err(tls::Refused::Failed(Failure::TlsTimeout)))
    }

    /// Asks over a connection that was there at `start`.
    async fn http<S>(&mut self, stream: S, start: Start) -> Result<Finding, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Prober { awake, limits, .. } = self.prober;
        let begin = Instant::now();
        let request = request(self.id, self.endpoint).ok_or(Failure::Internal)?;
        let asked = awake.within(limits.status, &start, ask(stream, request)).await;
        let (response, _connection) = asked.map_err(|_| Failure::StatusTimeout)??;
        self.latency.first_byte = micros(begin);
        let status = response.status().as_u16();
        let finding = Finding::Answered(status);
        let Some(search) = self.endpoint.search_string.as_deref().filter(|_| finding.is_healthy()) else {
            return Ok(finding);
        };
        let found = awake.within(limits.body, &awake.begin(), body::contains(response, search.as_bytes())).await;
        Ok(match found.unwrap_or(Err(BodyFailure::Timeout)) {
            Ok(true) => Finding::Matched(status),
            Ok(false) => Finding::NotMatched(status),
            Err(failure) => Finding::NoBody(status, failure),
        })
    }
}

/// What may come of it that we did not run: the other end, or a resolver of ours, did not wait for so long.
fn is_owed_to_silence(finding: Finding) -> bool {
    matches!(
        finding,
        Finding::NoBody(_, BodyFailure::Broken)
            | Finding::Failed(
                Failure::Closed | Failure::Tls | Failure::Connect | Failure::Resolution(NameFailure::NoAnswer)
            )
    )
}

fn failure(refused: tls::Refused) -> Failure {
    match refused {
        tls::Refused::Failed(failure) => failure,
        tls::Refused::OtherName => Failure::Tls,
    }
}

/// Connects; from this address, where one is said.
async fn connect_from(source: Option<IpAddr>, endpoint: SocketAddr) -> Result<TcpStream, Failure> {
    let Some(source) = source else {
        return TcpStream::connect(endpoint).await.map_err(|error| not_connected(&error));
    };
    let socket = if endpoint.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|error| not_connected(&error))?;
    // A kernel that cannot do this runs out of ports sooner, and nothing else.
    let _ = sys::choose_port_late(socket.as_fd());
    socket.bind(SocketAddr::new(source, 0)).map_err(|_| Failure::Source)?;
    socket.connect(endpoint).await.map_err(|error| not_connected(&error))
}

fn not_connected(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Failure::Unreachable,
        _ => Failure::Connect,
    }
}

/// The task that moves a connection's bytes; it ends with this.
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends the request and waits for the status and the headers.
async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(Response<Incoming>, Connection), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEADERS_MAX + STATUS_LINE_MAX).max_headers(HEADER_LINES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Closed)?;
    let moving = tokio::spawn(async move { _ = connection.await });
    let connection = Connection(moving.abort_handle());
    match sender.send_request(request).await {
        Ok(response) if headers_length(&response) > HEADERS_MAX => Err(Failure::HeaderTooLong),
        Ok(response) => Ok((response, connection)),
        Err(error) if error.is_parse_too_large() => Err(Failure::HeaderTooLong),
        Err(error) if error.is_parse() => Err(Failure::NotHttp),
        Err(_) => Err(Failure::Closed),
    }
}

/// As they came: with colon, space and end of line.
fn headers_length(response: &Response<Incoming>) -> usize {
    response.headers().iter().map(|(name, value)| name.as_str().len() + ": ".len() + value.len() + "\r\n".len()).sum()
}

fn request(id: &str, endpoint: &Endpoint) -> Option<Request<Full<Bytes>>> {
    let uri = Uri::builder().path_and_query(escaped(&endpoint.resource_path)).build().ok()?;
    let shown: String = id.chars().filter(char::is_ascii_graphic).collect();
    let agent = format!("Fingerpost-Health-Check-Service (ref {shown}; fingerpost/{})", env!("CARGO_PKG_VERSION"));
    Request::get(uri)
        .header(HOST, HeaderValue::from_str(&host(endpoint)).ok()?)
        .header(USER_AGENT, HeaderValue::from_str(&agent).ok()?)
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity,gzip,deflate")
        .body(Full::default())
        .ok()
}

/// 3.3.6: the port is told where it is not the protocol's own.
fn host(endpoint: &Endpoint) -> String {
    let name = match (&endpoint.fully_qualified_domain_name, endpoint.ip_address) {
        (Some(name), _) => name.clone(),
        (None, Some(IpAddr::V6(address))) => format!("[{address}]"),
        (None, Some(address)) => address.to_string(),
        (None, None) => String::new(),
    };
    match (endpoint.protocol, endpoint.port) {
        (Protocol::Http, 80) | (Protocol::Https, 443) => name,
        (_, port) => format!("{name}:{port}"),
    }
}

/// A path as it can be sent: what a request line cannot carry is escaped (RFC 3986, 2.1).
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#' => {
                out.push_str(&format!("%{byte:02X}"))
            }
            0x21..0x7f => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}
