//! DNS over HTTPS (RFC 8484) over TCP: HTTP/2, and HTTP/1.1 for clients that have nothing better.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::super::accept::{self, Caller};
use super::super::turns::MESSAGE_MAX;
use super::beside::{Beside, Together, Waiting};
use super::counts::Door;
use super::doh::{self, Asked};
use super::under_way::Question;
use super::{Doors, FAREWELL, HEADERS_MAX, Visit};

const H2: &str = "h2";
pub const ALPN: [&str; 2] = [H2, "http/1.1"];

/// Streams that a client opened and took back before we looked; more are an attack (CVE-2023-44487). As hyper has it.
const PENDING_RESETS_MAX: usize = 20;

/// What one stream keeps of a reply that its client doesn't take yet: a few of the longest.
const SEND_BUFFER_MAX: usize = 4 * MESSAGE_MAX;

/// Header lines over HTTP/1.1; ours.
const HEADER_LINES_MAX: usize = 64;

/// What a handshake has agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Http {
    One,
    Two,
}

pub async fn serve(doors: Arc<Doors>, acceptor: TlsAcceptor, listener: TcpListener, stop: watch::Receiver<bool>) {
    accept::each(listener, doors.entrance.clone(), stop.clone(), move |stream, caller| {
        let (doors, acceptor, mut stop) = (doors.clone(), acceptor.clone(), stop.clone());
        async move {
            let shaken = doors.shake_hands(Door::Https, &acceptor, stream, &caller.seat, &mut stop).await;
            let Some(stream) = shaken else { return };
            let spoken = if stream.get_ref().1.alpn_protocol() == Some(H2.as_bytes()) { Http::Two } else { Http::One };
            converse(doors, caller, stream, spoken, stop).await;
        }
    })
    .await;
}

fn builder(doors: &Doors, beside: Beside) -> Builder<Beside> {
    let mut builder = Builder::new(beside);
    let window = MESSAGE_MAX as u32;
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(doors.limits.streams_max)
        .max_header_list_size(HEADERS_MAX as u32)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_send_buf_size(SEND_BUFFER_MAX)
        .initial_stream_window_size(window)
        .initial_connection_window_size(2 * window);
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(HEADERS_MAX)
        .max_headers(HEADER_LINES_MAX)
        .header_read_timeout(doors.limits.idle);
    builder
}

/// Answers requests side by side until the client leaves, is idle for too long, has to make room, or the server stops.
pub async fn converse<S>(doors: Arc<Doors>, caller: Caller, stream: S, spoken: Http, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let visit = Arc::new(Visit::new(doors, caller));
    let waiting = Waiting::default();
    let builder = builder(&visit.doors, waiting.beside());
    let builder = match spoken {
        Http::Two => builder.http2_only(),
        Http::One => builder.http1_only(),
    };
    let enough = Arc::new(Notify::new());
    let service = {
        let (visit, enough) = (visit.clone(), enough.clone());
        service_fn(move |request| {
            let (visit, enough) = (visit.clone(), enough.clone());
            async move {
                let response = answer(&visit, request).await;
                visit.touch();
                if visit.asked_enough() {
                    enough.notify_one();
                }
                Ok::<_, Infallible>(response.map(Full::new))
            }
        })
    };
    let mut together = Together::new(builder.serve_connection(TokioIo::new(stream), service), waiting);
    let mut deadline = visit.idle_until();
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            () = visit.caller.seat.taken() => return,
            // However it ended, the client knows as much as we do.
            _ = poll_fn(|context| together.poll(context)) => return,
            _ = stop.wait_for(|stop| *stop), if !ending => ending = true,
            () = enough.notified(), if !ending => ending = true,
            () = sleep_until(deadline) => {
                if ending {
                    return;
                }
                deadline = visit.idle_until();
                ending = deadline <= Instant::now();
                if !ending {
                    continue;
                }
            }
        }
        // The client is told which questions still get their answers, and these are answered.
        together.connection.as_mut().graceful_shutdown();
        deadline = Instant::now() + FAREWELL;
    }
}

async fn answer(visit: &Visit, request: Request<Incoming>) -> Response<Bytes> {
    let doors = &*visit.doors;
    match doh::question(&doors.path, request.method(), request.uri(), request.headers()) {
        Ok(Asked::Message(message)) => doh::response(visit, &doors.https, &message),
        Ok(Asked::Body) => {
            let mut question = doors.under_way.question(0);
            match timeout(doors.framed.read, read(request.into_body(), &mut question)).await {
                Ok(Ok(())) => doh::response(visit, &doors.https, question.bytes()),
                Ok(Err(status)) => doh::refusal(status),
                Err(_) => doh::refusal(StatusCode::REQUEST_TIMEOUT),
            }
        }
        Err(status) => doh::refusal(status),
    }
}

/// Reads the whole body.
async fn read(mut body: Incoming, question: &mut Question) -> Result<(), StatusCode> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        if let Some(piece) = frame.data_ref() {
            question.push(piece).map_err(doh::unread)?;
        }
    }
    Ok(())
}
