//! The admin port: HTTP/1.1 and JSON, for operators and their tools. `openapi.json` describes it.
//!
//! On loopback whoever is on the machine may use it, but no web page that a browser there shows; elsewhere, and where
//! `FINGERPOST_ADMIN_TOKEN` is set, a bearer token is required.

mod callers;
mod framing;
mod metrics;
pub mod ports;
mod questions;
mod routes;
#[cfg(test)]
mod tests;
mod view;
pub mod waiting;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN, TRANSFER_ENCODING,
    WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::admin_client::TOKEN_VARIABLE;
use super::bind::{self, Wanted};
use super::doors::Doors;
use super::health::Health;
use super::keeper::Saving;
use super::live::Served;
use super::proxy::Proxies;
use crate::respond::counters::Counters;
use callers::{Caller, Callers};
use framing::{Framed, Heads};
use questions::{Question, Questions};

/// Headers of a request, in bytes; ours.
const HEADERS_MAX: usize = 16_384;

/// The body of a request, in bytes: it says a few words; ours.
const BODY_MAX: usize = 65_536;

/// … and of many observations at once; ours.
const OBSERVATIONS_BODY_MAX: usize = 1 << 20;

/// So much of a change's path and of its body is logged, in characters; ours.
const LOGGED_MAX: usize = 200;

/// How long a client may take to say its headers, or its body.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection may last, so that nobody holds one for ever.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// A pause where the system gives no connection, so that the processor is not kept busy by that.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A token that is easily guessed protects nobody; ours.
const TOKEN_MIN: usize = 16;

/// A browser says by it whether a page of another site asks (W3C, Fetch Metadata).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// What loads came to, for metrics.
#[derive(Default)]
pub struct Loads {
    pub zones: AtomicU64,
    pub records: AtomicU64,
    /// Zones whose file has errors, served as before or not at all.
    pub failed: AtomicU64,
    pub reloads: AtomicU64,
    pub reloads_failed: AtomicU64,
}

impl Loads {
    pub fn set(&self, zones: usize, records: u64, failed: usize) {
        self.zones.store(zones as u64, Ordering::Relaxed);
        self.records.store(records, Ordering::Relaxed);
        self.failed.store(failed as u64, Ordering::Relaxed);
    }
}

/// All that the admin port shows and changes.
pub struct Admin {
    pub health: Arc<Health>,
    /// Of every worker.
    pub counters: Vec<Arc<Counters>>,
    pub loads: Arc<Loads>,
    /// None where there are no encrypted ones.
    pub doors: Option<Arc<Doors>>,
    pub proxies: Arc<Proxies>,
    pub served: Served,
    /// Told when somebody wants the folders to be looked at again.
    pub reload: Arc<Notify>,
    pub token: Option<String>,
    pub limits: Limits,
}

/// What bounds the work for clients of the admin port.
#[derive(Default)]
pub struct Limits {
    callers: Arc<Callers>,
    questions: Questions,
}

/// Binds the port. Fails where it would be open to everybody.
pub fn bind(address: SocketAddr) -> Result<(std::net::TcpListener, Option<String>)> {
    let token = std::env::var(TOKEN_VARIABLE).ok().map(|token| token.trim().to_string());
    check_token(address.ip(), token.as_deref())?;
    let wanted = Wanted { protocol: "admin port", option: "--admin" };
    let listener = super::tcp::bind(address).map_err(|error| bind::refusal(address, &wanted, &error))?;
    Ok((listener, token))
}

fn check_token(address: IpAddr, token: Option<&str>) -> Result<()> {
    match token {
        None if !address.is_loopback() => bail!(
            "the admin port would be open to whoever reaches {address}; put a token of {TOKEN_MIN} characters or more \
             into {TOKEN_VARIABLE}, or listen on loopback"
        ),
        Some(token) if token.len() < TOKEN_MIN => {
            bail!("the token in {TOKEN_VARIABLE} is short enough to be guessed; {TOKEN_MIN} characters are needed")
        }
        _ => Ok(()),
    }
}

