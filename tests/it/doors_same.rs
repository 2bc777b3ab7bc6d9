//! Whatever door a question comes through, the answer is the one that UDP gives.

use hyper::{Method, Request, StatusCode, Version};

use crate::doors::{
    Certificate, Https, KEEPALIVE, PADDING, Server, ask_quic, ask_tls, ask_udp, block_on, connect_quic, connect_tls,
    exchange_quic, framed, get, post, put, query, quic_client, send_h3, subnet, trusting, with_method,
};

const A: u16 = 1;
const SOA: u16 = 6;
const TXT: u16 = 16;
const ANY: u16 = 255;

/// RFC 8467, 4.1.
const BLOCK: usize = 468;

/// Replies differ in the roll of a weighted policy's dice. So often UDP is asked before they count as different;
/// the least likely alternative of the sample zones is missed so often in a row once in ten million runs.
const ROLLS_MAX: usize = 60;

/// Questions of every kind: steered by each policy, with and without a client's network, and plain ones.
fn questions() -> Vec<Vec<u8>> {
    let names =
        ["simple", "www", "shop", "api", "geo", "near", "isp", "many", "app", "docs", "x.lab", "old", "nothing"];
    let networks = [vec![], subnet([192, 0, 2, 1]), subnet([198, 51, 100, 7]), subnet([203, 0, 113, 7])];
    let mut all = vec![
        query("example.com", SOA, 0, &[]),
        query("example.com", TXT, 0, &[]),
        query("example.com", ANY, 0, &[]),
        query("example.net", A, 0, &[]),
        // The header, and nothing that it announces.
        vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    ];
    for name in names {
        all.extend(networks.iter().map(|network| query(&format!("{name}.example.com"), A, 0, network)));
    }
    all
}

/// Asserts that UDP can give this reply to the question.
fn assert_same(server: &Server, question: &[u8], reply: &[u8], door: &str) {
    let mut last = Vec::new();
    for _ in 0..ROLLS_MAX {
        last = ask_udp(server.plain, question);
        if last == reply {
            return;
        }
    }
    panic!("{door}: {question:02x?}\n{reply:02x?}\nover UDP for example\n{last:02x?}");
}

#[test]
fn every_door_gives_the_bytes_that_udp_gives() {
    let certificate = Certificate::new();
    let server = Server::start("", &certificate);
    let known = [&certificate];
    block_on(async {
        let mut tls = connect_tls(server.tls, trusting(&known, "dot")).await;
        let mut two = Https::connect(server.https, &known, Version::HTTP_2).await;
        let mut one = Https::connect(server.https, &known, Version::HTTP_11).await;
        let quic = connect_quic(server.quic, &quic_client(&known, "doq")).await;
        for question in questions() {
            let reply = ask_tls(&mut tls, &question).await.expect("a reply");
            assert_same(&server, &question, &reply, "TLS");
            let reply = ask_quic(&quic, &question).await.expect("a reply");
            assert_same(&server, &question, &reply, "QUIC");
            for connection in [&mut two, &mut one] {
                for request in [get(&question), post(&question)] {
                    let response = connection.send(request).await.expect("a response");
                    assert_eq!(response.status(), StatusCode::OK);
                    assert_eq!(response.headers()["content-type"], "application/dns-message");
                    assert_eq!(response.headers()["content-length"], response.body().len().to_string());
                    assert_same(&server, &question, response.body(), "HTTPS");
                }
            }
        }
        let endpoint = quic_client(&known, "h3");
        for question in &questions()[..8] {
            for request in [get(question), post(question)] {
                let response = send_h3(server.h3, &endpoint, request).await;
                assert_eq!(response.headers()["content-type"], "application/dns-message");
                assert_same(&server, question, response.body(), "HTTP/3");
            }
        }
    });
    for transport in ["udp", "tls", "https", "h3", "quic"] {
        assert!(server.metric(&format!("fingerpost_queries_total{{transport=\"{transport}\"}}")) > 0, "{transport}");
    }
}

