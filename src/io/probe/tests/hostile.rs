//! Endpoints that do what no server should.

use super::*;

/// Answers with these bytes and then resets the connection, as a server does that is killed.
async fn resets_after(first: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(first).await;
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    });
    port
}

#[tokio::test]
async fn a_reset_is_told_by_where_it_came() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    for (first, search, expected) in [
        (&b""[..], None, Finding::Failed(Failure::Closed)),
        (b"HTTP/1.1 200", None, Finding::Failed(Failure::Closed)),
        (head, Some("well"), Finding::NoBody(200, BodyFailure::Broken)),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nI am ",
            Some("well"),
            Finding::NoBody(200, BodyFailure::Broken),
        ),
    ] {
        let port = resets_after(first).await;
        assert_eq!(probe(&endpoint(Protocol::Http, port, search)).await.finding, expected, "{}", first.escape_ascii());
    }
}

/// route53.md 3.3.5: headers follow RFC 7230 and have 16,384 bytes at most.
#[tokio::test]
async fn headers_are_headers_and_not_too_long() {
    let ok = "HTTP/1.1 200 OK\r\n";
    // Two lines of which the first has 20 bytes with its end.
    let long = |all: usize| format!("{ok}Connection: closed\r\nX: {}\r\n\r\n", "x".repeat(all - 20 - 5));
    let lines = |count: usize| format!("{ok}{}\r\n", "X: y\r\n".repeat(count));
    for (name, response, expected) in [
        ("as long as may be", long(16_384), Finding::Answered(200)),
        ("a byte too long", long(16_385), Finding::Failed(Failure::HeaderTooLong)),
        ("many lines", lines(1000), Finding::Answered(200)),
        ("too many lines", lines(3000), Finding::Failed(Failure::HeaderTooLong)),
        ("no colon", format!("{ok}X y\r\n\r\n"), Finding::Failed(Failure::NotHttp)),
        ("a space before the colon", format!("{ok}X : y\r\n\r\n"), Finding::Failed(Failure::NotHttp)),
        ("a name that is no token", format!("{ok}X(: y\r\n\r\n"), Finding::Failed(Failure::NotHttp)),
        ("no name", format!("{ok}: y\r\n\r\n"), Finding::Failed(Failure::NotHttp)),
        ("a NUL", format!("{ok}X: \0\r\n\r\n"), Finding::Failed(Failure::NotHttp)),
        (
            "two lengths",
            format!("{ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            Finding::Failed(Failure::NotHttp),
        ),
        ("a length that is none", format!("{ok}Content-Length: -1\r\n\r\n"), Finding::Failed(Failure::NotHttp)),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n".into(), Finding::Answered(200)),
        ("no reason", "HTTP/1.1 204\r\n\r\n".into(), Finding::Answered(204)),
        ("HTTP/2", "HTTP/2 200 OK\r\n\r\n".into(), Finding::Failed(Failure::NotHttp)),
        ("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n".into(), Finding::Failed(Failure::NotHttp)),
        ("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n".into(), Finding::Failed(Failure::NotHttp)),
        ("a status that is no number", "HTTP/1.1 OK\r\n\r\n".into(), Finding::Failed(Failure::NotHttp)),
    ] {
        let port = says(response, None).await;
        assert_eq!(probe(&endpoint(Protocol::Http, port, None)).await.finding, expected, "{name}");
    }
}

#[tokio::test]
async fn what_comes_before_the_answer_is_no_answer() {
    let port = says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", None).await;
    assert_eq!(probe(&endpoint(Protocol::Http, port, None)).await.finding, Finding::Answered(200));
    let port = says("", Some(b"HTTP/1.1 100 Continue\r\n\r\n")).await;
    let finding = probe(&endpoint(Protocol::Http, port, None)).await.finding;
    assert_eq!(finding, Finding::Failed(Failure::StatusTimeout));
}

#[tokio::test]
async fn a_status_without_a_body_has_no_text() {
    for status in [204, 304] {
        let port = says(format!("HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\nI am well"), None).await;
        let finding = probe(&endpoint(Protocol::Http, port, Some("well"))).await.finding;
        assert_eq!(finding, Finding::NotMatched(status));
    }
}

/// A listener whose queue is full takes no connection, and refuses none.
#[tokio::test]
async fn a_connection_that_does_not_come_is_waited_for_no_longer_than_the_limit() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&anywhere.into()).unwrap();
    socket.listen(0).unwrap();
    let at = socket.local_addr().unwrap().as_socket().unwrap();
    let _first = TcpStream::connect(at).await.unwrap();
    let limits = Limits { connect: Duration::from_millis(100), tcp: Duration::from_millis(200), ..LIMITS };
    let prober = Prober::new(limits, Options::default()).unwrap();
    for (protocol, limit) in [(Protocol::Http, limits.connect), (Protocol::Tcp, limits.tcp)] {
        let outcome = prober.probe("blue-http", &endpoint(protocol, at.port(), None), &Checker::local()).await;
        assert_eq!(outcome.finding, Finding::Failed(Failure::ConnectTimeout));
        assert!(Duration::from_micros(outcome.latency.total.into()) >= limit, "{outcome:?}");
    }
}

#[tokio::test]
async fn tls_without_end_is_no_tls() {
    for (first, after, expected) in [
        // Records that say they are parts of a handshake, and alerts that warn, again and again.
        (
            &b"\x16\x03\x03\x00\x04\xff\xff\xff\xff"[..],
            Some(&b"\x16\x03\x03\x00\x04\xff\xff\xff\xff"[..]),
            Failure::Tls,
        ),
        (b"\x15\x03\x03\x00\x02\x01\x5a", Some(b"\x15\x03\x03\x00\x02\x01\x5a"), Failure::Tls),
        // The beginning of one, and silence.
        (b"\x16\x03\x03\x40\x00\x02", Some(b""), Failure::TlsTimeout),
    ] {
        let port = says(first, after).await;
        let finding = probe(&endpoint(Protocol::Https, port, None)).await.finding;
        assert_eq!(finding, Finding::Failed(expected), "{}", first.escape_ascii());
    }
}