impl Admin {
    /// Serves until told to stop.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let (stream, peer) = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(_) => {
                        tokio::time::sleep(ACCEPT_RETRY).await;
                        continue;
                    }
                },
                _ = stop.changed() => return,
            };
            // Strangers that come in numbers close each other. One that asks at once is read before the next one comes.
            let pause = self.limits.callers.pause();
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let caller = self.limits.callers.admit(peer.ip());
            tokio::spawn(self.clone().converse_as(caller, stream, peer));
            tokio::task::yield_now().await;
        }
    }

    /// Replies to the requests of one connection, until another one needs its place.
    pub async fn converse(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr) {
        let caller = self.limits.callers.admit(peer.ip());
        self.converse_as(caller, stream, peer).await;
    }

    async fn converse_as(
        self: Arc<Self>,
        caller: Arc<Caller>,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
    ) {
        let (stream, heads) = Framed::new(stream);
        let its_caller = caller.clone();
        let service = service_fn(move |request| {
            let (admin, caller, heads) = (self.clone(), its_caller.clone(), heads.clone());
            async move { Ok::<_, Infallible>(admin.reply(request, peer, &caller, &heads).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        // Whatever goes wrong here is between the client and its connection.
        tokio::select! {
            biased;
            _ = timeout(CONNECTION_TIME_MAX, connection) => {}
            () = caller.closed() => {}
        }
    }

    async fn reply(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        caller: &Caller,
        heads: &Heads,
    ) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let ambiguous = heads.next_is_ambiguous();
        let token = self.token_in(&head.headers);
        // Programs that start and stop servers ask this path, and have no token.
        let open = head.method == Method::GET && head.uri.path() == routes::READY;
        let admitted = match malformed(head.version, &head.headers, ambiguous) {
            Some(what) => Err(Reply { close: true, ..Reply::error(StatusCode::BAD_REQUEST, what) }),
            None if open => refuse_other_sites(&head.headers),
            None => self.admit(&head.method, &head.headers, token),
        };
        let mut said = String::new();
        let reply = match admitted {
            Err(refused) => refused,
            Ok(()) => {
                if token == Token::Valid {
                    caller.proves();
                }
                let many = head.uri.path() == routes::OBSERVATIONS;
                let most = if many { OBSERVATIONS_BODY_MAX } else { BODY_MAX };
                match timeout(PATIENCE, Limited::new(body, most).collect()).await {
                    Err(_) => Reply::error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
                    Ok(Err(error)) if error.is::<LengthLimitError>() => {
                        Reply::error(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {most} bytes"))
                    }
                    Ok(Err(_)) => Reply::error(StatusCode::BAD_REQUEST, "the body is broken, or did not come whole"),
                    Ok(Ok(body)) => {
                        // A request that needs no token proves nothing where others need one.
                        if self.token.is_none() || token == Token::Valid {
                            caller.proves();
                        }
                        let body = body.to_bytes();
                        let logged = &body[..body.len().min(4 * LOGGED_MAX)];
                        said.extend(String::from_utf8_lossy(logged).chars().take(LOGGED_MAX));
                        self.route(&head.method, head.uri.path(), head.uri.query(), &body)
                    }
                }
            }
        };
        let mut reply = reply.settled(&self.limits.questions).await;
        // Requests behind chunks are not looked at before hyper takes them.
        reply.close |= head.headers.contains_key(TRANSFER_ENCODING);
        if !matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            let path: String = head.uri.path().chars().take(LOGGED_MAX).collect();
            let (path, status) = (path.escape_debug(), reply.status.as_u16());
            let said = (!said.is_empty()).then(|| tracing::field::display(&said));
            tracing::info!(%peer, status, token = token.word(), body = said, "admin: {} {path}", head.method);
        }
        reply.into_response()
    }

    fn token_in(&self, headers: &HeaderMap) -> Token {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match (given, &self.token) {
            (None, _) => Token::Missing,
            (Some(given), Some(token)) if equal(given.trim().as_bytes(), token.as_bytes()) => Token::Valid,
            (Some(_), Some(_)) => Token::Wrong,
            (Some(_), None) => Token::NotWanted,
        }
    }

    /// Who may ask.
    fn admit(&self, method: &Method, headers: &HeaderMap, token: Token) -> Result<(), Reply> {
        if self.token.is_some() && token != Token::Valid {
            return Err(Reply {
                header: Some((WWW_AUTHENTICATE, "Bearer".into())),
                ..Reply::error(StatusCode::UNAUTHORIZED, format!("a bearer token is required ({TOKEN_VARIABLE})"))
            });
        }
        refuse_other_sites(headers)?;
        if self.token.is_some() {
            return Ok(());
        }
        if headers.contains_key(ORIGIN) && method != Method::GET {
            return Err(Reply::error(StatusCode::FORBIDDEN, "no web page may change anything here"));
        }
        match host(headers) {
            Some(host) if !is_local(host) => {
                Err(Reply::error(StatusCode::FORBIDDEN, "ask for this port by its address or as localhost"))
            }
            _ => Ok(()),
        }
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST).and_then(|host| host.to_str().ok())
}

/// A page on the web can make a browser on this machine ask us, under its own name or as itself.
fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Reply> {
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
        origin.zip(host(headers)).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
    };
    let foreign = headers.get_all(ORIGIN).iter().any(|origin| !own(origin))
        || headers.get_all(SEC_FETCH_SITE).iter().any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site"));
    match foreign {
        true => Err(Reply::error(StatusCode::FORBIDDEN, "no web page of another site may ask here")),
        false => Ok(()),
    }
}

/// Why a request can mean two things, or nothing (RFC 9112, 3.2 and 6.3).
fn malformed(version: Version, headers: &HeaderMap, ambiguous: bool) -> Option<&'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        _ if ambiguous => Some("Content-Length stands beside Transfer-Encoding; send one of the two"),
        (Some(_), Some(_)) => Some("there are two Host headers; send one"),
        (None, _) if version == Version::HTTP_11 => Some("HTTP/1.1 requires a Host header; send one"),
        (Some(host), _) if host.to_str().is_err() => Some("the Host header is not a name or an address"),
        _ => None,
    }
}