#[test]
fn encrypted_replies_are_padded_for_those_who_pad() {
    let certificate = Certificate::new();
    let server = Server::start("", &certificate);
    let known = [&certificate];
    let question = query("simple.example.com", A, 0, &PADDING);
    assert!(ask_udp(server.plain, &question).len() < BLOCK);
    block_on(async {
        let mut tls = connect_tls(server.tls, trusting(&known, "dot")).await;
        assert_eq!(ask_tls(&mut tls, &question).await.expect("a reply").len(), BLOCK);
        let both = query("simple.example.com", A, 0, &[KEEPALIVE, PADDING].concat());
        let reply = ask_tls(&mut tls, &both).await.expect("a reply");
        // Thirty seconds, in tenths.
        assert!(reply.windows(6).any(|option| option == [0, 11, 0, 2, 1, 44]), "{reply:02x?}");
        let quic = connect_quic(server.quic, &quic_client(&known, "doq")).await;
        assert_eq!(ask_quic(&quic, &question).await.expect("a reply").len(), BLOCK);
        let mut two = Https::connect(server.https, &known, Version::HTTP_2).await;
        assert_eq!(two.send(get(&question)).await.expect("a response").body().len(), BLOCK);
        let refused = query("example.net", A, 0, &PADDING);
        assert_eq!(ask_tls(&mut tls, &refused).await.expect("a reply").len(), BLOCK);
    });
}

#[test]
fn http_says_what_is_wrong_with_a_request() {
    let certificate = Certificate::new();
    let server = Server::start("", &certificate);
    let known = [&certificate];
    let question = query("simple.example.com", A, 0, &[]);
    let to = |uri: &str| Request::get(format!("https://localhost{uri}")).body(Default::default()).expect("a request");
    let typed = |kind: &str, body: Vec<u8>| {
        let post = Request::post("https://localhost/dns-query").header("content-type", kind);
        post.body(http_body_util::Full::new(body.into())).expect("a request")
    };
    let long_header = |mut request: Request<_>| {
        request.headers_mut().insert("x", "x".repeat(20_000).parse().expect("a header"));
        request
    };
    let cases = || {
        [
            (to("/"), 404),
            (to("/dns-query"), 400),
            (to("/dns-query?dns=*"), 400),
            (to("/dns-query?dns="), 400),
            (with_method(get(&question), Method::PUT), 405),
            (with_method(get(&question), Method::HEAD), 405),
            (typed("text/plain", question.clone()), 415),
            (typed("application/dns-message", vec![0; 65_536]), 413),
            (typed("application/dns-message", vec![0; 3]), 400),
            (long_header(get(&question)), 431),
            (get(&question), 200),
        ]
    };
    block_on(async {
        let mut two = Https::connect(server.https, &known, Version::HTTP_2).await;
        for (number, (request, status)) in cases().into_iter().enumerate() {
            let response = two.send(request).await.expect("a response");
            assert_eq!(response.status().as_u16(), status, "case {number}");
            assert_eq!(response.headers().contains_key("allow"), status == 405);
        }
        for (number, (request, status)) in cases().into_iter().enumerate() {
            let mut one = Https::connect(server.https, &known, Version::HTTP_11).await;
            match one.send(request).await {
                Ok(response) => assert_eq!(response.status().as_u16(), status, "case {number} of HTTP/1.1"),
                // A body that isn't read may be in the response's way.
                Err(error) => assert_eq!(status, 413, "case {number} of HTTP/1.1: {error}"),
            }
        }
        let endpoint = quic_client(&known, "h3");
        // There the client itself sends no more than the server said it takes.
        for (number, (request, status)) in cases().into_iter().enumerate().filter(|(_, (_, status))| *status != 431) {
            let response = send_h3(server.h3, &endpoint, request).await;
            assert_eq!(response.status().as_u16(), status, "case {number} of HTTP/3");
        }
    });
}

