//! The admin port as its clients see it: on a real connection where that matters, by its routes elsewhere.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::callers::NEWCOMERS_MAX;
use super::*;
use crate::control::Settings;
use crate::io::probe::{self, Prober};
use crate::io::state::State;
use crate::model::Limits;
use crate::problem::Problems;
use crate::route53::health_checks;
use crate::snapshot::Snapshot;
use crate::wire::name::Name;
use crate::zonefile;

mod openapi;

const CHECKS: &str = "
[health_check.blue]
type = \"TCP\"
ip_address = \"127.0.0.1\"
port = 1
disabled = true
[health_check.green]
type = \"CALCULATED\"
child_health_checks = [\"blue\", \"main\"]
health_threshold = 2
[health_check.main]
type = \"RECOVERY_CONTROL\"
routing_control_arn = \"arn\"
[health_check.orders]
type = \"CLOUDWATCH_METRIC\"
alarm_identifier = { region = \"eu-west-1\", name = \"orders\" }
";

const ZONE: &str = "
www 60 A 192.0.2.1 ; AWS routing=\"FAILOVER\" failover=\"PRIMARY\" healthCheckId=\"green\" identifier=\"main\"
www 60 A 192.0.2.2 ; AWS routing=\"FAILOVER\" failover=\"SECONDARY\" identifier=\"spare\"
out AWS ALIAS A lb.example.net. Z1 false
";

struct NoIncludes;

impl zonefile::Includes for NoIncludes {
    fn read(&self, _: &str, _: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err("none here".into())
    }
}

fn admin(folder: &std::path::Path, token: Option<&str>) -> Arc<Admin> {
    admin_of(folder, token, CHECKS, Settings::default(), super::Limits::default())
}

fn admin_of(
    folder: &std::path::Path,
    token: Option<&str>,
    checks: &str,
    settings: Settings,
    limits: super::Limits,
) -> Arc<Admin> {
    let mut problems = Problems::default();
    let checks = health_checks::read_toml("h".into(), checks.as_bytes(), Limits::None, &mut problems);
    let origin = Name::parse_absolute("example.com").unwrap();
    let zone = zonefile::parse(&origin, "z".into(), ZONE.as_bytes(), &NoIncludes, &mut problems);
    assert_eq!(problems.errors(), 0, "{:?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>());
    let shared = crate::model::Shared { health_checks: checks, ..Default::default() };
    let snapshot =
        Snapshot::of(&[zone], shared, Default::default(), crate::snapshot::Settings::default(), &mut problems);
    let served = crate::io::live::Served::new(Arc::new(snapshot));
    let prober = Prober::new(probe::Limits::default(), probe::Options::default()).unwrap();
    // The thread that writes for the process before may still hold the lock for a moment.
    let state = (0..10_000).find_map(|_| State::open(folder).map_err(|_| std::thread::yield_now()).ok()).unwrap();
    let health = Health::new(settings, Some(state), served.clone(), prober, 1);
    Arc::new(Admin {
        health,
        counters: vec![Arc::default()],
        doors: None,
        proxies: Arc::default(),
        served,
        loads: Arc::default(),
        reload: Arc::default(),
        token: token.map(String::from),
        limits,
    })
}

/// Serves one connection of a client on this machine.
async fn converse(admin: Arc<Admin>, stream: impl AsyncRead + AsyncWrite + Unpin) {
    admin.converse(stream, SocketAddr::from(([127, 0, 0, 1], 4711))).await;
}

/// Waits until it is known what is kept, and what a question comes to: on a thread of its own, so that no test has to be
/// written for that.
fn settled(admin: &Admin, reply: Reply) -> Reply {
    let wait = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(reply.settled(&admin.limits.questions))
    };
    std::thread::scope(|scope| scope.spawn(wait).join().unwrap())
}

/// The status and the JSON of a reply.
fn ask(admin: &Admin, method: &Method, path: &str, body: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let reply = settled(admin, admin.route(method, path, query, body.as_bytes()));
    (reply.status.as_u16(), serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_verdict_is_forced_served_kept_and_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let admin = admin(folder.path(), None);
    let put = Method::PUT;
    let (status, said) =
        ask(&admin, &put, "/health/blue", r#"{"state": "down", "for_seconds": 600, "reason": "works"}"#);
    assert_eq!((status, &said["healthy"], &said["kept"]), (200, &json!(false), &json!(true)), "{said}");
    assert_eq!((&said["forced"]["state"], &said["forced"]["reason"]), (&json!("down"), &json!("works")));
    assert!(!admin.health.snapshot().verdicts.healthy("green"), "what is served follows at once");

    // The next process finds it.
    drop(admin);
    let second = super::tests::admin(folder.path(), None);
    assert!(!second.health.snapshot().verdicts.healthy("blue"));
    let (_, said) = ask(&second, &put, "/health/blue", r#"{"state": "auto"}"#);
    assert_eq!((&said["healthy"], said.get("forced")), (&json!(true), None));
    drop(second);
    assert!(super::tests::admin(folder.path(), None).health.snapshot().verdicts.healthy("green"));
}

#[tokio::test]
async fn switches_metrics_and_observations() {
    let folder = tempfile::tempdir().unwrap();
    let admin = admin(folder.path(), None);
    for (method, path, body, status, healthy) in [
        (Method::PUT, "/health/main/switch", r#"{"on": false}"#, 200, json!(false)),
        (Method::GET, "/health/green", "", 200, json!(false)),
        (Method::PUT, "/health/m%61in/switch", r#"{"on": true}"#, 200, json!(true)),
        (Method::PUT, "/health/orders/metric", r#"{"state": "alarm"}"#, 200, json!(false)),
        (Method::PUT, "/health/orders/metric", r#"{"state": "insufficient-data"}"#, 200, json!(false)),
        (Method::POST, "/health/blue/observations", r#"{"checker": "paris", "healthy": false}"#, 200, json!(true)),
        (Method::PUT, "/health/blue/switch", r#"{"on": true}"#, 409, Value::Null),
        (Method::PUT, "/health/maim/switch", r#"{"on": true}"#, 404, Value::Null),
        (Method::PUT, "/health/main/switch", r#"{"off": true}"#, 400, Value::Null),
        (Method::PUT, "/health/main/switch", "\u{0}", 400, Value::Null),
        (Method::PUT, "/health/main", r#"{"state": "sideways"}"#, 400, Value::Null),
        (Method::GET, "/health/nobody", "", 404, Value::Null),
        (Method::GET, "/health/%ff", "", 400, Value::Null),
        (Method::DELETE, "/health/main", "", 405, Value::Null),
        (Method::GET, "/nothing", "", 404, Value::Null),
        (Method::GET, "", "", 404, Value::Null),
        (Method::POST, "/reload", "", 200, Value::Null),
    ] {
        let (code, said) = ask(&admin, &method, path, body);
        assert_eq!((code, &said["healthy"]), (status, &healthy), "{method} {path} {body}: {said}");
        assert_eq!(said.get("error").is_some(), status != 200, "{said}");
    }
    let (_, list) = ask(&admin, &Method::GET, "/health", "");
    let green = &list["health_checks"][1];
    assert_eq!((&green["id"], &green["names"]), (&json!("green"), &json!(["www.example.com. A"])));
}

/// Between two slices the thread does other work: it probes, and answers other requests.
#[tokio::test]
async fn a_list_of_ten_thousand_checks_holds_up_nobody() {
    const CHECKS_MANY: usize = 10_000;
    let one = |number| {
        format!("[health_check.c{number:05}]\ntype = \"TCP\"\nip_address = \"127.0.0.1\"\nport = 1\ndisabled = true\n")
    };
    let checks: String = (0..CHECKS_MANY).map(one).chain([CHECKS.to_string()]).collect();
    let folder = tempfile::tempdir().unwrap();
    let admin = admin_of(folder.path(), None, &checks, Settings::default(), super::Limits::default());
    let listed = tokio::spawn({
        let admin = admin.clone();
        async move { admin.route(&Method::GET, "/health", None, b"").settled(&admin.limits.questions).await }
    });
    let mut others = 0;
    while !listed.is_finished() {
        tokio::task::yield_now().await;
        others += 1;
    }
    // Slices of half a millisecond, and no machine writes so many checks in ten of them.
    assert!(others > 10, "other work ran {others} times");
    let list: Value = serde_json::from_slice(&listed.await.unwrap().body).unwrap();
    let ids: Vec<_> = list["health_checks"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), CHECKS_MANY + 4);
    assert!(ids.is_sorted() && ids.contains(&"c09999"), "each once, in order");
    assert_eq!(list["probes"], true);
}

#[tokio::test]
async fn many_observations_come_at_once_and_those_that_cannot_be_taken_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let admin = admin(folder.path(), None);
    let one = |id: &str, checker: &str| json!({ "id": id, "checker": checker, "healthy": false, "reason": "gone" });
    let post = |body: Value| ask(&admin, &Method::POST, "/observations", &body.to_string());
    let many = json!({ "observations": [one("blue", "paris"), one("nobody", "paris"), one("green", "paris"),
                                        one("blue", "local"), one("blue", "tokyo")] });
    let (status, said) = post(many);
    assert_eq!((status, &said["accepted"], &said["refused"]), (200, &json!(2), &json!(3)), "{said}");
    let errors: Vec<_> =
        said["problems"].as_array().unwrap().iter().map(|one| one["error"].as_str().unwrap()).collect();
    assert!(errors[0].contains("nobody") && errors[1].contains("CALCULATED") && errors[2].contains("local"), "{said}");
    let (_, blue) = ask(&admin, &Method::GET, "/health/blue", "");
    let others: Vec<_> = blue["other_checkers"].as_array().unwrap().iter().map(|one| &one["checker"]).collect();
    assert_eq!(others, [&json!("paris"), &json!("tokyo")]);
    // A thousand at a time, and of so many that are refused a few are named.
    let (status, said) = post(json!({ "observations": vec![one("nobody", "paris"); 1000] }));
    assert_eq!((status, &said["refused"], said["problems"].as_array().map(Vec::len)), (200, &json!(1000), Some(20)));
    assert_eq!(post(json!({ "observations": vec![one("blue", "paris"); 1001] })).0, 413);
    assert_eq!(post(json!({ "observations": [] })).0, 200);
    for body in [json!({}), json!({ "observations": 1 }), json!({ "observations": [{ "id": "blue" }] })] {
        assert_eq!(post(body).0, 400);
    }
}

#[tokio::test]
async fn metrics_are_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let admin = admin(folder.path(), None);
    let reply = admin.route(&Method::GET, "/metrics", None, b"");
    let text = String::from_utf8(reply.body.into()).unwrap();
    for line in ["fingerpost_health_checks{verdict=\"healthy\"} 4", "fingerpost_probe_seconds_bucket{le=\"+Inf\"} 0"] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn a_forced_state_ends_when_it_is_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let admin = admin(folder.path(), None);
    let put = |body: &str| ask(&admin, &Method::PUT, "/health/blue", body);
    let (status, said) = put(r#"{"state": "down", "until": "2100-01-01T00:00:00Z"}"#);
    assert_eq!(status, 200, "{said}");
    // A year is the most there is.
    let until = said["forced"]["until"].as_str().unwrap();
    assert!(("2027".."2100").contains(&until), "{until}");
    for (body, error) in [
        (r#"{"state": "up", "until": "2020-01-01T00:00:00Z"}"#, "until is over"),
        (r#"{"state": "up", "until": "noon"}"#, "until is not a time"),
        (r#"{"state": "up", "until": "2100-01-01T00:00:00Z", "for_seconds": 1}"#, "for_seconds stands beside until"),
    ] {
        let (status, said) = put(body);
        assert!(status == 400 && said["error"].as_str().unwrap().starts_with(error), "{body}: {said}");
    }
    assert_eq!(
        ask(&admin, &Method::GET, "/health/blue", "").1["forced"]["until"],
        until,
        "what is refused does nothing"
    );
}

#[tokio::test]
async fn explain_and_odds_go_by_the_health_that_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let admin = admin(folder.path(), None);
    let get = |path: &str, query: &str| ask(&admin, &Method::GET, &format!("{path}?{query}"), "");
    assert_eq!(get("/odds", "name=www.example.com").1["records"][0]["data"], "192.0.2.1");
    ask(&admin, &Method::PUT, "/health/green", r#"{"state": "down"}"#);
    assert_eq!(get("/odds", "name=www.example.com&type=A").1["records"][0]["data"], "192.0.2.2");
    let (status, told) = get("/explain", "name=www.example.com.&type=A&from=198.51.100.0%2F24&seed=7");
    assert_eq!((status, &told["answer"][0]["data"]), (200, &json!("192.0.2.2")));
    assert!(told["steps"].as_array().is_some_and(|steps| steps.len() > 1), "{told}");
    for query in ["", "name=..", "name=a&type=AXFR", "name=a&seed=x", "name=a&from=z", "name=a&colour=red", "name=%ff"]
    {
        assert_eq!(get("/explain", query).0, 400, "{query}");
    }
}

#[test]
fn elsewhere_than_on_loopback_a_token_is_required() {
    let outside = IpAddr::from([192, 0, 2, 1]);
    let inside = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for (address, token, fine) in [
        (inside, None, true),
        (outside, None, false),
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), None, false),
        (outside, Some("short"), false),
        (inside, Some("short"), false),
        (outside, Some("0123456789abcdef"), true),
    ] {
        assert_eq!(check_token(address, token).is_ok(), fine, "{address} {token:?}");
    }
    for (host, local) in [
        ("127.0.0.1:5380", true),
        ("localhost", true),
        ("LOCALHOST:1", true),
        ("[::1]:5380", true),
        ("evil.example:5380", false),
        ("", false),
    ] {
        assert_eq!(is_local(host), local, "{host:?}");
    }
}

#[tokio::test]
async fn requests_on_the_wire() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (open, guarded) = (admin(folder.path(), None), admin(other.path(), Some("0123456789abcdef")));
    let (_stop, stopped) = watch::channel(false);
    let mut ports = Vec::new();
    for admin in [open, guarded] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        ports.push(listener.local_addr().unwrap().port());
        tokio::spawn(admin.serve(listener, stopped.clone()));
    }
    let long =
        format!("POST /reload HTTP/1.1\r\nHost: [::1]\r\nContent-Length: {}\r\n\r\n{}", 70_000, "x".repeat(70_000));
    let header = format!("GET /health HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    for (port, request, status) in [
        (0, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "200"),
        (0, "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"),
        (0, "POST /reload HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", "403"),
        (0, "POST /reload HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n", "403"),
        (0, "POST /reload HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n", "403"),
        (0, "GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", "403"),
        (0, "GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", "403"),
        (0, "GET /health HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: Cross-Site\r\n\r\n", "403"),
        (0, "GET /health HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://localhost:1\r\n\r\n", "200"),
        (0, "GET /health HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n\r\n", "200"),
        (0, "GET /ready HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", "403"),
        (0, "GET /ready HTTP/1.1\r\nHost: a.example\r\n\r\n", "200"),
        (0, "GET /health HTTP/1.1\r\n\r\n", "400"),
        (0, "GET /health HTTP/1.0\r\n\r\n", "200"),
        (0, "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400"),
        (0, "GET /health HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", "400"),
        (
            0,
            "POST /reload HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (
            0,
            "POST /reload HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (0, "POST /reload HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200"),
        (0, &long, "413"),
        // Where many are posted at once there is more room.
        (0, &long.replace("/reload", "/observations"), "400"),
        (0, &header, "431"),
        (0, "\u{0}\u{1}\u{2}\r\n\r\n", "400"),
        (1, "GET /health HTTP/1.1\r\nHost: a.example\r\n\r\n", "401"),
        (1, "GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer 0123456789abcdeF\r\n\r\n", "401"),
        (1, "GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n", "200"),
        (
            1,
            "GET /health HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n",
            "403",
        ),
        (1, "GET /health HTTP/1.1\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n", "400"),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", ports[port])).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = [0; 64];
        let length = stream.read(&mut reply).await.unwrap();
        let reply = String::from_utf8_lossy(&reply[..length]).into_owned();
        let shown: String = request.chars().take(60).collect();
        assert!(reply.starts_with("HTTP/1.") && reply[8..].starts_with(&format!(" {status} ")), "{shown:?}: {reply:?}");
    }
}

/// Strangers that say nothing, or that ask without the token, are no hindrance to whoever has it, nor to connections
/// that are there.
#[tokio::test]
async fn strangers_do_not_keep_the_operator_out() {
    async fn ask(stream: &mut TcpStream, token: &str) -> String {
        let request = format!("GET /health/main HTTP/1.1\r\nHost: [::1]\r\n{token}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = [0; 4096];
        let length = stream.read(&mut reply).await.unwrap();
        String::from_utf8_lossy(&reply[..length]).chars().take(12).collect()
    }
    let bearer = "Authorization: Bearer 0123456789abcdef\r\n";
    for token in [None, Some("0123456789abcdef")] {
        let folder = tempfile::tempdir().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(admin(folder.path(), token).serve(listener, stopped));
        let connect = || async { TcpStream::connect(("127.0.0.1", port)).await.unwrap() };
        let mut there_before = connect().await;
        assert_eq!(ask(&mut there_before, bearer).await, "HTTP/1.1 200");
        let mut strangers = Vec::new();
        for number in 0..3 * NEWCOMERS_MAX {
            let mut stranger = connect().await;
            let begins = [&b""[..], b"GET /heal", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "][number % 3];
            stranger.write_all(begins).await.unwrap();
            if token.is_some() && number % 2 == 0 {
                assert_eq!(ask(&mut connect().await, "").await, "HTTP/1.1 401");
            }
            strangers.push(stranger);
        }
        for _ in 0..3 {
            assert_eq!(ask(&mut connect().await, bearer).await, "HTTP/1.1 200");
        }
        assert_eq!(ask(&mut there_before, bearer).await, "HTTP/1.1 200");
        // The first stranger was closed, the last one was not.
        assert_eq!(strangers[0].read(&mut [0; 16]).await.unwrap_or(0), 0);
        let newest = strangers.last().unwrap();
        let waits = newest.try_read(&mut [0; 16]).unwrap_err();
        assert_eq!(waits.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn a_request_that_needs_no_token_proves_nothing_where_others_need_one() {
    let folder = tempfile::tempdir().unwrap();
    let admin = admin(folder.path(), Some("0123456789abcdef"));
    let (_stop, stopped) = watch::channel(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(admin.serve(listener, stopped));
    let ask = async |path: &str, token: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{token}\r\n").as_bytes()).await.unwrap();
        let mut reply = [0; 4096];
        let length = stream.read(&mut reply).await.unwrap();
        assert!(reply[..length].starts_with(b"HTTP/1.1 200"));
        stream
    };
    let operator = ask("/health/main", "Authorization: Bearer 0123456789abcdef\r\n").await;
    let mut strangers = Vec::new();
    for _ in 0..callers::PROVEN_MAX + 1 {
        strangers.push(ask("/ready", "").await);
    }
    assert_eq!(operator.try_read(&mut [0; 16]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "it is open");
}

/// Log lines, for a test to read.
#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_change_is_logged_with_its_client_and_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
    let _guard = tracing::subscriber::set_default(log.with_writer(move || writer.clone()).finish());
    let admin = admin(folder.path(), Some("0123456789abcdef"));
    for (line, token) in [
        ("GET /health", Some("0123456789abcdef")),
        ("POST /reload", Some("0123456789abcdef")),
        ("PUT /health/nobody\u{202e}%0a/switch", Some("0123456789abcdef")),
        ("POST /reload", Some("0123456789abcdeF")),
        ("POST /reload", None),
    ] {
        let (mut client, server) = tokio::io::duplex(65_536);
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{token}\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        converse(admin.clone(), server).await;
    }
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let logged: Vec<_> = logged.lines().filter(|line| line.contains("admin: ")).map(str::trim).collect();
    let expected = [
        r#"INFO admin: POST /reload peer=127.0.0.1:4711 status=200 token="valid""#,
        r#"INFO admin: PUT /health/nobody\u{202e}%0a/switch peer=127.0.0.1:4711 status=400 token="valid""#,
        r#"INFO admin: POST /reload peer=127.0.0.1:4711 status=401 token="wrong""#,
        r#"INFO admin: POST /reload peer=127.0.0.1:4711 status=401 token="none""#,
    ];
    assert_eq!(logged, expected);
}

/// A question waits for its turn. Its client goes, and its place is free again.
#[tokio::test]
async fn a_question_whose_client_is_gone_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let questions = Questions::new(0, 1, Duration::from_secs(600), 1 << 20);
    let limits = super::Limits { questions, ..Default::default() };
    let admin = admin_of(folder.path(), None, CHECKS, Settings::default(), limits);
    for _ in 0..3 {
        let (mut client, server) = tokio::io::duplex(65_536);
        let serving = tokio::spawn(converse(admin.clone(), server));
        client.write_all(b"GET /odds?name=www.example.com HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        while admin.limits.questions.free_places() > 0 {
            tokio::task::yield_now().await;
        }
        // Others are served meanwhile.
        assert_eq!(ask(&admin, &Method::GET, "/health/main", "").0, 200);
        drop(client);
        serving.await.unwrap();
        assert_eq!(admin.limits.questions.free_places(), 1);
    }
}

/// A client of the admin port that says this, then this byte each second for ever, and hears out what it is told. What it
/// was told, and after how many seconds the connection was closed.
async fn slow_client(begin: &[u8], drip: Option<u8>) -> (String, u64) {
    let folder = tempfile::tempdir().unwrap();
    let (mut client, server) = tokio::io::duplex(1024);
    let start = tokio::time::Instant::now();
    let serving = tokio::spawn(converse(admin(folder.path(), None), server));
    client.write_all(begin).await.unwrap();
    let (mut from, mut to) = tokio::io::split(client);
    let dripping = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            match drip {
                Some(byte) if to.write_all(&[byte]).await.is_ok() => {}
                _ => std::future::pending().await,
            }
        }
    };
    let mut told = Vec::new();
    tokio::select! {
        read = from.read_to_end(&mut told) => assert!(read.is_ok()),
        () = dripping => {}
    }
    let took = start.elapsed().as_secs();
    serving.await.unwrap();
    (String::from_utf8(told).unwrap(), took)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_slow_is_let_go() {
    let endless_headers = "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ";
    let body = "PUT /health/blue HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{";
    let (headers_time, body_time) = (PATIENCE.as_secs(), PATIENCE.as_secs());
    for (what, begin, drip, status, closed_after) in [
        ("says nothing", "", None, None, headers_time),
        ("says a word and no more", "GET /hea", None, None, headers_time),
        ("never ends its headers", endless_headers, Some(b'x'), None, headers_time),
        ("says no body", body, None, Some("408"), body_time),
        ("says its body byte by byte", body, Some(b' '), Some("408"), body_time),
    ] {
        let (told, took) = slow_client(begin.as_bytes(), drip).await;
        let said = told.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        assert_eq!(said, status, "one that {what} is told {told}");
        assert_eq!(took, closed_after, "one that {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_on_and_on_or_reads_nothing_is_let_go_too() {
    let folder = tempfile::tempdir().unwrap();
    let start = tokio::time::Instant::now();
    // Reads nothing: what it is told has no room.
    let (mut deaf, server) = tokio::io::duplex(256);
    let serving = tokio::spawn(converse(admin(folder.path(), None), server));
    deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    serving.await.unwrap();
    assert_eq!(start.elapsed(), CONNECTION_TIME_MAX);
    drop(deaf);
    // Asks again and again, in time each time.
    let pause = Duration::from_millis(3500);
    let (client, server) = tokio::io::duplex(65_536);
    let start = tokio::time::Instant::now();
    let other = tempfile::tempdir().unwrap();
    let serving = tokio::spawn(converse(admin(other.path(), None), server));
    let (mut from, mut to) = tokio::io::split(client);
    let asking = async {
        while to.write_all(b"GET /health/blue HTTP/1.1\r\nHost: localhost\r\n\r\n").await.is_ok() {
            tokio::time::sleep(pause).await;
        }
        std::future::pending().await
    };
    let mut told = Vec::new();
    tokio::select! {
        read = from.read_to_end(&mut told) => assert!(read.is_ok()),
        () = asking => {}
    }
    serving.await.unwrap();
    assert_eq!(start.elapsed(), CONNECTION_TIME_MAX);
    let replies = String::from_utf8(told).unwrap().matches("HTTP/1.1 200 OK").count();
    assert_eq!(
        replies as u128,
        CONNECTION_TIME_MAX.as_nanos().div_ceil(pause.as_nanos()),
        "every request before that had its reply"
    );
}
