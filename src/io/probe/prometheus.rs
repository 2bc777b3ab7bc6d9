//! Asks a Prometheus for one value: `GET /api/v1/query`, with a limit on the time and on the length of the answer.

use std::time::Duration;

use hyper::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::{Fetched, Prober, Unfetched, micros};
use crate::health::alarm::{NoReading, Reading};
use crate::io::admin_client::escaped;
use crate::model::health_check::MetricQuery;

/// An answer with one value has some hundred bytes; ours.
const ANSWER_MAX: usize = 1 << 20;

/// What Prometheus says of an error is shown up to this many characters; ours.
const ERROR_MAX: usize = 200;

#[derive(Deserialize)]
struct Answer {
    status: String,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

impl Prober {
    /// The value now, and how many microseconds it took to have it.
    pub async fn measure(&self, query: &MetricQuery) -> (Reading, u32) {
        let begin = Instant::now();
        let reading = self.in_time(query, async { self.get(&target(query)?, ANSWER_MAX).await.map_err(missing) }).await;
        (reading, micros(begin))
    }

    /// The value, asked for over a stream that leads to Prometheus already.
    pub async fn measure_over<S>(&self, query: &MetricQuery, stream: S) -> Reading
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let asking = async { self.get_over(stream, &target(query)?, ANSWER_MAX).await.map_err(missing) };
        self.in_time(query, asking).await
    }

    async fn in_time(&self, query: &MetricQuery, asking: impl Future<Output = Result<Fetched, NoReading>>) -> Reading {
        let start = self.awake.begin();
        let limit = self.limits.metric.min(Duration::from_secs(u64::from(query.period)));
        match self.awake.within(limit, &start, asking).await {
            Ok(fetched) => match fetched.and_then(|(status, body)| value(status, &body)) {
                Ok(value) => Reading::Value(value),
                Err(missing) => Reading::Missing(missing),
            },
            Err(_) => Reading::Missing(NoReading::TimedOut),
        }
    }
}

fn target(query: &MetricQuery) -> Result<Uri, NoReading> {
    let target = format!("{}/api/v1/query?query={}", query.url, escaped(&query.query));
    target.parse().map_err(|_| NoReading::NotPrometheus)
}

fn missing(unfetched: Unfetched) -> NoReading {
    match unfetched {
        Unfetched::Failed(failure) => NoReading::Failed(failure),
        Unfetched::TooLong => NoReading::TooLong,
    }
}

fn value(status: StatusCode, body: &[u8]) -> Result<f64, NoReading> {
    let answer: Result<Value, _> = serde_json::from_slice(body);
    match (answer, status) {
        // Prometheus says with 400 and 422, and in JSON, what is wrong with a query.
        (Ok(json), _) if json.get("error").is_some() || status == StatusCode::OK => value_of(json),
        (Err(_), StatusCode::OK) => Err(NoReading::NotJson),
        _ => Err(NoReading::Status(status.as_u16())),
    }
}

