//! Time limits, exactly: the clock is a pretended one, and the endpoint is the other end of a pipe.

use tokio::io::duplex;
use tokio::time::sleep;

use super::*;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
const BODY: &[u8] = b"I am well";

/// What a probe finds that has `spent` milliseconds already, and after how many it ends. The endpoint sends each
/// piece so many milliseconds after the one before, and is silent then.
async fn probe_of(spent: u64, pieces: &[(u64, &[u8])]) -> (Finding, u64) {
    let (ours, mut theirs) = duplex(1 << 16);
    let pieces: Vec<(u64, Vec<u8>)> = pieces.iter().map(|&(after, piece)| (after, piece.to_vec())).collect();
    tokio::spawn(async move {
        let _ = theirs.read(&mut [0; 4096]).await;
        for (after, piece) in pieces {
            sleep(Duration::from_millis(after)).await;
            if theirs.write_all(&piece).await.is_err() {
                return;
            }
        }
        pending::<()>().await;
    });
    let (prober, endpoint) =
        (Prober::new(Limits::default(), Options::default()).unwrap(), endpoint(Protocol::Http, 80, Some("well")));
    let checker = Checker::local();
    let mut probe = begun(&prober, &endpoint, &checker);
    let start = Start::ago(Duration::from_millis(spent));
    let finding = probe.http(ours, start).await.unwrap_or_else(Finding::Failed);
    (finding, start.elapsed().as_millis() as u64)
}

fn begun<'a>(prober: &'a Prober, endpoint: &'a Endpoint, checker: &'a Checker) -> Probe<'a> {
    Probe { prober, endpoint, checker, id: "blue-http", resolved: None, latency: Latency::default() }
}

/// route53.md 3.3.2: the limits of the phases.
#[test]
fn limits_are_route_53s() {
    let Limits { connect, status, body, tcp, .. } = Limits::default();
    assert_eq!([connect, status, body, tcp].map(|limit| limit.as_secs()), [4, 2, 2, 10]);
}

/// route53.md 3.3.2: a status within two seconds, a body within two more.
#[tokio::test(start_paused = true)]
async fn a_status_and_a_body_have_two_seconds_each() {
    let late = Finding::Failed(Failure::StatusTimeout);
    let cut = Finding::NoBody(200, BodyFailure::Timeout);
    for (spent, pieces, expected) in [
        (0, &[(1999, HEAD), (0, BODY)][..], (Finding::Matched(200), 1999)),
        (0, &[(2001, HEAD), (0, BODY)], (late, 2000)),
        (0, &[(1999, HEAD), (1999, BODY)], (Finding::Matched(200), 3998)),
        (0, &[(1999, HEAD), (2001, BODY)], (cut, 3999)),
        // A handshake is a part of the time for the status.
        (1500, &[(499, HEAD), (0, BODY)], (Finding::Matched(200), 1999)),
        (1500, &[(501, HEAD), (0, BODY)], (late, 2000)),
        (
            0,
            &[(1000, b"HTTP/1.1 2"), (999, b"00 OK\r\nContent-Length: 9\r\n\r\nI am well")],
            (Finding::Matched(200), 1999),
        ),
        // The text is there, if not yet the body.
        (0, &[(0, HEAD), (1000, b"I am"), (999, b" well")], (Finding::Matched(200), 1999)),
    ] {
        assert_eq!(probe_of(spent, pieces).await, expected, "{spent} {pieces:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_a_second_is_too_slow() {
    let slowly = |bytes: &'static [u8]| bytes.chunks(1).map(|byte| (1000, byte));
    let head: Vec<_> = slowly(HEAD).collect();
    assert_eq!(probe_of(0, &head).await, (Finding::Failed(Failure::StatusTimeout), 2000));
    let body: Vec<_> = [(0, HEAD)].into_iter().chain(slowly(BODY)).collect();
    assert_eq!(probe_of(0, &body).await, (Finding::NoBody(200, BodyFailure::Timeout), 2000));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_without_end_is_cut() {
    let (prober, endpoint) =
        (Prober::new(Limits::default(), Options::default()).unwrap(), endpoint(Protocol::Https, 443, None));
    let checker = Checker::local();
    let (begin, mut probe) = (Instant::now(), begun(&prober, &endpoint, &checker));
    let refused = probe.handshake(&Start::ago(Duration::ZERO), pending::<Result<(), tls::Refused>>()).await;
    assert!(matches!(refused, Err(tls::Refused::Failed(Failure::TlsTimeout))));
    assert_eq!(begin.elapsed(), Limits::default().status);
}

/// What an endpoint that never stops gets rid of: no more than is looked at, and what lies in buffers between.
#[tokio::test(start_paused = true)]
async fn an_endpoint_without_end_is_not_read_to_its_end() {
    const PIPE: usize = 1024;
    const TAKEN_MAX: usize = 3 * HEADERS_MAX + PIPE;
    for (name, first, more, expected) in [
        ("a status line", &b"HTTP/1.1 200 "[..], &b"x"[..], Finding::Failed(Failure::HeaderTooLong)),
        ("a header", b"HTTP/1.1 200 OK\r\nX: ", b"x", Finding::Failed(Failure::HeaderTooLong)),
        ("header lines", b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", Finding::Failed(Failure::HeaderTooLong)),
        ("a body", b"HTTP/1.1 200 OK\r\n\r\n", b"x", Finding::NotMatched(200)),
        ("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", Finding::NotMatched(200)),
        (
            "the name of a chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            b"x",
            Finding::NoBody(200, BodyFailure::Broken),
        ),
        (
            "gzip's header",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\xff",
            b"x",
            Finding::NoBody(200, BodyFailure::Encoding),
        ),
    ] {
        let (ours, mut theirs) = duplex(PIPE);
        let sending = tokio::spawn(async move {
            let _ = theirs.read(&mut [0; 4096]).await;
            let mut sent = first.len();
            let mut sending = theirs.write_all(first).await;
            while sending.is_ok() {
                sending = theirs.write_all(&more.repeat(100)).await;
                sent += 100 * more.len();
            }
            sent
        });
        let (prober, endpoint) =
            (Prober::new(Limits::default(), Options::default()).unwrap(), endpoint(Protocol::Http, 80, Some("well")));
        let finding = begun(&prober, &endpoint, &Checker::local())
            .http(ours, Start::ago(Duration::ZERO))
            .await
            .unwrap_or_else(Finding::Failed);
        assert_eq!(finding, expected, "{name}");
        let sent = sending.await.unwrap();
        assert!(sent < TAKEN_MAX, "{name}: {sent} bytes");
    }
}
