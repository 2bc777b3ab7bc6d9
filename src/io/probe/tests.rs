//! The prober against real servers on loopback: plain, with TLS, slow and hostile.

mod hostile;
mod paused;

use std::future::pending;
use std::io::Write;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::health::finding::{BodyFailure, CertificateFault};

/// Short, so that a test of a timeout takes no time.
const LIMITS: Limits = Limits {
    connect: Duration::from_millis(2000),
    status: Duration::from_millis(300),
    body: Duration::from_millis(300),
    tcp: Duration::from_millis(2000),
    metric: Duration::from_millis(2000),
};

fn endpoint(protocol: Protocol, port: u16, search: Option<&str>) -> Endpoint {
    Endpoint {
        protocol,
        ip_address: Some([127, 0, 0, 1].into()),
        fully_qualified_domain_name: None,
        port,
        resource_path: "/".into(),
        search_string: search.map(String::from),
        enable_sni: false,
        validate_certificate: None,
        measure_latency: false,
        request_interval: 10,
        failure_threshold: 3,
        regions: Vec::new(),
    }
}

async fn probe(endpoint: &Endpoint) -> Outcome {
    probe_with(Options::default(), &Checker::local(), endpoint).await
}

fn prober(options: Options) -> Prober {
    Prober::new(LIMITS, options).unwrap()
}

async fn probe_with(options: Options, checker: &Checker, endpoint: &Endpoint) -> Outcome {
    let begin = Instant::now();
    let outcome = prober(options).probe("blue-http", endpoint, checker).await;
    let all = LIMITS.connect + LIMITS.status + LIMITS.body;
    assert!(begin.elapsed() < all, "{:?} took {:?}", outcome.finding, begin.elapsed());
    outcome
}

/// A server that reads a request and says this, and then closes; with `after` says that again until it is cut off.
async fn says(first: impl Into<Vec<u8>>, after: Option<&'static [u8]>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let first = first.into();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&first).await;
            while let Some(more) = after {
                if more.is_empty() {
                    pending::<()>().await;
                }
                if stream.write_all(more).await.is_err() {
                    break;
                }
            }
            let _ = stream.shutdown().await;
        }
    });
    port
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{head}\r\n", body.len()).as_bytes(), body].concat()
}

