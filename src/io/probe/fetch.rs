//! One request to a server of the operator's own, a Prometheus or another fingerpost: plain, or over TLS with a
//! certificate that is valid. What comes back is bounded; how long it may take is the caller's to say.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::http::request::Builder;
use hyper::{Request, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Prober, ask, connect_from};
use crate::health::finding::Failure;

/// What came back: its status, and all of its body.
pub type Fetched = (StatusCode, Bytes);

/// Why nothing came back.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfetched {
    Failed(Failure),
    /// The body is longer than was allowed.
    TooLong,
}

impl From<Failure> for Unfetched {
    fn from(failure: Failure) -> Unfetched {
        Unfetched::Failed(failure)
    }
}

impl Prober {
    /// Asks with GET.
    pub async fn get(&self, uri: &Uri, most: usize) -> Result<Fetched, Unfetched> {
        self.fetch(uri, Request::get(target(uri)), Bytes::new(), most).await
    }

    /// Sends JSON with POST. The token is what stands behind `Bearer`.
    pub async fn post(&self, uri: &Uri, token: Option<&str>, json: Bytes, most: usize) -> Result<Fetched, Unfetched> {
        let mut request = Request::post(target(uri)).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Failure::Internal)?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        self.fetch(uri, request, json, most).await
    }

    /// Asks with GET over a stream that leads to the server already.
    pub async fn get_over<S>(&self, stream: S, uri: &Uri, most: usize) -> Result<Fetched, Unfetched>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        exchange(stream, whole(Request::get(target(uri)), uri, Bytes::new())?, most).await
    }

    async fn fetch(&self, uri: &Uri, request: Builder, body: Bytes, most: usize) -> Result<Fetched, Unfetched> {
        let tls = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let start = self.awake.begin();
        let connecting = async {
            let address = match bare.parse() {
                Ok(address) => address,
                // A server of the operator's own: IPv6 will do.
                Err(_) => self.names.resolve(bare, true).await.map_err(Failure::Resolution)?,
            };
            connect_from(None, SocketAddr::new(address, port)).await.map(|stream| (address, stream))
        };
        let connected = self.awake.within(self.limits.connect, &start, connecting).await;
        let (address, stream) = connected.map_err(|_| Failure::ConnectTimeout)??;
        let request = whole(request, uri, body)?;
        if !tls {
            return exchange(stream, request, most).await;
        }
        let name = bare.parse::<std::net::IpAddr>().is_err().then_some(bare);
        // Verdicts rest on what it says, or it is told a secret: it has to be who it says it is.
        let stream = self.tls.validated(name, true, address, stream).await?;
        exchange(stream, request, most).await
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, most: usize) -> Result<Fetched, Unfetched>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (response, _connection) = ask(stream, request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), most).collect().await.map_err(|error| {
        let long = error.is::<http_body_util::LengthLimitError>();
        if long { Unfetched::TooLong } else { Unfetched::Failed(Failure::Closed) }
    })?;
    Ok((status, body.to_bytes()))
}

fn whole(request: Builder, uri: &Uri, body: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
    let agent = format!("fingerpost/{}", env!("CARGO_PKG_VERSION"));
    // Not what may stand before an @ in it: that is nobody's to know.
    let host = uri.host().unwrap_or_default();
    let shown = uri.port().map_or(host.to_string(), |port| format!("{host}:{port}"));
    request
        .header(HOST, HeaderValue::from_str(&shown).map_err(|_| Failure::Internal)?)
        .header(USER_AGENT, agent)
        .header(ACCEPT, "application/json")
        .body(Full::new(body))
        .map_err(|_| Failure::Internal)
}

fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}
