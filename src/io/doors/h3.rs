//! DNS over HTTPS (RFC 8484) over HTTP/3 (RFC 9114).

use std::sync::Arc;

use h3::error::Code;
use h3::server::{RequestResolver, RequestStream};
use hyper::body::{Buf, Bytes};
use hyper::{Response, StatusCode};
use quinn::{Connection, VarInt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::doh::{self, Asked};
use super::under_way::{Question, Unread};
use super::{FAREWELL, HEADERS_MAX, Visit};

pub const ALPN: [&str; 1] = ["h3"];

/// Control, and compression both ways (RFC 9114, 6.2); a few more for what a client may have that we don't know.
pub const ONE_WAY_STREAMS_MAX: u32 = 8;

type Resolver = RequestResolver<h3_quinn::Connection, Bytes>;
type Stream = RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

pub async fn converse(connection: Connection, visit: Arc<Visit>, mut stop: watch::Receiver<bool>) {
    let close = |code: Code| connection.close(VarInt::from_u32(code.value() as u32), b"");
    let mut builder = h3::server::builder();
    let building =
        builder.max_field_section_size(HEADERS_MAX as u64).build(h3_quinn::Connection::new(connection.clone()));
    let Ok(mut requests) = building.await else { return };
    let mut farewell = None;
    loop {
        let mut told_to_end = false;
        let last = farewell.unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            () = visit.caller.seat.taken() => return close(Code::H3_EXCESSIVE_LOAD),
            () = sleep_until(last), if farewell.is_some() => return close(Code::H3_NO_ERROR),
            request = requests.accept() => match request {
                Ok(Some(resolver)) => _ = tokio::spawn(answer(visit.clone(), resolver)),
                // All that the client was told it would get has been asked, or it has left.
                Ok(None) | Err(_) => return,
            },
            _ = stop.wait_for(|stop| *stop), if farewell.is_none() => told_to_end = true,
        }
        if farewell.is_none() && (told_to_end || visit.asked_enough()) {
            let _ = requests.shutdown(0).await;
            farewell = Some(Instant::now() + FAREWELL);
        }
    }
}

/// A client that breaks HTTP/3 or leaves is told by the library; there is no more to say.
async fn answer(visit: Arc<Visit>, resolver: Resolver) {
    let patience = &visit.doors.framed;
    let Ok(Ok((request, mut stream))) = timeout(patience.read, resolver.resolve_request()).await else { return };
    let asked = doh::question(&visit.doors.path, request.method(), request.uri(), request.headers());
    let response = match asked {
        Ok(Asked::Message(message)) => doh::response(&visit, &visit.doors.h3, &message),
        Ok(Asked::Body) => {
            let mut question = visit.doors.under_way.question(0);
            match timeout(patience.read, read(&mut stream, &mut question)).await {
                Ok(Ok(())) => doh::response(&visit, &visit.doors.h3, question.bytes()),
                Ok(Err(why)) => doh::refusal(doh::unread(why)),
                Err(_) => doh::refusal(StatusCode::REQUEST_TIMEOUT),
            }
        }
        Err(status) => doh::refusal(status),
    };
    let _ = timeout(patience.write, send(&mut stream, response)).await;
    // A client that still ends its request would otherwise be told that something is wrong with it.
    let mut rest = visit.doors.under_way.question(0);
    if !matches!(timeout(patience.read, read(&mut stream, &mut rest)).await, Ok(Ok(()))) {
        stream.stop_sending(Code::H3_NO_ERROR);
    }
}

/// Reads the whole body, or as much of it as comes.
async fn read(stream: &mut Stream, question: &mut Question) -> Result<(), Unread> {
    while let Ok(Some(mut part)) = stream.recv_data().await {
        while part.has_remaining() {
            let chunk = part.chunk();
            question.push(chunk)?;
            let length = chunk.len();
            part.advance(length);
        }
    }
    Ok(())
}

async fn send(stream: &mut Stream, response: Response<Bytes>) -> Result<(), h3::error::StreamError> {
    let (head, body) = response.into_parts();
    stream.send_response(Response::from_parts(head, ())).await?;
    if !body.is_empty() {
        stream.send_data(body).await?;
    }
    stream.finish().await
}