/// route53.md 3.3.2 and 3.3.3.
#[tokio::test]
async fn rules_3_3_2_and_3_3_3_statuses() {
    for status in [200, 204, 301, 302, 399, 400, 404, 500, 503] {
        let port = says(format!("HTTP/1.1 {status} X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), None).await;
        let outcome = probe(&endpoint(Protocol::Http, port, None)).await;
        assert_eq!(outcome.finding, Finding::Answered(status));
        assert_eq!(outcome.is_healthy(), status < 400);
        assert_eq!(outcome.resolved, Some([127, 0, 0, 1].into()));
    }
}

/// route53.md 3.3.2.
#[tokio::test]
async fn rule_3_3_2_the_text_lies_wholly_in_the_first_5120_bytes() {
    let body = |before: usize| [vec![b'.'; before], b"I am well".to_vec(), vec![b'.'; 100]].concat();
    fn packed<W: Write>(mut encoder: W, body: &[u8], finish: impl FnOnce(W) -> Vec<u8>) -> Vec<u8> {
        encoder.write_all(body).unwrap();
        finish(encoder)
    }
    let best = Compression::best();
    for (before, found) in [(0, true), (5111, true), (5112, false), (6000, false)] {
        let plain = body(before);
        for (coding, bytes) in [
            ("", plain.clone()),
            ("identity", plain.clone()),
            ("gzip", packed(GzEncoder::new(vec![], best), &plain, |e| e.finish().unwrap())),
            ("deflate", packed(ZlibEncoder::new(vec![], best), &plain, |e| e.finish().unwrap())),
            ("deflate", packed(DeflateEncoder::new(vec![], best), &plain, |e| e.finish().unwrap())),
        ] {
            let head = if coding.is_empty() { String::new() } else { format!("Content-Encoding: {coding}\r\n") };
            let port = says(answer(&head, &bytes), None).await;
            let outcome = probe(&endpoint(Protocol::Http, port, Some("I am well"))).await;
            let expected = if found { Finding::Matched(200) } else { Finding::NotMatched(200) };
            assert_eq!(outcome.finding, expected, "{before} {coding:?}");
        }
    }
    let port = says(answer("", b"i am well"), None).await;
    let outcome = probe(&endpoint(Protocol::Http, port, Some("I am well"))).await;
    assert_eq!(outcome.finding, Finding::NotMatched(200), "case counts");
}

#[tokio::test]
async fn bad_endpoints_fail_clearly_and_in_time() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![0; 8 << 20]).unwrap();
    let bomb = answer("Content-Encoding: gzip\r\n", &bomb.finish().unwrap());
    let ok = "HTTP/1.1 200 OK\r\n";
    let failed = |failure| Finding::Failed(failure);
    let body = |failure| Finding::NoBody(200, failure);
    for (name, first, after, finding) in [
        ("an endless header", format!("{ok}X: ").into_bytes(), Some(&[b'x'; 1024][..]), failed(Failure::HeaderTooLong)),
        ("endless header lines", ok.into(), Some(b"X: y\r\n"), failed(Failure::HeaderTooLong)),
        ("a status line of 10 MB", b"HTTP/1.1 200 ".to_vec(), Some(&[b'x'; 1024]), failed(Failure::HeaderTooLong)),
        ("no CRLF", b"HTTP/1.1 200 OK".to_vec(), Some(b""), failed(Failure::StatusTimeout)),
        ("HTTP/0.9", b"<html>hello</html>".to_vec(), None, failed(Failure::NotHttp)),
        ("close at once", Vec::new(), None, failed(Failure::Closed)),
        ("silence", Vec::new(), Some(b""), failed(Failure::StatusTimeout)),
        ("garbage", vec![0xff; 2000], None, failed(Failure::NotHttp)),
        ("a cut body", format!("{ok}Content-Length: 9\r\n\r\nabc").into(), None, body(BodyFailure::Broken)),
        ("a body that waits", format!("{ok}Content-Length: 9\r\n\r\n").into(), Some(b""), body(BodyFailure::Timeout)),
        ("a body without end", format!("{ok}\r\n").into(), Some(&[b'x'; 1024]), Finding::NotMatched(200)),
        ("a bomb", bomb, None, Finding::NotMatched(200)),
        ("no gzip", answer("Content-Encoding: gzip\r\n", b"this is not gzip"), None, body(BodyFailure::Encoding)),
        ("brotli", answer("Content-Encoding: br\r\n", b"x"), None, body(BodyFailure::Encoding)),
        (
            "chunks that are none",
            format!("{ok}Transfer-Encoding: chunked\r\n\r\nzz\r\n").into(),
            None,
            body(BodyFailure::Broken),
        ),
    ] {
        let port = says(first, after).await;
        let outcome = probe(&endpoint(Protocol::Http, port, Some("I am well"))).await;
        assert_eq!(outcome.finding, finding, "{name}: {outcome}");
        assert!(!outcome.is_healthy(), "{name}");
    }
}

#[tokio::test]
async fn one_byte_at_a_time_is_too_slow() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".chunks(1) {
            if stream.write_all(byte).await.is_err() {
                break;
            }
            tokio::time::sleep(LIMITS.status / 4).await;
        }
    });
    let outcome = probe(&endpoint(Protocol::Http, port, None)).await;
    assert_eq!(outcome.finding, Finding::Failed(Failure::StatusTimeout));
}

#[tokio::test]
async fn nobody_there_and_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(probe(&endpoint(Protocol::Tcp, port, None)).await.finding, Finding::Connected);
    drop(listener);
    for protocol in [Protocol::Tcp, Protocol::Http, Protocol::Https] {
        let outcome = probe(&endpoint(protocol, port, None)).await;
        assert_eq!(outcome.finding, Finding::Failed(Failure::Refused));
    }
}