/// The one value that an answer holds.
fn value_of(json: Value) -> Result<f64, NoReading> {
    let Ok(Answer { status, error, data }) = serde_json::from_value(json) else {
        return Err(NoReading::NotPrometheus);
    };
    if status != "success" {
        let error = error.unwrap_or_else(|| "nothing about the error".into());
        return Err(NoReading::Refused(error.chars().take(ERROR_MAX).collect::<String>().into()));
    }
    let Data { result_type, result } = data.ok_or(NoReading::NotPrometheus)?;
    let sample = match (result_type.as_str(), &result) {
        ("scalar", sample) => sample,
        ("vector", Value::Array(series)) => match series.as_slice() {
            [] => return Err(NoReading::NoSeries),
            [one] => one.get("value").ok_or(NoReading::NotPrometheus)?,
            many => return Err(NoReading::Series(many.len())),
        },
        ("matrix" | "string", _) => return Err(NoReading::Type(result_type.into())),
        _ => return Err(NoReading::NotPrometheus),
    };
    // A moment and the value, which is text because JSON has no infinity.
    let value = sample.get(1).and_then(Value::as_str).ok_or(NoReading::NotPrometheus)?;
    match value.parse::<f64>() {
        Ok(value) if value.is_nan() => Err(NoReading::NotANumber),
        Ok(value) => Ok(value),
        Err(_) => Err(NoReading::NotPrometheus),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::{Limits, Options};
    use super::*;
    use crate::model::health_check::{Comparison, MissingData};

    fn query(url: String) -> MetricQuery {
        MetricQuery {
            url,
            query: "sum(rate(errors_total{job=\"shop\"}[1m]))".into(),
            comparison: Comparison::Greater,
            threshold: 5.0,
            period: 1,
            evaluation_periods: 1,
            missing: MissingData::Missing,
        }
    }

    /// A Prometheus that says this to whoever asks, and what it was asked.
    async fn prometheus(reply: String) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}/prom", listener.local_addr().unwrap().port());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let _ = stream.write_all(reply.as_bytes()).await;
            let _ = stream.shutdown().await;
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (url, asked)
    }

    async fn read(reply: String) -> (Reading, String) {
        let (url, asked) = prometheus(reply).await;
        let prober = Prober::new(Limits::default(), Options::default()).unwrap();
        let (reading, _) = prober.measure(&query(url)).await;
        (reading, asked.await.unwrap())
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn vector(series: &str) -> String {
        ok(&format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#))
    }

    #[tokio::test]
    async fn a_value_is_asked_for_and_read() {
        let (reading, asked) = read(vector(r#"{"metric":{"job":"shop"},"value":[1763700000.123,"7.25"]}"#)).await;
        assert_eq!(reading, Reading::Value(7.25));
        let line =
            "GET /prom/api/v1/query?query=sum%28rate%28errors_total%7Bjob%3D%22shop%22%7D%5B1m%5D%29%29 HTTP/1.1";
        assert_eq!(asked.lines().next(), Some(line));
        let scalar = |value: &str| {
            ok(&format!(r#"{{"status":"success","data":{{"resultType":"scalar","result":[1,"{value}"]}}}}"#))
        };
        assert_eq!(read(scalar("-1e3")).await.0, Reading::Value(-1000.0));
        assert_eq!(read(scalar("+Inf")).await.0, Reading::Value(f64::INFINITY));
    }

    #[tokio::test]
    async fn whatever_is_no_value_says_why() {
        let sample = r#"{"metric":{},"value":[1,"1"]}"#;
        let bad = r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(ANSWER_MAX + 1));
        for (reply, told) in [
            (vector(""), "the query gives no series"),
            (vector(&format!("{sample},{sample}")), "the query gives 2 series, and one is wanted, as sum(…) gives"),
            (vector(r#"{"metric":{},"value":[1,"NaN"]}"#), "the value is NaN"),
            (vector(r#"{"metric":{},"value":[1,1]}"#), "the answer is not what Prometheus's /api/v1/query gives"),
            (
                ok(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#),
                "the query gives a matrix, and one value is wanted",
            ),
            (ok("<html>hello</html>"), "the answer is not JSON; does prometheus_url lead to Prometheus?"),
            (ok("[1, 2]"), "the answer is not what Prometheus's /api/v1/query gives"),
            (
                format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{bad}", bad.len()),
                "Prometheus says: parse error: unexpected end",
            ),
            (
                "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno!".into(),
                "Prometheus answered with HTTP status code 502",
            ),
            (long, "the answer is longer than is read; let the query give one series"),
            ("SSH-2.0\r\n".into(), "The endpoint did not return a valid HTTP response"),
            (String::new(), "The connection ended before an HTTP status code arrived"),
        ] {
            let (reading, _) = read(reply).await;
            assert_eq!(reading.to_string(), format!("no value: {told}"));
        }
        let prober = Prober::new(Limits::default(), Options::default()).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (reading, _) = prober.measure(&query(format!("http://{free}"))).await;
        assert_eq!(
            reading.to_string(),
            "no value: The health checker could not establish a connection: it was refused"
        );
        // Nobody answers, though somebody is there.
        let limits = Limits { metric: Duration::from_millis(100), ..Limits::default() };
        let prober = Prober::new(limits, Options::default()).unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (reading, took) = prober.measure(&query(format!("http://{}", silent.local_addr().unwrap()))).await;
        assert_eq!(reading, Reading::Missing(NoReading::TimedOut));
        assert!(took >= 100_000, "{took}");
    }
}
