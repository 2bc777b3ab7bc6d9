//! Any bytes as what comes over a connection to the admin port, in any pieces: every reply is whole HTTP with whole JSON,
//! the connection ends in its time, no more is read than its limits allow, and without the token nothing is told.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Unstructured;
use fingerpost::control::Settings;
use fingerpost::io::admin::Admin;
use fingerpost::io::health::Health;
use fingerpost::io::live::Served;
use fingerpost::io::probe::{Limits, Options, Prober};
use fingerpost::model::{self, Shared};
use fingerpost::problem::Problems;
use fingerpost::route53::health_checks;
use fingerpost::snapshot::Snapshot;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::pieces::{self, Manner};
use super::probe::finished;

/// One request's headers and body, the next one's headers, and what lies in buffers.
const READ_AT_ONCE_MAX: usize = 2 * 16_384 + 65_536 + 16_384;
const TIME_MAX: Duration = Duration::from_secs(61);
const TOKEN: &str = "0123456789abcdef";

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
*.any 60 A 192.0.2.3 ; AWS routing=\"WEIGHTED\" weight=3 identifier=\"main\" healthCheckId=\"orders\"
*.any 60 A 192.0.2.4 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"spare\"
";

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(world());
}

struct World {
    runtime: Runtime,
    /// Open, and with a token.
    admins: [Arc<Admin>; 2],
}

fn world() -> World {
    let runtime = pieces::runtime();
    let entered = runtime.enter();
    let admins = [None, Some(TOKEN.to_string())].map(admin);
    drop(entered);
    World { runtime, admins }
}

fn admin(token: Option<String>) -> Arc<Admin> {
    let mut problems = Problems::default();
    let checks = health_checks::read_toml("h".into(), CHECKS.as_bytes(), model::Limits::None, &mut problems);
    let (zone, _) = crate::server::load("example.com.", ZONE);
    let shared = Shared { health_checks: checks, ..Shared::default() };
    let settings = fingerpost::snapshot::Settings::default();
    let snapshot = Snapshot::of(&[zone], shared, Default::default(), settings, &mut problems);
    assert_eq!(problems.errors(), 0, "{:?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>());
    let prober = Prober::new(Limits::default(), Options::default()).expect("a prober");
    let served = Served::new(Arc::new(snapshot));
    let health = Health::new(Settings::default(), None, served.clone(), prober, 1);
    Arc::new(Admin {
        health,
        counters: vec![Arc::default()],
        doors: None,
        proxies: Arc::default(),
        served,
        loads: Arc::default(),
        reload: Arc::default(),
        token,
        limits: Default::default(),
    })
}

/// A reply: its status, its type and its body.
struct Told<'a> {
    status: u16,
    json: bool,
    body: &'a [u8],
}

/// Takes the first reply off; none where nothing is left.
fn reply<'a>(rest: &mut &'a [u8]) -> Option<Told<'a>> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.windows(4).position(|window| window == b"\r\n\r\n").expect("headers that end");
    let head = std::str::from_utf8(&rest[..end]).expect("headers of text");
    let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 ")).and_then(|line| line.get(..3));
    let status: u16 = status.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{line}"));
    let header = |wanted: &str| {
        let mut headers = headers.split("\r\n").filter_map(|header| header.split_once(": "));
        headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().expect("a length"));
    let (body, after) = rest[end + 4..].split_at_checked(length).unwrap_or_else(|| panic!("{head}\nand no whole body"));
    *rest = after;
    Some(Told { status, json: header("content-type") == Some("application/json"), body })
}

pub fn run(bytes: &[u8]) {
    let mut given = Unstructured::new(bytes);
    let manner = Manner::read(&mut given);
    let guarded = given.arbitrary::<bool>().unwrap_or(false);
    let said = given.take_rest();
    let (stream, gone) = manner.stream(said);
    let took = WORLD.with_borrow(|World { runtime, admins }| {
        let admin = admins[usize::from(guarded)].clone();
        runtime.block_on(async {
            let begin = Instant::now();
            admin.converse(stream, ([127, 0, 0, 1], 4711).into()).await;
            begin.elapsed()
        })
    });
    assert!(took <= TIME_MAX, "it took {took:?}");
    assert!(gone.lock().expect("nobody panics with it").greed <= READ_AT_ONCE_MAX);
    let has = |word: &[u8]| said.windows(word.len()).any(|window| window == word);
    let written = finished(&gone);
    // A reply to HEAD has a length and no body; and who is cut off for slowness may be so within a reply.
    if has(b"HEAD") || manner.slow {
        return;
    }
    let mut rest = &written[..];
    while let Some(Told { status, json, body }) = reply(&mut rest) {
        let known = [100, 200, 400, 401, 403, 404, 405, 408, 409, 413, 414, 429, 431, 503, 504];
        assert!(known.contains(&status), "status {status}");
        if guarded && !has(TOKEN.as_bytes()) {
            assert!(![200, 404, 409].contains(&status), "status {status} without the token");
        }
        if json {
            let parsed = serde_json::from_slice::<serde_json::Value>(body);
            assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(body));
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut requests: Vec<String> = Vec::new();
    for (line, body) in [
        ("GET /health", ""),
        ("GET /health/blue", ""),
        ("GET /health/nob%6fdy", ""),
        ("PUT /health/blue", r#"{"state": "down", "for_seconds": 600, "reason": "works"}"#),
        ("PUT /health/green", r#"{"state": "up", "until": "2999-12-01T06:00:00Z"}"#),
        ("PUT /health/blue", r#"{"state": "auto"}"#),
        ("PUT /health/main/switch", r#"{"on": false}"#),
        ("PUT /health/orders/metric", r#"{"state": "insufficient-data"}"#),
        ("POST /health/blue/observations", r#"{"checker": "paris", "healthy": false, "reason": "\u00e9"}"#),
        ("POST /reload", ""),
        ("GET /explain?name=www.example.com.&type=A&from=198.51.100.0%2F24&seed=7", ""),
        ("GET /odds?name=a.any.example.com&type=A", ""),
        ("GET /odds?name=%00&colour=red", ""),
        ("GET /metrics", ""),
        ("GET /openapi.json", ""),
        ("DELETE /health", ""),
    ] {
        requests.push(format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }
    let all = requests.concat();
    requests.push(all);
    requests.push(format!("GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"));
    requests.push("POST /reload HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n".into());
    requests.push("PUT /health/blue HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{\"state\": \"auto\"}\r\n0\r\n\r\n".into());
    requests.push("GET / HTTP/1.0\r\n\r\n".into());
    requests.push(
        "POST /reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n".into(),
    );
    let manners = Manner::some();
    let seed = |(number, said): (usize, String)| {
        let guarded = u8::from(said.contains(TOKEN) || number % 5 == 4);
        [manners[number % manners.len()].prefix(), vec![guarded], said.into_bytes()].concat()
    };
    requests.into_iter().enumerate().map(seed).collect()
}