/// route53.md 3.3.7.
#[tokio::test]
async fn rule_3_3_7_a_name_leads_to_its_ipv4_address() {
    let port = says(answer("", b""), None).await;
    let named = |name: &str| Endpoint {
        ip_address: None,
        fully_qualified_domain_name: Some(name.into()),
        ..endpoint(Protocol::Http, port, None)
    };
    let outcome = probe(&named("localhost")).await;
    assert_eq!((outcome.finding, outcome.resolved), (Finding::Answered(200), Some([127, 0, 0, 1].into())));
    let outcome = probe(&named("no name at all")).await;
    assert_eq!(
        (outcome.finding, outcome.resolved),
        (Finding::Failed(Failure::Resolution(NameFailure::NotAName)), None)
    );
}

#[tokio::test]
async fn a_checker_asks_from_its_own_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let checker = |ipv4: [u8; 4]| Checker { name: "paris".into(), ipv4: Some(ipv4.into()), ipv6: None };
    let asked = endpoint(Protocol::Tcp, port, None);
    for source in [[127, 0, 0, 2], [127, 0, 0, 3]] {
        let checker = checker(source);
        let (outcome, accepted) = tokio::join!(probe_with(Options::default(), &checker, &asked), listener.accept());
        assert_eq!(outcome.finding, Finding::Connected);
        assert_eq!(accepted.unwrap().1.ip(), IpAddr::from(source));
    }
    let outcome = probe_with(Options::default(), &checker([192, 0, 2, 1]), &asked).await;
    assert_eq!(outcome.finding, Finding::Failed(Failure::Source));
}

/// A name server that knows a few names, and how often it was asked. Its answers change: the last byte of an address
/// counts the questions.
async fn name_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let question = query.queries[0].clone();
            let mut reply = Message::new(query.id, MessageType::Response, OpCode::Query);
            let name = question.name().clone();
            match (name.to_ascii().as_str(), question.query_type()) {
                ("moving.example.", RecordType::A) => {
                    let last = count.fetch_add(1, Ordering::Relaxed) as u8 + 1;
                    reply.add_answer(Record::from_rdata(name, 3600, RData::A(A::new(127, 0, 0, last))));
                }
                ("six.example.", RecordType::AAAA) => {
                    reply.add_answer(Record::from_rdata(name, 3600, RData::AAAA(Ipv6Addr::LOCALHOST.into())));
                }
                ("six.example." | "bare.example.", _) => {}
                ("broken.example.", _) => reply.metadata.response_code = ResponseCode::ServFail,
                _ => reply.metadata.response_code = ResponseCode::NXDomain,
            }
            reply.add_query(question);
            socket.send_to(&reply.to_vec().unwrap(), client).await.unwrap();
        }
    });
    (address, asked)
}

