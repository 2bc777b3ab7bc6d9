//! What can be asked for on the admin port, and by which words.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Admin, Reply, metrics, view};
use crate::control::{Event, MetricState, Refused};
use crate::model::Id;
use crate::tell::{self, Request};

const OPENAPI: &str = include_str!("openapi.json");

/// A forced state that is to end later than this is to stay: a year.
const LASTING_MAX: u64 = 366 * 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetState {
    state: State,
    for_seconds: Option<u64>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Up,
    Down,
    Auto,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetMetric {
    state: MetricState,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSwitch {
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Observation {
    checker: String,
    healthy: bool,
    #[serde(default)]
    reason: String,
}

impl Admin {
    pub(super) fn route(&self, method: &Method, path: &str, query: Option<&str>, body: &[u8]) -> Reply {
        let Some(segments) = path.split('/').skip(1).map(unescaped).collect::<Option<Vec<String>>>() else {
            return Reply::error(StatusCode::BAD_REQUEST, "the path is not UTF-8");
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
        let reply = match (segments.as_slice(), method) {
            (["health"], method) if method == get => Ok(view::list(&self.health)),
            (["health", id], method) if method == get => view::one(&self.health, id).ok_or_else(|| self.unknown(id)),
            (["health", id], method) if method == put => {
                parsed(body).and_then(|SetState { state, for_seconds, reason }| {
                    let healthy = match state {
                        State::Up => Some(true),
                        State::Down => Some(false),
                        State::Auto => None,
                    };
                    let lasting = for_seconds.map(|seconds| Duration::from_secs(seconds.min(LASTING_MAX)));
                    self.tell(id, Event::Force { id: Id::from(*id), healthy, lasting, reason: reason.into() })
                })
            }
            (["health", id, "metric"], method) if method == put => {
                parsed(body).and_then(|SetMetric { state }| self.tell(id, Event::Metric { id: Id::from(*id), state }))
            }
            (["health", id, "switch"], method) if method == put => {
                parsed(body).and_then(|SetSwitch { on }| self.tell(id, Event::Switch { id: Id::from(*id), on }))
            }
            (["health", id, "observations"], method) if method == post => {
                parsed(body).and_then(|Observation { checker, healthy, reason }| {
                    let (checker, reason) = (Id::from(checker), reason.into());
                    self.tell(id, Event::Observed { id: Id::from(*id), checker, healthy, reason })
                })
            }
            (["reload"], method) if method == post => {
                self.reload.notify_one();
                Ok(json!({ "reloading": true }))
            }
            (["metrics"], method) if method == get => return metrics::reply(self),
            (["openapi.json"], method) if method == get => {
                return Reply { body: OPENAPI.into(), ..Reply::json(&json!(null)) };
            }
            (["health" | "metrics" | "openapi.json"], _) => return Reply::not_allowed("GET"),
            (["health", _], _) => return Reply::not_allowed("GET, PUT"),
            (["health", _, "metric" | "switch"], _) => return Reply::not_allowed("PUT"),
            (["health", _, "observations"] | ["reload"], _) => return Reply::not_allowed("POST"),
            (["explain"], method) if method == get => fields(query).and_then(|fields| self.explain(&fields)),
            (["odds"], method) if method == get => fields(query).and_then(|fields| self.odds(&fields)),
            (["explain" | "odds"], _) => return Reply::not_allowed("GET"),
            _ => {
                return Reply::error(StatusCode::NOT_FOUND, format!("there is no {path} here; see /openapi.json"));
            }
        };
        match reply {
            Ok(value) => Reply::json(&value),
            Err(refused) => refused,
        }
    }

    /// The check as it stands after the event.
    fn tell(&self, id: &str, event: Event) -> Result<serde_json::Value, Reply> {
        match self.health.handle(event) {
            Ok(done) => {
                let mut value = view::one(&self.health, id).unwrap_or_else(|| json!({ "id": id }));
                value["kept"] = done.kept.into();
                Ok(value)
            }
            Err(refused) => {
                let status = match refused {
                    Refused::Unknown(_) => StatusCode::NOT_FOUND,
                    Refused::Type { .. } => StatusCode::CONFLICT,
                    Refused::TextTooLong => StatusCode::BAD_REQUEST,
                    Refused::TooManyCheckers => StatusCode::TOO_MANY_REQUESTS,
                };
                Err(Reply::error(status, refused.to_string()))
            }
        }
    }

    /// One answer of this server's, as things are now, and every step that led to it.
    fn explain(&self, fields: &Fields) -> Result<Value, Reply> {
        let seed = match fields.get("seed").map(|seed| seed.parse()) {
            None => self.health.now().0,
            Some(Ok(seed)) => seed,
            Some(Err(_)) => return Err(Reply::error(StatusCode::BAD_REQUEST, "seed is not a number")),
        };
        told(tell::explain(&self.health.snapshot(), &request(fields, &["seed"])?, seed))
    }

    fn odds(&self, fields: &Fields) -> Result<Value, Reply> {
        told(tell::odds(&self.health.snapshot(), &request(fields, &[])?))
    }

    fn unknown(&self, id: &str) -> Reply {
        let what = self.health.look(|control| control.verdicts().unknown(id).to_string());
        Reply::error(StatusCode::NOT_FOUND, what)
    }
}

type Fields = BTreeMap<String, String>;

/// The fields of a query.
fn fields(query: Option<&str>) -> Result<Fields, Reply> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let read = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((unescaped(key)?, unescaped(&value.replace('+', " "))?))
    });
    read.collect::<Option<Fields>>().ok_or_else(|| Reply::error(StatusCode::BAD_REQUEST, "the query is not UTF-8"))
}

fn request(fields: &Fields, more: &[&str]) -> Result<Request, Reply> {
    let bad = |what: String| Reply::error(StatusCode::BAD_REQUEST, what);
    let known = ["name", "type", "from", "vpc"];
    if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str()) && !more.contains(&key.as_str())) {
        return Err(bad(format!("there is no field {key:?} here; see /openapi.json")));
    }
    let field = |key: &str| fields.get(key).map(String::as_str);
    let name = field("name").ok_or_else(|| bad("say which name, as ?name=www.example.com".into()))?;
    Request::read(name, field("type").unwrap_or("A"), field("from"), field("vpc"))
        .map_err(|refused| bad(refused.to_string()))
}

fn told<T: Serialize>(told: Result<T, tell::Refused>) -> Result<Value, Reply> {
    let told = told.map_err(|refused| Reply::error(StatusCode::BAD_REQUEST, refused.to_string()))?;
    serde_json::to_value(told).map_err(|error| Reply::error(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    serde_json::from_slice(body)
        .map_err(|error| Reply::error(StatusCode::BAD_REQUEST, format!("the body is not what is wanted here: {error}")))
}

/// One segment of a path (RFC 3986, 2.1); none where it is not UTF-8.
fn unescaped(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, ..] if byte == b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                digit(*high).zip(digit(*low)).map(|(high, low)| (high * 16 + low) as u8)
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}
