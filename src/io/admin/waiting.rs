//! The admin port while the first load goes on: every request is answered 503, with a sentence.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::callers::NEWCOMERS_MAX;
use super::{ACCEPT_RETRY, HEADERS_MAX, PATIENCE, Reply};

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener) {
    let room = Arc::new(Semaphore::new(NEWCOMERS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(HEADERS_MAX)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service_fn(not_yet));
            let _ = timeout(PATIENCE, connection).await;
            drop(place);
        });
    }
}

pub(super) fn reply() -> Reply {
    let what = "the first load has not ended; GET /ready answers 200 once it has";
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, what)
}

async fn not_yet(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = reply().into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    // The next request is for the server itself.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn every_request_is_answered_that_the_first_load_goes_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = tokio::spawn(serve(listener));
        for request in ["GET /ready", "GET /metrics", "PUT /health/blue"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await.unwrap();
            assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
            assert!(
                reply.ends_with("{\"error\":\"the first load has not ended; GET /ready answers 200 once it has\"}\n")
            );
        }
        waiting.abort();
    }
}
