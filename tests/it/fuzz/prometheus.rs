//! Any bytes as what a Prometheus says to a query, in any pieces: the probe ends in its time, what is no value says why in
//! a few words, a value is a number, and it is the same however the bytes are cut.

use std::cell::RefCell;
use std::time::Duration;

use arbitrary::Unstructured;
use fingerpost::health::alarm::{Alarm, NoReading, Reading};
use fingerpost::io::probe::Prober;
use fingerpost::model::health_check::{Comparison, MetricQuery, MissingData};
use fingerpost::moment::Moment;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::pieces::Manner;
use super::probe;

/// A mebibyte of answer, with the headers before it and what lies in buffers.
const READ_MAX: usize = (1 << 20) + 65_536;
/// What is told of an answer, whatever it says itself.
const TOLD_MAX: usize = 1000;

thread_local! {
    static WORLD: RefCell<(Runtime, Prober)> = RefCell::new(probe::world());
}

fn query() -> MetricQuery {
    MetricQuery {
        url: "http://127.0.0.1:9090/prom".into(),
        query: "sum(rate(errors_total{job=\"shop\"}[1m]))".into(),
        comparison: Comparison::Greater,
        threshold: 5.0,
        period: 30,
        evaluation_periods: 1,
        missing: MissingData::Missing,
    }
}

fn read(manner: &Manner, said: &[u8]) -> Reading {
    let (stream, gone) = manner.stream(said);
    let stream = stream.after(b"\r\n\r\n");
    let (reading, took) = WORLD.with_borrow(|(runtime, prober)| {
        runtime.block_on(async {
            let begin = Instant::now();
            (prober.measure_over(&query(), stream).await, begin.elapsed())
        })
    });
    assert!(took <= Duration::from_millis(10_001), "it took {took:?}");
    assert!(gone.lock().expect("nobody panics with it").read <= READ_MAX);
    reading
}

pub fn run(bytes: &[u8]) {
    let mut given = Unstructured::new(bytes);
    let manner = Manner::read(&mut given);
    let said = given.take_rest();
    let reading = read(&manner, said);
    let told = reading.to_string();
    assert!(told.len() <= TOLD_MAX, "{} bytes are told", told.len());
    assert!(!matches!(reading, Reading::Value(value) if value.is_nan()));
    let alarmed = Alarm::default().observe(reading.clone(), 0, &query(), Moment(1));
    assert!(alarmed.is_some() || !matches!(reading, Reading::Value(_)), "one value is enough for one period");
    if !manner.slow {
        let whole = read(&Manner::whole(), said);
        let failed = |reading: &Reading| matches!(reading, Reading::Missing(NoReading::Failed(_)));
        let same = reading == whole || failed(&reading) && failed(&whole);
        assert!(same, "in pieces {told}, and at once {whole}");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let sample = r#"{"metric":{"job":"shop"},"value":[1763700000.123,"7.25"]}"#;
    let result = |kind: &str, result: &str| {
        format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#)
    };
    let mut said = Vec::new();
    for (status, body) in [
        ("200 OK", result("vector", &format!("[{sample}]"))),
        ("200 OK", result("vector", &format!("[{sample},{sample}]"))),
        ("200 OK", result("vector", "[]")),
        ("200 OK", result("scalar", r#"[1,"+Inf"]"#)),
        ("200 OK", result("scalar", r#"[1,"NaN"]"#)),
        ("200 OK", result("matrix", "[]")),
        ("200 OK", result("string", r#"[1,"x"]"#)),
        (
            "400 Bad Request",
            r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#.into(),
        ),
        ("502 Bad Gateway", "no!".into()),
        ("200 OK", "<html>hello</html>".into()),
    ] {
        said.push(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }
    said.push(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{sample}\r\n0\r\n\r\n",
        sample.len()
    ));
    let manners = Manner::some();
    let seed = |(number, said): (usize, String)| [manners[number % manners.len()].prefix(), said.into_bytes()].concat();
    said.into_iter().enumerate().map(seed).collect()
}