#[tokio::test]
async fn rule_3_3_7_names_are_looked_up_each_time_and_ipv6_only_where_wanted() {
    let (server, asked) = name_server().await;
    let named = |name: &str| Endpoint {
        ip_address: None,
        fully_qualified_domain_name: Some(name.into()),
        ..endpoint(Protocol::Tcp, 1, None)
    };
    let options = |ipv6| Options { ipv6, resolvers: vec![server], ..Options::default() };
    let prober = prober(options(false));
    for last in [1, 2, 3] {
        let outcome = prober.probe("x", &named("moving.example"), &Checker::local()).await;
        assert_eq!(outcome.resolved, Some([127, 0, 0, last].into()), "a TTL of an hour keeps nothing: {outcome}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    for (name, ipv6, failure) in [
        ("gone.example", false, NameFailure::NoSuchName),
        ("six.example", false, NameFailure::NoIpv4),
        ("bare.example", true, NameFailure::NoAddress),
        ("broken.example", false, NameFailure::NoAnswer),
    ] {
        let outcome = probe_with(options(ipv6), &Checker::local(), &named(name)).await;
        assert_eq!(outcome.finding, Finding::Failed(Failure::Resolution(failure)), "{name}: {outcome}");
    }
    let outcome = probe_with(options(true), &Checker::local(), &named("six.example")).await;
    assert_eq!(outcome.resolved, Some(Ipv6Addr::LOCALHOST.into()));
}

/// route53.md 3.3.6.
#[test]
fn rule_3_3_6_the_host_header() {
    let at = |protocol, port, name: Option<&str>, address: &str| {
        host(&Endpoint {
            fully_qualified_domain_name: name.map(String::from),
            ip_address: Some(address.parse().unwrap()),
            ..endpoint(protocol, port, None)
        })
    };
    for (protocol, port, name, address, expected) in [
        (Protocol::Http, 80, Some("a.example"), "192.0.2.1", "a.example"),
        (Protocol::Https, 443, Some("a.example"), "192.0.2.1", "a.example"),
        (Protocol::Http, 443, Some("a.example"), "192.0.2.1", "a.example:443"),
        (Protocol::Https, 80, Some("a.example"), "192.0.2.1", "a.example:80"),
        (Protocol::Http, 8080, Some("a.example"), "192.0.2.1", "a.example:8080"),
        (Protocol::Http, 80, None, "192.0.2.1", "192.0.2.1"),
        (Protocol::Http, 8080, None, "192.0.2.1", "192.0.2.1:8080"),
        (Protocol::Http, 8080, None, "2001:db8::1", "[2001:db8::1]:8080"),
    ] {
        assert_eq!(at(protocol, port, name, address), expected);
    }
}

/// route53.md 3.3.15.
#[tokio::test]
async fn rule_3_3_15_what_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, mut sent) = mpsc::channel(1);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        request.truncate(length);
        send.send(String::from_utf8(request).unwrap()).await.unwrap();
        stream.write_all(&answer("", b"")).await.unwrap();
    });
    let endpoint = Endpoint { resource_path: "/a b?c={d}".into(), ..endpoint(Protocol::Http, port, None) };
    assert!(probe(&endpoint).await.is_healthy());
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        sent.recv().await.unwrap(),
        format!(
            "GET /a%20b?c=%7Bd%7D HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
             user-agent: Fingerpost-Health-Check-Service (ref blue-http; fingerpost/{version})\r\n\
             accept: */*\r\naccept-encoding: identity,gzip,deflate\r\n\r\n"
        )
    );
}

/// A server with TLS that reports the names that clients told it, and answers.
async fn tls_server(certificate: &'static [u8]) -> (u16, mpsc::UnboundedReceiver<Option<String>>) {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(include_bytes!("fixtures/key.der").as_slice()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate)], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, names) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = send.send(stream.get_ref().1.server_name().map(String::from));
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer("", b"I am well")).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, names)
}

/// route53.md 3.3.4.
#[tokio::test]
async fn rule_3_3_4_certificates_and_names() {
    // The name asked for, whether SNI is on, and the names that come to the server in a finished handshake.
    for certificate in [&include_bytes!("fixtures/self-signed.der")[..], include_bytes!("fixtures/expired.der")] {
        for (name, enable_sni, told) in [
            (Some("self.example"), true, Some("self.example")),
            (Some("self.example"), false, None),
            (Some("other.example"), true, None),
            (None, true, None),
        ] {
            let (port, mut names) = tls_server(certificate).await;
            let endpoint = Endpoint {
                fully_qualified_domain_name: name.map(String::from),
                enable_sni,
                ..endpoint(Protocol::Https, port, Some("well"))
            };
            let outcome = probe(&endpoint).await;
            assert_eq!(outcome.finding, Finding::Matched(200), "{name:?} {enable_sni}: {outcome}");
            let mut finished = None;
            while let Ok(name) = names.try_recv() {
                finished = Some(name);
            }
            assert_eq!(finished, Some(told.map(String::from)), "{name:?} {enable_sni}");
        }
    }
}

/// Trusts somebody who has signed nothing here.
fn stranger() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(include_bytes!("fixtures/self-signed.der").as_slice())).unwrap();
    roots
}

#[tokio::test]
async fn certificates_are_validated_where_that_is_wanted() {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(include_bytes!("fixtures/ca.der").as_slice())).unwrap();
    let signed = &include_bytes!("fixtures/signed.der")[..];
    let invalid = |fault| Finding::Failed(Failure::Certificate(fault));
    // The certificate, the name asked for, whether it is told, whether it has to be valid; and what comes of it.
    for (certificate, name, sni, validate, finding) in [
        (signed, Some("self.example"), true, true, Finding::Matched(200)),
        (signed, Some("self.example"), false, true, Finding::Matched(200)),
        (signed, None, true, true, Finding::Matched(200)),
        (signed, Some("other.example"), true, true, invalid(CertificateFault::OtherName)),
        (signed, Some("other.example"), true, false, Finding::Matched(200)),
        (include_bytes!("fixtures/signed-expired.der"), None, true, true, invalid(CertificateFault::Expired)),
        (include_bytes!("fixtures/signed-expired.der"), None, true, false, Finding::Matched(200)),
        (include_bytes!("fixtures/self-signed.der"), None, true, true, invalid(CertificateFault::Authority)),
    ] {
        let (port, mut names) = tls_server(certificate).await;
        let endpoint = Endpoint {
            fully_qualified_domain_name: name.map(String::from),
            enable_sni: sni,
            validate_certificate: Some(validate),
            ..endpoint(Protocol::Https, port, Some("well"))
        };
        let prober = Prober { tls: tls::Tls::trusting(roots.clone()).unwrap(), ..prober(Options::default()) };
        let outcome = prober.probe("x", &endpoint, &Checker::local()).await;
        assert_eq!(outcome.finding, finding, "{name:?} {sni} {validate}: {outcome}");
        if outcome.is_healthy() && validate {
            assert_eq!(names.try_recv().unwrap(), name.filter(|_| sni).map(String::from));
        }
    }
    let stranger = Prober { tls: tls::Tls::trusting(stranger()).unwrap(), ..prober(Options::default()) };
    let (port, _) = tls_server(signed).await;
    let endpoint = Endpoint { validate_certificate: Some(true), ..endpoint(Protocol::Https, port, None) };
    let outcome = stranger.probe("x", &endpoint, &Checker::local()).await;
    assert_eq!(outcome.finding, invalid(CertificateFault::UnknownIssuer));
    // What the check says of it beats what all are told.
    let (port, _) = tls_server(include_bytes!("fixtures/self-signed.der")).await;
    for (said, all, healthy) in [(None, true, false), (None, false, true), (Some(false), true, true)] {
        let endpoint = Endpoint { validate_certificate: said, port, ..endpoint.clone() };
        let options = Options { validate_certificates: all, ..Options::default() };
        let prober = Prober { tls: tls::Tls::trusting(roots.clone()).unwrap(), ..prober(options) };
        assert_eq!(prober.probe("x", &endpoint, &Checker::local()).await.is_healthy(), healthy, "{said:?} {all}");
    }
}

#[tokio::test]
async fn what_is_no_tls_fails_clearly() {
    let alert = [21, 3, 3, 0, 2, 2, 40];
    for (first, after, failure) in [
        (alert.to_vec(), None, Failure::TlsAlert(40)),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), None, Failure::Tls),
        (vec![0x16; 4000], None, Failure::Tls),
        (Vec::new(), None, Failure::Tls),
        (Vec::new(), Some(&b""[..]), Failure::TlsTimeout),
    ] {
        let port = says(first, after).await;
        let outcome = probe(&endpoint(Protocol::Https, port, None)).await;
        assert_eq!(outcome.finding, Finding::Failed(failure));
    }
}
