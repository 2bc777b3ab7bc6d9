//! Tells other fingerposts what this server's checkers have come to: `POST /observations` of their admin ports.
//!
//! A verdict that a checker comes to is told at once, and all of them again and again, well before they grow too old
//! there. What is to be told next waits in a list of bounded length, the newest word of each checker on each check; who
//! cannot be reached is tried again after longer and longer pauses. None of this holds up probes or answers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use hyper::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::health::Health;
use super::probe::Unfetched;
use super::regular::{self, Links};
use crate::config::{self, Token};
use crate::control::Observation;
use crate::health::checker::LOCAL;
use crate::health::finding::Failure;
use crate::model::Id;

/// Observations in one request; ours. A receiver takes twice as many.
const BATCH: usize = 500;

/// The body of a request grows no further than this; ours, half of what a receiver takes.
const BODY_MAX: usize = 512 << 10;

/// Observations that wait; ours. What there is no room for is told in its turn all the same.
const WAITING_MAX: usize = 20_000;

/// A request may take so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// After a failure there is a pause, twice as long each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A token is a word; ours.
const TOKEN_MAX: u64 = 65_536;

/// A reply names a few that were refused, and no more; ours.
const REPLY_MAX: usize = 65_536;

/// Who is told, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// What it is called here.
    pub name: Box<str>,
    /// Where its admin port is, without a slash at the end.
    pub url: Box<str>,
    /// What this server is called there.
    pub name_there: Box<str>,
    pub token: Option<Box<str>>,
    /// All is told again within this time.
    pub every: Duration,
}

/// Those of the settings, with their tokens read.
pub fn receivers(reports: &[config::Report]) -> anyhow::Result<Vec<Receiver>> {
    let receiver = |report: &config::Report| {
        let config::Report { name, url, name_there, token, every } = report.clone();
        let token = token.map(|token| read(&token).with_context(|| format!("report {name}: its token"))).transpose()?;
        if token.is_some() && is_overheard(&url) {
            tracing::warn!("the token for {name} goes to {url} unencrypted; use https where others may listen");
        }
        Ok(Receiver { name, url, name_there, token, every })
    };
    reports.iter().map(receiver).collect()
}

fn read(token: &Token) -> anyhow::Result<Box<str>> {
    let (text, from) = match token {
        Token::Variable(name) => {
            (std::env::var(&**name).with_context(|| format!("there is no variable {name}"))?, name.to_string())
        }
        Token::File(file) => {
            let text = regular::read_text(file, Links::Followed, TOKEN_MAX);
            (text.with_context(|| format!("{} cannot be read", file.display()))?, file.display().to_string())
        }
    };
    match text.trim() {
        "" => bail!("{from} is empty"),
        token if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token.into()),
        _ => bail!("{from} has more in it than one word of ASCII"),
    }
}

/// Whether a token would leave this machine for all to read.
fn is_overheard(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host =
        format!("http://{rest}").parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_string)).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare != "localhost" && !bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// All who are told.
#[derive(Default)]
pub struct Reports(ArcSwap<Vec<Arc<Line>>>);

/// The line to one receiver.
pub struct Line {
    pub to: Receiver,
    pub counts: Counts,
    waiting: Mutex<BTreeMap<(Id, Id), Observation>>,
    come: Notify,
    task: Mutex<Option<AbortHandle>>,
}

/// What came of it.
#[derive(Default)]
pub struct Counts {
    pub requests: AtomicU64,
    pub requests_failed: AtomicU64,
    pub accepted: AtomicU64,
    pub refused: AtomicU64,
}

/// What a receiver answers.
#[derive(Deserialize)]
struct Answer {
    accepted: u64,
    refused: u64,
    #[serde(default)]
    problems: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    error: String,
}

impl Reports {
    /// Tells these from now on, and nobody else.
    pub fn begin(&self, receivers: Vec<Receiver>, health: &Arc<Health>) {
        let lines: Vec<Arc<Line>> = receivers.into_iter().map(|to| Arc::new(Line::new(to))).collect();
        for line in &lines {
            let task = tokio::spawn(line.clone().run(Arc::downgrade(health)));
            *line.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        }
        for old in self.0.swap(Arc::new(lines)).iter() {
            if let Some(task) = old.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
                task.abort();
            }
        }
    }

    /// To be told to all at once.
    pub fn tell(&self, observation: &Observation) {
        self.0.load().iter().for_each(|line| line.tell(observation));
    }

    /// Whether these are others than those who are told now.
    pub fn differ(&self, receivers: &[Receiver]) -> bool {
        !self.0.load().iter().map(|line| &line.to).eq(receivers)
    }

    pub fn lines(&self) -> Arc<Vec<Arc<Line>>> {
        self.0.load_full()
    }
}