/// One name for each way of routing, and no private zone.
const STEERED: &str = "
$TTL 30
@ 3600 IN SOA ns.steered.example. hostmaster 1 7200 900 1209600 300
@ 3600 IN NS ns.steered.example.
plain IN A 192.0.2.1
weighted IN A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"a\"
failover IN A 192.0.2.1 ; AWS routing=\"FAILOVER\" failover=\"PRIMARY\" identifier=\"a\"
many IN A 192.0.2.1 ; AWS routing=\"MULTIVALUE\" identifier=\"a\"
geo IN A 192.0.2.1 ; AWS routing=\"GEOLOCATION\" countryCode=\"*\" identifier=\"a\"
nowhere IN A 192.0.2.1 ; AWS routing=\"GEOLOCATION\" countryCode=\"NZ\" identifier=\"a\"
latency IN A 192.0.2.1 ; AWS routing=\"LATENCY\" region=\"us-east-1\" identifier=\"a\"
near IN A 192.0.2.1 ; AWS routing=\"GEOPROXIMITY\" awsRegion=\"us-east-1\" identifier=\"a\"
isp IN A 192.0.2.1 ; AWS routing=\"CIDR\" collection=\"isps\" location=\"*\" identifier=\"a\"
alias AWS ALIAS A geo $self false
over AWS ALIAS A weighted $self false ; AWS routing=\"LATENCY\" region=\"us-east-1\" identifier=\"a\"
chain IN CNAME isp
";

/// `Cache-Control` of the reply to each question.
fn cache_control(server: &Server, certificate: &Certificate, questions: &[Vec<u8>]) -> Vec<String> {
    block_on(async {
        let mut two = Https::connect(server.https, &[certificate], Version::HTTP_2).await;
        let mut told = Vec::new();
        for question in questions {
            let response = two.send(get(question)).await.expect("a response");
            told.push(response.headers()["cache-control"].to_str().expect("text").to_string());
        }
        told
    })
}

/// What depends on the client is for no cache that others share, whatever policy decided, by whichever address.
#[test]
fn http_caches_are_told_how_long_and_for_whom() {
    let certificate = Certificate::new();
    let zones = tempfile::tempdir().expect("a folder");
    put(zones.path(), "steered.example.zone", STEERED);
    put(zones.path(), "cidr-collections.toml", "[cidr_collection.isps]\neast = [\"198.51.100.0/24\"]\n");
    let settings = |more: &str| format!("zones = {:?}\n{more}", zones.path());
    let server = Server::start(&settings("ecs_from = [\"127.0.0.0/8\"]\n"), &certificate);
    let cases = [
        ("plain", "max-age=30"),
        ("weighted", "max-age=30"),
        ("failover", "max-age=30"),
        ("many", "max-age=30"),
        ("none", "max-age=300"),
        ("geo", "private, max-age=30"),
        ("nowhere", "private, max-age=300"),
        ("latency", "private, max-age=30"),
        ("near", "private, max-age=30"),
        ("isp", "private, max-age=30"),
        ("alias", "private, max-age=30"),
        ("over", "private, max-age=30"),
        ("chain", "private, max-age=30"),
    ];
    for (by, options) in [("the connection's address", vec![]), ("the question", subnet([203, 0, 113, 7]))] {
        let questions = cases.map(|(name, _)| query(&format!("{name}.steered.example"), A, 0, &options));
        let told = cache_control(&server, &certificate, &questions);
        let told: Vec<_> = cases.iter().zip(&told).map(|((name, _), told)| (*name, &**told)).collect();
        assert_eq!(told, cases, "steered by {by}");
    }
    let elsewhere = [query("www.example.net", A, 0, &[])];
    assert_eq!(cache_control(&server, &certificate, &elsewhere), ["max-age=0"]);
    drop(server);
    // Where access depends on the client, so does every answer.
    let plain = [query("plain.steered.example", A, 0, &[])];
    let guarded = Server::start(&settings("[access]\nallow = [\"127.0.0.0/8\"]\n"), &certificate);
    assert_eq!(cache_control(&guarded, &certificate, &plain), ["private, max-age=30"]);
    drop(guarded);
    // A private zone may answer the same name for others.
    put(
        zones.path(),
        "private.example.zone",
        "; AWS hostedzone name=\"private.example\" private=true vpcs=\"vpc-1\"\n\
        @ 60 IN SOA ns. h. 1 2 3 4 5\n@ 60 IN NS ns.\n",
    );
    let beside = Server::start(&settings(""), &certificate);
    assert_eq!(cache_control(&beside, &certificate, &plain), ["private, max-age=30"]);
}

