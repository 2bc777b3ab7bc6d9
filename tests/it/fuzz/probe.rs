//! Any bytes as what an endpoint says to a probe, in any pieces and at any speed: the probe ends in its time, reads no
//! more than it looks at, finds no text that is not there, and finds the same however the bytes are cut.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Unstructured;
use fingerpost::health::finding::Finding;
use fingerpost::io::probe::{Limits, Options, Prober};
use fingerpost::model::health_check::{Endpoint, Protocol};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::pieces::{self, Manner};

/// Headers, a body, and what lies in buffers on the way.
const READ_MAX: usize = 3 * 16_384 + 4096;
const SEARCHES: [Option<&str>; 4] = [None, Some("well"), Some("\u{0}"), Some("HTTP/1.1 200 OK")];

thread_local! {
    static WORLD: RefCell<(Runtime, Prober)> = RefCell::new(world());
}

pub fn world() -> (Runtime, Prober) {
    (pieces::runtime(), Prober::new(Limits::default(), Options::default()).expect("a prober"))
}

pub fn endpoint(search: Option<&str>) -> Endpoint {
    Endpoint {
        protocol: Protocol::Http,
        ip_address: Some([127, 0, 0, 1].into()),
        fully_qualified_domain_name: None,
        port: 80,
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

/// What the probe finds; how long it took, and what it read, are within bounds.
fn probe(manner: &Manner, patient: bool, search: Option<&str>, said: &[u8]) -> Finding {
    let (stream, gone) = manner.stream(said);
    let stream = if patient { stream.after(b"\r\n\r\n") } else { stream };
    let endpoint = endpoint(search);
    let (finding, took) = WORLD.with_borrow(|(runtime, prober)| {
        runtime.block_on(async {
            let begin = Instant::now();
            (prober.probe_over("blue-http", &endpoint, stream).await, begin.elapsed())
        })
    });
    let Limits { status, body, .. } = Limits::default();
    assert!(took <= status + body + Duration::from_millis(1), "it took {took:?}");
    let gone = gone.lock().expect("nobody panics with it");
    assert!(gone.read <= READ_MAX, "{} bytes were read", gone.read);
    assert!(gone.written.is_empty() || gone.written.starts_with(&b"GET / HTTP/1.1\r\n"[..gone.written.len().min(16)]));
    finding
}

pub fn run(bytes: &[u8]) {
    let mut given = Unstructured::new(bytes);
    let manner = Manner::read(&mut given);
    let choice: u8 = given.arbitrary().unwrap_or(0);
    let search = SEARCHES[usize::from(choice) % SEARCHES.len()];
    // The others speak before they are asked, as SSH does.
    let patient = choice & 4 == 0;
    let said = given.take_rest();
    let finding = probe(&manner, patient, search, said);
    let has = |word: &[u8]| said.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    match finding {
        Finding::Answered(status) => assert!(search.is_none() || !(200..400).contains(&status), "{finding:?}"),
        Finding::Matched(_) => {
            // Encoded, or in chunks, it may stand there otherwise.
            let coded = has(b"encoding");
            assert!(coded || search.is_some_and(|text| has(text.as_bytes())), "{finding:?}");
        }
        Finding::NotMatched(_) | Finding::NoBody(..) => assert!(search.is_some(), "{finding:?}"),
        Finding::Failed(_) => {}
        Finding::Connected => panic!("that is for TCP"),
    }
    // Of what is no answer it is told what is wrong first, and that may be another thing then.
    if !manner.slow && patient {
        let whole = probe(&Manner::whole(), patient, search, said);
        let failed = |finding| matches!(finding, Finding::Failed(_));
        assert!(finding == whole || failed(finding) && failed(whole), "in pieces {finding:?}, and at once {whole:?}");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nI am well"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nI am\r\n5;x=y\r\n well\r\n0\r\nT: x\r\n\r\n",
        b"HTTP/1.0 301 Moved\r\nLocation: /\r\nX: \xff\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: identity\r\n\r\nwell",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ];
    let mut said: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
    for (coding, body) in super::seeds::encoded(&[&b".".repeat(300)[..], b"I am well"].concat()) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
        said.push([head.as_bytes(), &body].concat());
    }
    let manners = Manner::some();
    let seed = |(number, said): (usize, &Vec<u8>)| {
        let manner = &manners[number % manners.len()];
        [manner.prefix(), vec![1], said.clone()].concat()
    };
    said.iter().enumerate().map(seed).collect()
}

pub fn finished(gone: &Arc<std::sync::Mutex<pieces::Gone>>) -> Vec<u8> {
    gone.lock().expect("nobody panics with it").written.clone()
}
