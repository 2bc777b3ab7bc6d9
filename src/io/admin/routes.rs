//! What can be asked for on the admin port, and by which words.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Admin, Later, Reply, metrics, view};
use crate::control::{self, Event, MetricState, Refused};
use crate::model::Id;
use crate::moment::{Moment, parse_rfc3339};
use crate::tell::{self, Request};

const OPENAPI: &str = include_str!("openapi.json");

/// Where many observations are posted at once.
pub(super) const OBSERVATIONS: &str = "/observations";

/// Whether the first load has ended; before, `waiting` answers.
pub(super) const READY: &str = "/ready";

/// The fields of a query for odds; `openapi.json` describes them.
pub(super) const ODDS_FIELDS: &[&str] = &["name", "type", "from", "vpc", "listener"];

/// … and for an explanation.
pub(super) const EXPLAIN_FIELDS: &[&str] = &["name", "type", "from", "vpc", "listener", "seed"];

/// Observations in one request; ours.
const OBSERVATIONS_MAX: usize = 1000;

/// Refused observations that a reply names; the others are counted; ours.
const PROBLEMS_MAX: usize = 20;

/// A forced state that is to end later ends then: a year. Without an end it stays.
const LASTING_MAX: Duration = Duration::from_secs(366 * 86_400);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetState {
    state: State,
    for_seconds: Option<u64>,
    until: Option<String>,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Observations {
    observations: Vec<ObservationOf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObservationOf {
    id: String,
    checker: String,
    healthy: bool,
    #[serde(default)]
    reason: String,
}

/// What a request says.
pub(super) struct Asked<'a> {
    /// The health check in the path.
    id: &'a str,
    query: Option<&'a str>,
    body: &'a [u8],
}

type Answer = fn(&Admin, Asked<'_>) -> Result<Reply, Reply>;

/// All there is. `openapi.json` describes the same; a test holds the two together.
#[rustfmt::skip]
pub(super) const ROUTES: &[(Method, &str, Answer)] = &[
    (Method::GET, "/health", |admin, _| Ok(Reply::later(Later::List(admin.health.clone())))),
    (Method::GET, "/health/{id}", |admin, asked| {
        view::one(&admin.health, asked.id).map(|check| Reply::json(&check)).ok_or_else(|| admin.unknown(asked.id))
    }),
    (Method::PUT, "/health/{id}", |admin, asked| {
        let SetState { state, for_seconds, until, reason } = parsed(asked.body)?;
        let healthy = match state {
            State::Up => Some(true),
            State::Down => Some(false),
            State::Auto => None,
        };
        let lasting = admin.lasting(for_seconds, until.as_deref())?;
        admin.tell(asked.id, Event::Force { id: asked.id.into(), healthy, lasting, reason: reason.into() })
    }),
    (Method::PUT, "/health/{id}/metric", |admin, asked| {
        let SetMetric { state } = parsed(asked.body)?;
        admin.tell(asked.id, Event::Metric { id: asked.id.into(), state })
    }),
    (Method::PUT, "/health/{id}/switch", |admin, asked| {
        let SetSwitch { on } = parsed(asked.body)?;
        admin.tell(asked.id, Event::Switch { id: asked.id.into(), on })
    }),
    (Method::POST, "/health/{id}/observations", |admin, asked| {
        let Observation { checker, healthy, reason } = parsed(asked.body)?;
        let (checker, reason) = (Id::from(checker), reason.into());
        admin.tell(asked.id, Event::Observed { id: asked.id.into(), checker, healthy, reason })
    }),
    (Method::POST, OBSERVATIONS, |admin, asked| admin.observe(parsed(asked.body)?)),
    (Method::POST, "/reload", |admin, _| {
        admin.reload.notify_one();
        Ok(Reply::json(&json!({ "reloading": true })))
    }),
    (Method::GET, "/explain", |admin, asked| admin.explain(&fields(asked.query)?)),
    (Method::GET, "/odds", |admin, asked| admin.odds(&fields(asked.query)?)),
    (Method::GET, READY, |_, _| Ok(Reply::json(&json!({ "ready": true })))),
    (Method::GET, "/metrics", |admin, _| Ok(metrics::reply(admin))),
    (Method::GET, "/openapi.json", |_, _| Ok(Reply::body("application/json", OPENAPI.into()))),
];

impl Admin {
    pub(super) fn route(&self, method: &Method, path: &str, query: Option<&str>, body: &[u8]) -> Reply {
        let Some(segments) = path.split('/').map(unescaped).collect::<Option<Vec<String>>>() else {
            return Reply::error(StatusCode::BAD_REQUEST, "the path is not UTF-8");
        };
        let here =
            || ROUTES.iter().filter_map(|(method, path, answer)| Some((method, matched(path, &segments)?, answer)));
        match here().find(|(known, ..)| *known == method) {
            Some((_, id, answer)) => answer(self, Asked { id, query, body }).unwrap_or_else(|refused| refused),
            None if here().next().is_some() => {
                Reply::not_allowed(&here().map(|(method, ..)| method.as_str()).collect::<Vec<_>>().join(", "))
            }
            None => Reply::error(StatusCode::NOT_FOUND, format!("there is no {path} here; see /openapi.json")),
        }
    }

    /// How long a forced state is to last; none: until it is told to go by itself.
    fn lasting(&self, seconds: Option<u64>, until: Option<&str>) -> Result<Option<Duration>, Reply> {
        let bad = |what: &str| Err(Reply::error(StatusCode::BAD_REQUEST, what));
        let lasting = match (seconds, until) {
            (Some(_), Some(_)) => return bad("for_seconds stands beside until; say one of the two"),
            (None, None) => return Ok(None),
            (Some(seconds), None) => Duration::from_secs(seconds),
            (None, Some(until)) => match parse_rfc3339(until).map(Moment) {
                None => return bad("until is not a time as RFC 3339 writes it, like 2026-12-01T06:00:00Z"),
                Some(until) if until <= self.health.now() => return bad("until is over"),
                Some(until) => until.since(self.health.now()),
            },
        };
        Ok(Some(lasting.min(LASTING_MAX)))
    }

    /// The check as it stands after the event.
    fn tell(&self, id: &str, event: Event) -> Result<Reply, Reply> {
        match self.health.handle(event) {
            Ok(saving) => {
                let value = view::one(&self.health, id).unwrap_or_else(|| json!({ "id": id }));
                Ok(Reply::later(Later::Kept(saving, value)))
            }
            Err(refused) => {
                let status = match refused {
                    Refused::Unknown(_) => StatusCode::NOT_FOUND,
                    Refused::Type { .. } | Refused::Follows(_) | Refused::OwnChecker(_) => StatusCode::CONFLICT,
                    Refused::TextTooLong => StatusCode::BAD_REQUEST,
                    Refused::TooManyCheckers => StatusCode::TOO_MANY_REQUESTS,
                    Refused::Full => StatusCode::INSUFFICIENT_STORAGE,
                };
                Err(Reply::error(status, refused.to_string()))
            }
        }
    }

    /// Many observations at once. Those that cannot be taken keep nobody from taking the others.
    fn observe(&self, Observations { observations }: Observations) -> Result<Reply, Reply> {
        let count = observations.len();
        if count > OBSERVATIONS_MAX {
            let what = format!("there are {count} observations here, and {OBSERVATIONS_MAX} are taken at a time");
            return Err(Reply::error(StatusCode::PAYLOAD_TOO_LARGE, what));
        }
        let observations = observations.into_iter().map(|ObservationOf { id, checker, healthy, reason }| {
            control::Observation { id: id.into(), checker: checker.into(), healthy, reason: reason.into() }
        });
        let refused = self.health.observe(observations.collect());
        let problems: Vec<_> =
            refused.iter().take(PROBLEMS_MAX).map(|(id, why)| json!({ "id": id, "error": why.to_string() })).collect();
        let (accepted, refused) = (count - refused.len(), refused.len());
        Ok(Reply::json(&json!({ "accepted": accepted, "refused": refused, "problems": problems })))
    }

    /// One answer of this server's, as things are now, and every step that led to it.
    fn explain(&self, fields: &Fields) -> Result<Reply, Reply> {
        let seed = match fields.get("seed").map(|seed| seed.parse()) {
            None => self.health.now().0,
            Some(Ok(seed)) => seed,
            Some(Err(_)) => return Err(Reply::error(StatusCode::BAD_REQUEST, "seed is not a number")),
        };
        let (snapshot, request) = (self.health.snapshot(), request(fields, EXPLAIN_FIELDS)?);
        Ok(Reply::asks(move |stop| told(tell::explain_unless(&snapshot, &request, seed, stop))))
    }

    fn odds(&self, fields: &Fields) -> Result<Reply, Reply> {
        let (snapshot, request) = (self.health.snapshot(), request(fields, ODDS_FIELDS)?);
        Ok(Reply::asks(move |stop| told(tell::odds_unless(&snapshot, &request, stop))))
    }

    fn unknown(&self, id: &str) -> Reply {
        let what = self.health.look(|control| control.verdicts().unknown(id).to_string());
        Reply::error(StatusCode::NOT_FOUND, what)
    }
}

/// The health check in a path that is of this form, or nothing in one of a form without.
fn matched<'s>(form: &str, segments: &'s [String]) -> Option<&'s str> {
    let mut id = "";
    let mut form = form.split('/');
    for segment in segments {
        match form.next()? {
            "{id}" => id = segment,
            word if word == segment => {}
            _ => return None,
        }
    }
    form.next().is_none().then_some(id)
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

fn request(fields: &Fields, known: &[&str]) -> Result<Request, Reply> {
    let bad = |what: String| Reply::error(StatusCode::BAD_REQUEST, what);
    if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(bad(format!("there is no field {key:?} here, only {}; see /openapi.json", known.join(", "))));
    }
    let field = |key: &str| fields.get(key).map(String::as_str);
    let name = field("name").ok_or_else(|| bad("say which name, as ?name=www.example.com".into()))?;
    let listener = match field("listener").map(str::parse) {
        None => None,
        Some(Ok(listener)) => Some(listener),
        Some(Err(_)) => return Err(bad("listener is not an address and port, like 192.0.2.53:53".into())),
    };
    let request = Request::read(name, field("type").unwrap_or("A"), field("from"), field("vpc"));
    Ok(Request { listener, ..request.map_err(|refused| bad(refused.to_string()))? })
}

fn told<T: Serialize>(told: Result<T, tell::Refused>) -> Reply {
    let body = match told {
        Ok(told) => serde_json::to_vec(&told),
        Err(refused) => return Reply::error(StatusCode::BAD_REQUEST, refused.to_string()),
    };
    match body {
        Ok(mut body) => {
            body.push(b'\n');
            Reply::body("application/json", body)
        }
        Err(error) => Reply::error(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
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
