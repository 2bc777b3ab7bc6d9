//! The admin port: HTTP/1.1 and JSON, for operators and their tools. `openapi.json` describes it.
//!
//! On loopback whoever is on the machine may use it, but no web page that a browser there shows; elsewhere, and where
//! `FINGERPOST_ADMIN_TOKEN` is set, a bearer token is required.

mod metrics;
pub mod ports;
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
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, ORIGIN, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

use super::admin_client::TOKEN_VARIABLE;
use super::bind::{self, Wanted};
use super::doors::Doors;
use super::health::Health;
use super::keeper::Saving;
use super::live::Served;
use super::proxy::Proxies;
use crate::respond::counters::Counters;

/// Connections at a time; more wait in the system's queue. Operators and their tools are few; ours.
const CONNECTIONS_MAX: usize = 64;

/// Headers of a request, in bytes; ours.
const HEADERS_MAX: usize = 16_384;

/// The body of a request, in bytes: it says a few words; ours.
const BODY_MAX: usize = 65_536;

/// … and of many observations at once; ours.
const OBSERVATIONS_BODY_MAX: usize = 1 << 20;

/// How long a client may take to say its headers, or its body.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection may last, so that nobody holds one for ever.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// A pause where the system gives no connection, so that the processor is not kept busy by that.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A token that is easily guessed protects nobody; ours.
const TOKEN_MIN: usize = 16;

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
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            let stream = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => {
                        tokio::time::sleep(ACCEPT_RETRY).await;
                        continue;
                    }
                },
                _ = stop.changed() => return,
            };
            let admin = self.clone();
            tokio::spawn(async move {
                admin.converse(stream).await;
                drop(place);
            });
        }
    }

    /// Replies to the requests of one connection.
    pub async fn converse(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(move |request| {
            let admin = self.clone();
            async move { Ok::<_, Infallible>(admin.reply(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        // Whatever goes wrong here is between the client and its connection.
        let _ = timeout(CONNECTION_TIME_MAX, connection).await;
    }

    async fn reply(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        // Whoever starts and stops servers asks that, and has no token.
        let open = request.method() == Method::GET && request.uri().path() == routes::READY;
        let admitted = if open { Ok(()) } else { self.admit(request.method(), request.headers()) };
        let reply = match admitted {
            Err(refused) => refused,
            Ok(()) => {
                let (head, body) = request.into_parts();
                let many = head.uri.path() == routes::OBSERVATIONS;
                let most = if many { OBSERVATIONS_BODY_MAX } else { BODY_MAX };
                match timeout(PATIENCE, Limited::new(body, most).collect()).await {
                    Err(_) => Reply::error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
                    Ok(Err(_)) => Reply::error(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        format!("the body is broken, or has more than {most} bytes"),
                    ),
                    Ok(Ok(body)) => self.route(&head.method, head.uri.path(), head.uri.query(), &body.to_bytes()),
                }
            }
        };
        reply.settled().await.into_response()
    }

    /// Who may ask.
    fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<(), Reply> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(token) = &self.token {
            let given = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
            return match equal(given.trim().as_bytes(), token.as_bytes()) {
                true => Ok(()),
                false => Err(Reply {
                    header: Some((WWW_AUTHENTICATE, "Bearer".into())),
                    ..Reply::error(StatusCode::UNAUTHORIZED, format!("a bearer token is required ({TOKEN_VARIABLE})"))
                }),
            };
        }
        // A page on the web can make a browser on this machine ask us, under its own name or as itself.
        if headers.contains_key(ORIGIN) && method != Method::GET {
            return Err(Reply::error(StatusCode::FORBIDDEN, "no web page may change anything here"));
        }
        match text(HOST) {
            Some(host) if !is_local(host) => {
                Err(Reply::error(StatusCode::FORBIDDEN, "ask for this port by its address or as localhost"))
            }
            _ => Ok(()),
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
    body: Vec<u8>,
    /// The body is this value, once it is known whether that is kept.
    saving: Option<Box<(Saving, serde_json::Value)>>,
}

impl Reply {
    fn json(value: &serde_json::Value) -> Reply {
        let mut body = value.to_string().into_bytes();
        body.push(b'\n');
        Reply { status: StatusCode::OK, content_type: "application/json", header: None, body, saving: None }
    }

    /// Waits until what it tells of is kept, or can't be.
    async fn settled(self) -> Reply {
        match self.saving {
            None => self,
            Some(saving) => {
                let (saving, mut value) = *saving;
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
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(self.content_type));
        if let Some((name, value)) = self.header
            && let Ok(value) = value.parse()
        {
            headers.insert(name, value);
        }
        response
    }
}