#[test]
fn quic_has_rules_and_who_breaks_them_has_to_go() {
    let certificate = Certificate::new();
    let server = Server::start("", &certificate);
    let good = query("simple.example.com", A, 0, &[]);
    let with_id = query("simple.example.com", A, 1, &[]);
    let with_keepalive = query("simple.example.com", A, 0, &KEEPALIVE);
    let mut a_reply = good.clone();
    a_reply[2] |= 0x80;
    block_on(async {
        let client = quic_client(&[&certificate], "doq");
        let bystander = connect_quic(server.quic, &client).await;
        for (what, bytes) in [
            ("a message ID", framed(&with_id)),
            ("a keepalive", framed(&with_keepalive)),
            ("half a message", framed(&good)[..20].to_vec()),
            ("half a length", vec![0]),
            ("nothing", vec![]),
            ("two messages", [framed(&good), framed(&good)].concat()),
            ("a reply", framed(&a_reply)),
        ] {
            let connection = connect_quic(server.quic, &client).await;
            assert!(ask_quic(&connection, &good).await.is_ok(), "{what}: the question before");
            assert!(exchange_quic(&connection, &bytes).await.is_err(), "{what}");
            let quinn::ConnectionError::ApplicationClosed(closed) = connection.closed().await else {
                panic!("{what}: not closed by the server");
            };
            // DOQ_PROTOCOL_ERROR
            assert_eq!(closed.error_code, quinn::VarInt::from_u32(2), "{what}");
        }
        // A stream that is taken back concerns nobody else.
        let (mut send, _receive) = bystander.open_bi().await.expect("a stream");
        send.write_all(&framed(&good)[..9]).await.expect("sent");
        send.reset(quinn::VarInt::from_u32(3)).expect("taken back");
        assert!(ask_quic(&bystander, &good).await.is_ok());
        // Who speaks something else is not let in.
        let other = quic_client(&[&certificate], "h3");
        assert!(other.connect(server.quic, "localhost").expect("an address").await.is_err());
    });
    assert_eq!(server.metric("fingerpost_encrypted_connections_closed_total{why=\"protocol\"}"), 7);
}

#[test]
fn a_connection_that_asked_enough_is_ended_and_no_answer_lost() {
    let certificate = Certificate::new();
    let server = Server::start("encrypted_requests_max = 5\n", &certificate);
    let known = [&certificate];
    let question = query("simple.example.com", A, 0, &[]);
    block_on(async {
        for version in [Version::HTTP_2, Version::HTTP_11] {
            let mut connection = Https::connect(server.https, &known, version).await;
            let mut answered = 0;
            while let Ok(response) = connection.send(get(&question)).await {
                assert_eq!(response.status(), StatusCode::OK);
                answered += 1;
            }
            // A request may be on its way when the end is told, and is answered, too.
            assert!((5..20).contains(&answered), "{answered} over {version:?}");
        }
        let quic = connect_quic(server.quic, &quic_client(&known, "doq")).await;
        for _ in 0..5 {
            ask_quic(&quic, &question).await.expect("a reply");
        }
        let quinn::ConnectionError::ApplicationClosed(closed) = quic.closed().await else {
            panic!("not closed by the server");
        };
        assert_eq!(closed.error_code, quinn::VarInt::from_u32(0));
    });
}