/// What a request shows for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Valid,
    Wrong,
    Missing,
    /// This port asks for none.
    NotWanted,
}

impl Token {
    fn word(self) -> &'static str {
        match self {
            Token::Valid => "valid",
            Token::Wrong => "wrong",
            Token::Missing => "none",
            Token::NotWanted => "not required",
        }
    }
}

/// Compares in the same time, wherever the difference is.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// An address, or `localhost`: a name of somebody else's may lead here today and elsewhere tomorrow.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// What is sent back.
pub(super) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    header: Option<(hyper::header::HeaderName, String)>,
    body: Bytes,
    /// What the body is yet to become.
    later: Option<Box<Later>>,
    /// The connection ends with it.
    close: bool,
}

/// A body that is not there at once.
pub(super) enum Later {
    /// This value, once it is known whether it is kept.
    Kept(Saving, serde_json::Value),
    /// The view of all health checks, once it is written.
    List(Arc<Health>),
    /// The reply to this comes instead.
    Asked(Question),
}

impl Reply {
    fn json(value: &serde_json::Value) -> Reply {
        Reply::body("application/json", format!("{value}\n").into_bytes())
    }

    fn body(content_type: &'static str, body: Vec<u8>) -> Reply {
        Reply { status: StatusCode::OK, content_type, header: None, body: body.into(), later: None, close: false }
    }

    fn later(later: Later) -> Reply {
        Reply { later: Some(Box::new(later)), ..Reply::json(&serde_json::Value::Null) }
    }

    fn asks(question: impl FnOnce(&dyn Fn() -> bool) -> Reply + Send + 'static) -> Reply {
        Reply::later(Later::Asked(Box::new(question)))
    }

    /// Waits until what it tells of is kept or can't be, until it is written, or until its question is answered.
    async fn settled(mut self, questions: &Questions) -> Reply {
        match self.later.take().map(|later| *later) {
            None => self,
            Some(Later::List(health)) => Reply { body: view::list(&health).await, ..self },
            Some(Later::Asked(question)) => questions.ask(question).await,
            Some(Later::Kept(saving, mut value)) => {
                value["kept"] = saving.kept().await.into();
                Reply::json(&value)
            }
        }
    }

    fn error(status: StatusCode, what: impl Into<String>) -> Reply {
        Reply { status, ..Reply::json(&serde_json::json!({ "error": what.into() })) }
    }

    fn not_allowed(allowed: &str) -> Reply {
        let what = format!("this is for {allowed}");
        Reply { header: Some((ALLOW, allowed.into())), ..Reply::error(StatusCode::METHOD_NOT_ALLOWED, what) }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some((name, value)) = self.header
            && let Ok(value) = value.parse()
        {
            headers.insert(name, value);
        }
        response
    }
}