/// Where the telling of everything again has got to.
struct Round {
    /// The next check is the one behind this.
    after: Option<Id>,
    next: Instant,
}

impl Line {
    fn new(to: Receiver) -> Line {
        let (counts, waiting) = (Counts::default(), Mutex::default());
        Line { to, counts, waiting, come: Notify::new(), task: Mutex::default() }
    }

    pub fn waiting(&self) -> usize {
        self.list().len()
    }

    fn list(&self) -> MutexGuard<'_, BTreeMap<(Id, Id), Observation>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, observation: &Observation) {
        let key = (observation.id.clone(), observation.checker.clone());
        let mut list = self.list();
        if list.len() < WAITING_MAX || list.contains_key(&key) {
            list.insert(key, observation.clone());
        }
        drop(list);
        self.come.notify_one();
    }

    /// Until the server ends, or others are told instead.
    async fn run(self: Arc<Self>, health: Weak<Health>) {
        let mut round = Round { after: None, next: Instant::now() };
        let (mut pause, mut refused_before) = (PAUSE_MIN, false);
        loop {
            tokio::select! {
                () = self.come.notified() => {}
                () = sleep_until(round.next) => {}
            }
            let Some(health) = health.upgrade() else { return };
            let batch = self.batch(&mut round, &health);
            if batch.is_empty() {
                continue;
            }
            let told = timeout(PATIENCE, self.send(&batch, &health)).await;
            drop(health);
            self.counts.requests.fetch_add(1, Ordering::Relaxed);
            match told.unwrap_or_else(|_| Err("it did not answer within 5 seconds".into())) {
                Ok(answer) => {
                    if pause > PAUSE_MIN {
                        tracing::info!("observations are told to {} again", self.to.name);
                        pause = PAUSE_MIN;
                    }
                    self.note(&answer, &mut refused_before);
                }
                Err(why) => {
                    self.counts.requests_failed.fetch_add(1, Ordering::Relaxed);
                    if pause == PAUSE_MIN {
                        let Receiver { name, url, .. } = &self.to;
                        tracing::warn!("observations cannot be told to {name} at {url}: {why}; trying again");
                    }
                    self.put_back(batch);
                    pause = (pause * 2).min(PAUSE_MAX);
                    sleep(pause).await;
                    // What is known there may have grown too old meanwhile.
                    round = Round { after: None, next: Instant::now() };
                }
            }
            if !self.list().is_empty() {
                self.come.notify_one();
            }
        }
    }

    /// What is new; and where its time has come, the next of what is told again.
    fn batch(&self, round: &mut Round, health: &Health) -> Vec<Observation> {
        let mut batch = Vec::new();
        {
            let mut list = self.list();
            while batch.len() < BATCH
                && let Some((_, observation)) = list.pop_first()
            {
                batch.push(observation);
            }
        }
        let now = Instant::now();
        if round.next <= now {
            let (again, after, slices) = health.look(|control| {
                let checkers = control.settings().checkers.len().max(1);
                let checks = (BATCH / checkers).max(1);
                let (again, after) = control.observations(round.after.as_ref(), checks);
                (again, after, control.watched().len().div_ceil(checks).max(1))
            });
            batch.extend(again);
            *round = Round { after, next: now + self.to.every / u32::try_from(slices).unwrap_or(u32::MAX) };
        }
        batch
    }

    /// Unless something newer is to be told by now.
    fn put_back(&self, batch: Vec<Observation>) {
        let mut list = self.list();
        for observation in batch {
            let key = (observation.id.clone(), observation.checker.clone());
            if list.len() < WAITING_MAX {
                list.entry(key).or_insert(observation);
            }
        }
    }

    async fn send(&self, batch: &[Observation], health: &Health) -> Result<Answer, String> {
        let uri: Uri = format!("{}/observations", self.to.url).parse().map_err(|_| "this is no address")?;
        let (body, sent) = self.body(batch);
        // What was too much for one request waits for the next.
        self.put_back(batch[sent..].to_vec());
        let asked = health.prober().post(&uri, self.to.token.as_deref(), body.into(), REPLY_MAX).await;
        let (status, reply) = asked.map_err(|unfetched| match unfetched {
            Unfetched::Failed(Failure::Refused) => "the connection was refused".to_string(),
            Unfetched::Failed(failure) => failure.to_string().trim_end_matches('.').to_string(),
            Unfetched::TooLong => "its reply is no fingerpost's".to_string(),
        })?;
        let said: Value = serde_json::from_slice(&reply).unwrap_or_default();
        match status {
            StatusCode::OK => serde_json::from_value(said).map_err(|_| "its reply is no fingerpost's".to_string()),
            status => {
                let error = said["error"].as_str().unwrap_or_default().chars().filter(|one| !one.is_control());
                Err(format!("it says {} {}", status.as_u16(), error.take(200).collect::<String>()))
            }
        }
    }

    /// A request's body, and how many of these are in it.
    fn body(&self, batch: &[Observation]) -> (String, usize) {
        let mut body = "{\"observations\": [".to_string();
        let mut sent = 0;
        for Observation { id, checker, healthy, reason } in batch {
            let checker = self.checker_there(checker);
            let one = json!({ "id": id, "checker": checker, "healthy": healthy, "reason": reason }).to_string();
            if sent > 0 && body.len() + one.len() > BODY_MAX {
                break;
            }
            body += if sent > 0 { ", " } else { "" };
            body += &one;
            sent += 1;
        }
        body += "]}";
        (body, sent)
    }

    /// What a checker of ours is called there.
    fn checker_there(&self, checker: &str) -> String {
        match checker {
            LOCAL => self.to.name_there.to_string(),
            other => format!("{}/{other}", self.to.name_there),
        }
    }

    /// Checks that are not there are the operator's affair: he is told once.
    fn note(&self, answer: &Answer, refused_before: &mut bool) {
        self.counts.accepted.fetch_add(answer.accepted, Ordering::Relaxed);
        self.counts.refused.fetch_add(answer.refused, Ordering::Relaxed);
        if answer.refused > 0 && !std::mem::replace(refused_before, true) {
            let first = answer.problems.first().map_or("", |problem| problem.error.as_str());
            let first: String = first.chars().filter(|one| !one.is_control()).take(200).collect();
            tracing::warn!("{} takes only a part of what it is told ({} not): {first}", self.to.name, answer.refused);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_and_not_sent_for_all_to_read_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, expected) in [("0123456789abcdef\n", Some("0123456789abcdef")), (" \n", None), ("a b", None)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read(&Token::File(file.clone())).ok().as_deref(), expected, "{text:?}");
        }
        assert!(read(&Token::File(folder.path().join("none"))).is_err());
        let error = read(&Token::Variable("FINGERPOST_NO_SUCH_VARIABLE".into())).unwrap_err();
        assert_eq!(error.to_string(), "there is no variable FINGERPOST_NO_SUCH_VARIABLE");
        for (url, overheard) in [
            ("http://127.0.0.1:5380", false),
            ("http://[::1]:5380", false),
            ("http://localhost:5380", false),
            ("https://192.0.2.1", false),
            ("http://192.0.2.1:5380", true),
            ("http://lima.example", true),
        ] {
            assert_eq!(is_overheard(url), overheard, "{url}");
        }
    }

    fn line() -> Line {
        Line::new(Receiver {
            name: "lima".into(),
            url: "http://127.0.0.1:1".into(),
            name_there: "site-a".into(),
            token: None,
            every: Duration::from_secs(20),
        })
    }

    fn observation(id: &str, checker: &str, healthy: bool) -> Observation {
        Observation { id: id.into(), checker: checker.into(), healthy, reason: "so it is".into() }
    }

    #[test]
    fn the_newest_word_is_told_and_those_that_wait_are_bounded() {
        let line = line();
        for healthy in [true, false, true, false] {
            line.tell(&observation("a", LOCAL, healthy));
        }
        assert_eq!(line.waiting(), 1);
        let older = observation("a", LOCAL, true);
        line.put_back(vec![older]);
        assert!(!line.list().values().next().unwrap().healthy, "what is put back overtakes nothing");
        for number in 0..2 * WAITING_MAX {
            line.tell(&observation(&number.to_string(), LOCAL, true));
        }
        assert_eq!(line.waiting(), WAITING_MAX);
        line.tell(&observation("a", LOCAL, true));
        assert!(line.list()[&("a".into(), LOCAL.into())].healthy, "one that waits may change its word");
    }

    #[test]
    fn checkers_are_named_and_bodies_are_bounded() {
        let line = line();
        let (body, sent) = line.body(&[observation("a", LOCAL, false), observation("b", "paris", true)]);
        let body: Value = serde_json::from_str(&body).unwrap();
        let expected = json!({ "observations": [
            { "id": "a", "checker": "site-a", "healthy": false, "reason": "so it is" },
            { "id": "b", "checker": "site-a/paris", "healthy": true, "reason": "so it is" } ] });
        assert_eq!((body, sent), (expected, 2));
        let long = "x".repeat(10_000);
        let many: Vec<_> = (0..100).map(|_| observation(&long, LOCAL, true)).collect();
        let (body, sent) = line.body(&many);
        assert!(body.len() <= BODY_MAX + 2 && (40..60).contains(&sent), "{sent} in {}", body.len());
        assert!(serde_json::from_str::<Value>(&body).is_ok());
    }
}
