//! The text of `fingerpost.toml` to a `Config` that needs no further checking. Every problem is told, with its place.
//!
//! `docs/config.md` describes each setting; a test holds the two together.

mod access;
pub mod address;
mod effect;
mod environment;
mod flags;
mod health;
mod report;
mod stand_in;

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use access::Regrets;
pub use doors::{DoorLimits, Doors, ProxyClient, ProxySettings};
pub use effect::Effect;
pub use environment::{PREFIX, Variable};
pub use flags::Flags;
pub use health::Health;
pub use report::{Report, Token};

use crate::health::tracker::Rule;
use crate::model;
use crate::policy::Unlisted;
use crate::problem::{At, Problem, Problems};
use crate::snapshot::Snapshot;
use crate::snapshot::settings::{
    AnswerOrder, Any, CHAOS_TEXT_MAX, EcsFrom, GeoproximityFormula, NSID_MAX, Settings, UDP_PAYLOAD_ROUTE53,
};
use crate::wire::name::Name;

pub use confine::Confine;

/// No machine has more processors to use; more workers would only wait for each other.
const WORKERS_MAX: i64 = 1024;

/// A connection takes a file and some kilobytes; ours, so that a slip of the finger is caught.
const CONNECTIONS_MAX: i64 = 1_000_000;

/// Timeouts of connections, in seconds. RFC 7828 can tell a client no more than 6553.
const TIMEOUT_MAX: i64 = 6553;

/// What another checker told a day ago says nothing about now; ours.
const OBSERVATION_MAX: i64 = 86_400;

/// A year, in hours.
const ROTATION_MAX: i64 = 8766;

/// The largest text of a zone: 2 GiB. Ours: the root zone has 2 MiB.
const ZONE_BYTES_MAX: i64 = 2 << 30;

/// An unknown setting is taken for a misspelt one up to this many wrong letters.
const MISSPELT_MAX: usize = 4;

/// Settings, checked and ready to use. What is none was not set; a flag may still set it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub listen: Option<Vec<SocketAddr>>,
    pub zones: Option<PathBuf>,
    pub geo: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub admin: Option<Vec<SocketAddr>>,
    pub workers: Option<usize>,
    /// What every choice by chance comes from; none: from the system.
    pub seed: Option<u64>,
    pub log: Log,
    pub gate_reload: bool,
    /// Resolvers that know the names outside that aliases lead to.
    pub upstream: Vec<SocketAddr>,
    pub limits: model::Limits,
    /// None: by the memory of the machine.
    pub zone_bytes_max: Option<u64>,
    pub health: Health,
    pub cookies: bool,
    pub cookie_rotation: Duration,
    pub nsid: Identity,
    pub chaos_identity: Identity,
    pub tcp: TcpLimits,
    pub tcp_keepalive: bool,
    pub doors: Doors,
    pub proxy: ProxySettings,
    pub confine: Confine,
    /// What to say of access rules should they be for nobody.
    pub regrets: Regrets,
    /// What the file says, to find what changed.
    said: effect::Said,
    /// What answers depend on. Its cookie secrets and identities are filled in from the machine (`with_identity`).
    pub settings: Settings,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// For people on a terminal, plain text elsewhere.
    Human,
    /// One JSON object a line.
    Json,
}

/// What the server says it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Untold,
    HostName,
    Text(Box<str>),
}

/// What one TCP connection, one client and all of them may take.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpLimits {
    /// All connections; beyond, the one useful longest ago is closed.
    pub connections_max: usize,
    /// Connections of one client: an IPv4 address, or an IPv6 network of 64 bits.
    pub client_max: usize,
    /// How long a connection may be silent between messages.
    pub idle: Duration,
    /// How long a message may take from its first byte to its last.
    pub read: Duration,
    /// How long a client may take to accept its replies.
    pub write: Duration,
    /// Queries over one connection; then it ends in good order.
    pub queries_max: u64,
}

impl Default for TcpLimits {
    fn default() -> TcpLimits {
        TcpLimits {
            connections_max: 2048,
            client_max: 256,
            idle: Duration::from_secs(10),
            read: Duration::from_secs(5),
            write: Duration::from_secs(5),
            queries_max: 1_000_000,
        }
    }
}

impl Config {
    pub fn modern() -> Config {
        Config {
            listen: None,
            zones: None,
            geo: None,
            state: None,
            admin: None,
            workers: None,
            seed: None,
            log: Log::Human,
            gate_reload: false,
            upstream: Vec::new(),
            limits: model::Limits::Route53,
            zone_bytes_max: None,
            health: Health::default(),
            cookies: true,
            cookie_rotation: Duration::from_secs(24 * 60 * 60),
            nsid: Identity::HostName,
            chaos_identity: Identity::HostName,
            tcp: TcpLimits::default(),
            tcp_keepalive: true,
            doors: Doors::default(),
            proxy: ProxySettings::default(),
            confine: Confine::default(),
            regrets: Regrets::default(),
            said: effect::Said::new(),
            settings: Settings::modern(),
        }
    }

    pub fn route53() -> Config {
        Config {
            cookies: false,
            nsid: Identity::Untold,
            chaos_identity: Identity::Untold,
            tcp_keepalive: false,
            settings: Settings::route53(),
            ..Config::modern()
        }
    }

    /// Reads the settings. `file` is what problems call it; its paths begin at `folder`.
    /// With an error among the problems the settings are not to be used.
    pub fn read(text: &str, file: &str, folder: &Path) -> (Config, Problems) {
        Config::read_with(text, file, folder, &[])
    }

    /// The same, and variables of the environment win over the file.
    pub fn read_with(text: &str, file: &str, folder: &Path, variables: &[Variable]) -> (Config, Problems) {
        let mut problems = Problems::default();
        let source = Source { text, file: file.into() };
        let (table, errors) = DeTable::parse_recoverable(text);
        // What follows an error of syntax is mostly its consequence.
        let first = errors.iter().min_by_key(|error| error.span().map_or(text.len(), |span| span.start));
        if let Some(error) = first {
            let span = error.span().unwrap_or(text.len()..text.len());
            let what = format!("not TOML here: {}", error.message());
            problems.push(source.problem(span, what, "", "write key = value, text in quotes"));
            return (Config::modern(), problems);
        }
        let table = table.into_inner();
        let profile = table.get("profile").and_then(|value| value.get_ref().as_str());
        let profile = environment::profile(variables).or(profile);
        let mut config = if profile == Some("route53") { Config::route53() } else { Config::modern() };
        for (key, value) in &table {
            let Some(setting) = settings().find(|setting| setting.name == key.get_ref().as_ref()) else {
                problems.push(source.unknown(key));
                continue;
            };
            config.said.insert(setting.name, effect::plain(value.get_ref()));
            if let Err(Wrong { span, what }) = (setting.read)(&mut config, value, folder) {
                let what = format!("{}: {what}", setting.name);
                problems.push(source.problem(span, what, "", format!("write for example {}", setting.example)));
            }
        }
        if let Some(value) = table.get("access") {
            config.regrets = Regrets::new(value, |span, what, why, remedy| source.problem(span, what, why, remedy));
        }
        environment::apply(&mut config, variables, &mut problems);
        let (tcp, tls) = (config.tcp.idle, config.doors.limits.idle);
        config.announce_idle(tcp, tls);
        problems.sort();
        (config, problems)
    }

    /// Clients are told these times (RFC 7828).
    fn announce_idle(&mut self, tcp: Duration, tls: Duration) {
        let told = |idle: Duration| u16::try_from(idle.as_millis() / 100).unwrap_or(u16::MAX);
        self.settings.tcp_keepalive = self.tcp_keepalive.then(|| told(tcp));
        self.settings.tls_keepalive = self.tcp_keepalive.then(|| told(tls));
    }

    /// Keeps the limits of connections of a server that runs: they change at its next start.
    pub fn with_connections_of(mut self, running: &Config) -> Config {
        self.tcp = running.tcp.clone();
        self.doors.limits = running.doors.limits.clone();
        let (tcp, tls) = (self.tcp.idle, self.doors.limits.idle);
        self.announce_idle(tcp, tls);
        self
    }

    /// What these settings make of zones that are served at these addresses: rules for no zone, aliases without an answer.
    pub fn due(&self, snapshot: &Snapshot, listeners: &[SocketAddr]) -> Problems {
        let mut problems = self.regrets.due(snapshot, listeners);
        snapshot.check_outside(&|name| self.knows_outside(name), &mut problems);
        problems
    }

    /// Whether something here can answer for a name that no zone here serves.
    fn knows_outside(&self, name: &Name) -> bool {
        !self.upstream.is_empty() || self.settings.stand_ins.of_name(name).is_some()
    }

    /// The settings with what only the machine knows.
    pub fn settings_on(&self, host_name: &str, cookie_secrets: Option<crate::wire::cookie::Secrets>) -> Settings {
        let told = |identity: &Identity, most| {
            let text = match identity {
                Identity::Untold => return None,
                Identity::HostName => host_name,
                Identity::Text(text) => text,
            };
            Some(text.char_indices().take_while(|(at, one)| at + one.len_utf8() <= most).map(|(_, one)| one).collect())
        };
        Settings {
            cookie_secrets: cookie_secrets.filter(|_| self.cookies),
            nsid: told(&self.nsid, NSID_MAX).map(|text: String| text.into_bytes().into()),
            chaos_identity: told(&self.chaos_identity, CHAOS_TEXT_MAX).map(String::into_boxed_str),
            ..self.settings.clone()
        }
    }
}

/// One setting: its name, an example of it, when a change takes effect, and how it is read.
struct Setting {
    name: &'static str,
    example: &'static str,
    effect: Effect,
    read: fn(&mut Config, &Value<'_>, &Path) -> Result<(), Wrong>,
}

/// All settings.
fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().chain(guard::SETTINGS).chain(doors::SETTINGS).chain(confine::SETTINGS)
}

type Value<'a> = Spanned<DeValue<'a>>;

/// A value that cannot be, and where.
struct Wrong {
    span: Range<usize>,
    what: String,
}

/// A line of the table below. What says nothing else takes effect with a load.
macro_rules! setting {
    ($example:literal, |$config:ident, $value:ident, $folder:pat_param| $read:expr) => {
        setting!(AtLoad, $example, |$config, $value, $folder| $read)
    };
    ($effect:ident, $example:literal, |$config:ident, $value:ident, $folder:pat_param| $read:expr) => {
        Setting {
            name: name_in($example),
            example: $example,
            effect: $crate::config::Effect::$effect,
            read: |$config, $value, $folder| {
                $read;
                Ok(())
            },
        }
    };
}

mod confine;
mod doors;
mod guard;

/// The name a setting's example begins with.
const fn name_in(example: &str) -> &str {
    let mut length = 0;
    while example.as_bytes()[length] != b' ' {
        length += 1;
    }
    example.split_at(length).0
}

#[rustfmt::skip]
const SETTINGS: &[Setting] = &[
    setting!("profile = \"modern\"", |_config, value, _| one_of(value, &[("modern", ()), ("route53", ())])?),
    setting!(AtStart, "listen = [\"127.0.0.1:5300\", \"[::1]:5300\"]", |config, value, _| config.listen = Some(address::listening(value, address::DNS)?)),
    setting!(AtStart, "zones = \"zones\"", |config, value, folder| config.zones = Some(folder.join(text(value)?))),
    setting!(AtStart, "geo = \"geo\"", |config, value, folder| config.geo = Some(folder.join(text(value)?))),
    setting!(AtStart, "state = \"state\"", |config, value, folder| config.state = Some(folder.join(text(value)?))),
    setting!(AtStart, "admin = \"127.0.0.1:5380\"", |config, value, _| config.admin = Some(address::listening(value, address::ADMIN)?)),
    setting!(AtStart, "workers = 4", |config, value, _| config.workers = Some(number(value, 1, WORKERS_MAX)? as usize)),
    setting!(AtStart, "seed = 7", |config, value, _| config.seed = Some(number(value, 0, i64::MAX)? as u64)),
    setting!(AtStart, "log = \"human\"", |config, value, _| config.log = one_of(value, &[("human", Log::Human), ("json", Log::Json)])?),
    setting!(AtOnce, "gate_reload = true", |config, value, _| config.gate_reload = boolean(value)?),
    setting!(AtOnce, "upstream = [\"192.0.2.1:53\"]", |config, value, _| config.upstream = address::asked(value)?),
    setting!("stand_in = { \"*.elb.amazonaws.com\" = [\"192.0.2.200\"] }", |config, value, _| config.settings.stand_ins = stand_in::stand_ins(value)?),
    setting!("limits = \"route53\"", |config, value, _| config.limits = one_of(value, &[("route53", model::Limits::Route53), ("none", model::Limits::None)])?),
    setting!("zone_bytes_max = 500000000", |config, value, _| config.zone_bytes_max =
        Some(number(value, 1, ZONE_BYTES_MAX)? as u64)),
    setting!(AtOnce, "probes = true", |config, value, _| config.health.control.probes = boolean(value)?),
    setting!(AtOnce, "health_rule = \"route53\"", |config, value, _| config.health.control.rule =
        one_of(value, &[("route53", Rule::Route53), ("majority", Rule::Majority), ("all", Rule::All)])?),
    setting!(AtOnce, "health_observation_seconds = 60", |config, value, _| config.health.control.heard_age =
        Duration::from_secs(number(value, 1, OBSERVATION_MAX)? as u64)),
    setting!(AtOnce, "health_validate_certificates = false", |config, value, _| config.health.validate_certificates = boolean(value)?),
    setting!(AtOnce, "health_ipv6 = false", |config, value, _| config.health.ipv6 = boolean(value)?),
    setting!(AtOnce, "health_resolvers = [\"127.0.0.1:5300\"]", |config, value, _| config.health.resolvers = address::asked(value)?),
    setting!(AtOnce, "checker = { paris = { source = \"127.0.0.2\" } }", |config, value, _| config.health.control.checkers = health::checkers(value)?),
    setting!(AtOnce, "report = { lima = { url = \"http://192.0.2.1:5380\", as = \"paris\" } }", |config, value, folder|
        config.health.reports = report::reports(value, folder)?),
    setting!("access = { deny = [\"192.0.2.0/24\"] }", |config, value, _| config.settings.access = access::access(value)?),
    setting!("geoproximity_formula = \"2026\"", |config, value, _| config.settings.geoproximity_formula =
        one_of(value, &[("2026", GeoproximityFormula::Of2026), ("2023", GeoproximityFormula::Of2023)])?),
    setting!("unlisted_location = \"default\"", |config, value, _| config.settings.unlisted_location =
        one_of(value, &[("default", Unlisted::ToDefault), ("wider", Unlisted::ToWider)])?),
    setting!("ecs_from = [\"192.0.2.0/24\"]", |config, value, _| config.settings.ecs_from = ecs_from(value)?),
    setting!("minimal_responses = true", |config, value, _| config.settings.minimal_responses = boolean(value)?),
    setting!("sorted_name_servers = false", |config, value, _| config.settings.sorted_name_servers = boolean(value)?),
    setting!("any = \"rfc8482\"", |config, value, _| config.settings.any = one_of(value, &[("rfc8482", Any::Minimal), ("full", Any::Full)])?),
    setting!("answer_order = \"random\"", |config, value, _| config.settings.answer_order =
        one_of(value, &[("random", AnswerOrder::Random), ("fixed", AnswerOrder::Fixed)])?),
    setting!("udp_payload_max = 1232", |config, value, _| config.settings.udp_payload_max =
        number(value, 512, i64::from(UDP_PAYLOAD_ROUTE53))? as u16),
    setting!("extended_errors = true", |config, value, _| config.settings.extended_errors = boolean(value)?),
    setting!("refused_opt = true", |config, value, _| config.settings.refused_opt = boolean(value)?),
    setting!("cookies = true", |config, value, _| config.cookies = boolean(value)?),
    setting!(AtOnce, "cookie_rotation_hours = 24", |config, value, _| config.cookie_rotation =
        Duration::from_secs(60 * 60 * number(value, 1, ROTATION_MAX)? as u64)),
    setting!("nsid = \"ns1.example.net\"", |config, value, _| config.nsid = identity(value, NSID_MAX)?),
    setting!("chaos_version = false", |config, value, _| config.settings.chaos_version = version(value)?),
    setting!("chaos_identity = \"ns1\"", |config, value, _| config.chaos_identity = identity(value, CHAOS_TEXT_MAX)?),
    setting!(AtStart, "tcp_connections_max = 2048", |config, value, _| config.tcp.connections_max = number(value, 1, CONNECTIONS_MAX)? as usize),
    setting!(AtStart, "tcp_connections_per_client_max = 256", |config, value, _| config.tcp.client_max = number(value, 1, CONNECTIONS_MAX)? as usize),
    setting!(AtStart, "tcp_idle_seconds = 10", |config, value, _| config.tcp.idle = seconds(value)?),
    setting!(AtStart, "tcp_read_seconds = 5", |config, value, _| config.tcp.read = seconds(value)?),
    setting!(AtStart, "tcp_write_seconds = 5", |config, value, _| config.tcp.write = seconds(value)?),
    setting!(AtStart, "tcp_queries_max = 1000000", |config, value, _| config.tcp.queries_max = number(value, 1, doors::REQUESTS_MAX)? as u64),
    setting!("tcp_keepalive = true", |config, value, _| config.tcp_keepalive = boolean(value)?),
];

fn wrong<T>(value: &Value<'_>, what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { span: value.span(), what: what.into() })
}

fn boolean(value: &Value<'_>) -> Result<bool, Wrong> {
    match value.get_ref() {
        DeValue::Boolean(value) => Ok(*value),
        _ => wrong(value, "this is neither true nor false"),
    }
}

fn number(value: &Value<'_>, least: i64, most: i64) -> Result<i64, Wrong> {
    let number = value.get_ref().as_integer().and_then(|one| i64::from_str_radix(one.as_str(), one.radix()).ok());
    match number {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => wrong(value, format!("this is not a whole number from {least} to {most}")),
    }
}

fn seconds(value: &Value<'_>) -> Result<Duration, Wrong> {
    number(value, 1, TIMEOUT_MAX).map(|seconds| Duration::from_secs(seconds as u64))
}

fn text<'a>(value: &'a Value<'_>) -> Result<&'a str, Wrong> {
    match value.get_ref().as_str() {
        Some("") => wrong(value, "this is empty"),
        Some(text) => Ok(text),
        None => wrong(value, "this is not text in quotes"),
    }
}

fn one_of<T: Copy>(value: &Value<'_>, words: &[(&str, T)]) -> Result<T, Wrong> {
    let text = text(value)?;
    match words.iter().find(|(word, _)| *word == text) {
        Some((_, meant)) => Ok(*meant),
        None => {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            wrong(value, format!("\"{text}\" is not {}", words.join(" or ")))
        }
    }
}

/// A network, or an address alone.
fn network(value: &Value<'_>) -> Result<IpNet, Wrong> {
    let text = text(value)?;
    match text.parse::<IpNet>() {
        Ok(network) => Ok(network.trunc()),
        Err(_) => match text.parse::<IpAddr>() {
            Ok(address) => Ok(address.into()),
            Err(_) => wrong(value, format!("\"{text}\" is not a network, like 192.0.2.0/24")),
        },
    }
}

fn networks(value: &Value<'_>) -> Result<Vec<IpNet>, Wrong> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(network).collect(),
        _ => wrong(value, "this is not a list of networks"),
    }
}

fn ecs_from(value: &Value<'_>) -> Result<EcsFrom, Wrong> {
    match value.get_ref() {
        DeValue::String(word) if word == "everyone" => Ok(EcsFrom::Everyone),
        DeValue::Array(_) => Ok(EcsFrom::Networks(networks(value)?)),
        _ => wrong(value, "this is neither \"everyone\" nor a list of networks"),
    }
}

fn identity(value: &Value<'_>, most: usize) -> Result<Identity, Wrong> {
    match value.get_ref() {
        DeValue::Boolean(true) => Ok(Identity::HostName),
        DeValue::Boolean(false) => Ok(Identity::Untold),
        _ => Ok(Identity::Text(short_text(value, most)?)),
    }
}

fn version(value: &Value<'_>) -> Result<Option<Box<str>>, Wrong> {
    match value.get_ref() {
        DeValue::Boolean(true) => Ok(Settings::modern().chaos_version),
        DeValue::Boolean(false) => Ok(None),
        _ => short_text(value, CHAOS_TEXT_MAX).map(Some),
    }
}

fn short_text(value: &Value<'_>, most: usize) -> Result<Box<str>, Wrong> {
    match value.get_ref() {
        DeValue::String(text) if text.is_empty() || text.len() > most => {
            wrong(value, format!("the text has {} bytes, not 1 to {most}", text.len()))
        }
        DeValue::String(text) => Ok(text.as_ref().into()),
        _ => wrong(value, "this is neither text in quotes nor true nor false"),
    }
}

/// The file, for telling where in it a problem is.
struct Source<'a> {
    text: &'a str,
    file: Arc<str>,
}

impl Source<'_> {
    fn problem(&self, span: Range<usize>, what: String, why: &str, remedy: impl Into<String>) -> Problem {
        let start = self.text.floor_char_boundary(span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let in_line = line.get(start - line_start..).unwrap_or("");
        let end = self.text.floor_char_boundary(span.end.max(start));
        let at = At {
            file: self.file.clone(),
            line: before.matches('\n').count() as u32 + 1,
            column: self.text[line_start..start].chars().count() as u32 + 1,
            length: self.text[start..end].chars().count().min(in_line.chars().count()) as u32,
        };
        Problem::error(at, what, why, remedy).excerpt(line)
    }

    fn unknown(&self, key: &Spanned<std::borrow::Cow<'_, str>>) -> Problem {
        let name = key.get_ref();
        let nearest = settings().map(|setting| (wrong_letters(name, setting.name), setting.name)).min();
        let remedy = match nearest {
            Some((letters, nearest)) if letters <= MISSPELT_MAX.min(name.chars().count() / 2) => {
                format!("did you mean {nearest}?")
            }
            _ => "docs/config.md lists the settings".to_string(),
        };
        self.problem(key.span(), format!("there is no setting called {name}"), "", remedy)
    }
}

/// How many letters have to be added, dropped or replaced to turn one word into another (Levenshtein).
fn wrong_letters(one: &str, other: &str) -> usize {
    // Longer ones are no near misses, and the work grows with the product.
    if one.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (above, a) in (1..).zip(one.chars()) {
        let mut diagonal = row[0];
        row[0] = above;
        for (at, b) in (1..).zip(other.chars()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[at];
            row[at] = replaced.min(row[at] + 1).min(row[at - 1] + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Config, Vec<String>) {
        let (config, problems) = Config::read(text, "fingerpost.toml", Path::new("/etc/fingerpost"));
        (config, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nothing_set_is_the_modern_profile() {
        let (mut config, problems) = read("");
        assert_eq!(problems, [""; 0]);
        let keepalives = |settings: &mut Settings| [settings.tcp_keepalive.take(), settings.tls_keepalive.take()];
        assert_eq!(keepalives(&mut config.settings), [Some(100), Some(300)]);
        let mut modern = Config::modern();
        keepalives(&mut modern.settings);
        assert_eq!(config, modern);
    }

    #[test]
    fn a_profile_is_where_single_settings_start_from() {
        let (config, problems) = read("any = \"rfc8482\"\nprofile = \"route53\"\nnsid = true\n");
        assert_eq!(problems, [""; 0]);
        let settings = config.settings_on("host", None);
        assert_eq!(settings.any, Any::Minimal);
        assert_eq!(settings.nsid.as_deref(), Some(&b"host"[..]));
        assert_eq!(settings.tcp_keepalive, None);
        assert_eq!((settings.udp_payload_max, config.cookies), (4096, false));
    }

    #[test]
    fn every_example_is_understood_and_every_setting_documented() {
        let manual = include_str!("../docs/config.md");
        for setting in settings() {
            let (_, problems) = read(setting.example);
            assert_eq!(problems, [""; 0], "{}", setting.example);
            assert!(
                manual.contains(&format!("\n### `{}`\n", setting.name)),
                "{} is not in docs/config.md",
                setting.name
            );
        }
        for heading in manual.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')) {
            assert!(settings().any(|setting| setting.name == heading), "docs/config.md has {heading}, we have not");
        }
    }

    #[test]
    fn paths_begin_at_the_file() {
        let (config, _) = read("zones = \"z\"\ngeo = \"/g\"\n");
        assert_eq!(config.zones.as_deref(), Some(Path::new("/etc/fingerpost/z")));
        assert_eq!(config.geo.as_deref(), Some(Path::new("/g")));
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        for (text, expected) in [
            (
                "listen = \"here:53\"",
                "1:10: listen: \"here:53\" is not an address and port, like 192.0.2.1:53, [2001:db8::1]:53, localhost:53 or :53, write for example listen = [\"127.0.0.1:5300\", \"[::1]:5300\"]",
            ),
            (
                "listen = []",
                "1:10: listen: there is no address here, write for example listen = [\"127.0.0.1:5300\", \"[::1]:5300\"]",
            ),
            (
                "# ä\n\nworkers = 0",
                "3:11: workers: this is not a whole number from 1 to 1024, write for example workers = 4",
            ),
            (
                "workers = 99999999999999999999",
                "1:11: workers: this is not a whole number from 1 to 1024, write for example workers = 4",
            ),
            ("any = \"all\"", "1:7: any: \"all\" is not rfc8482 or full, write for example any = \"rfc8482\""),
            ("cookies = \"yes\"", "1:11: cookies: this is neither true nor false, write for example cookies = true"),
            (
                "ecs_from = [\"::/0\", \"x\"]",
                "1:21: ecs_from: \"x\" is not a network, like 192.0.2.0/24, write for example ecs_from = [\"192.0.2.0/24\"]",
            ),
            ("zones = \"\"", "1:9: zones: this is empty, write for example zones = \"zones\""),
            ("profile = 1", "1:11: profile: this is not text in quotes, write for example profile = \"modern\""),
            ("cookie = true", "1:1: there is no setting called cookie, did you mean cookies?"),
            ("[tcp]\nidle = 1", "1:2: there is no setting called tcp, docs/config.md lists the settings"),
        ] {
            let (_, problems) = read(text);
            let expected = expected.splitn(3, ':').collect::<Vec<_>>().join(":").replacen(": ", ": error: ", 1);
            assert_eq!(problems, [format!("fingerpost.toml:{expected}")]);
        }
        let (_, problems) = read("worker = 1\nany = 1\nzones = 2\n");
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0]
                .starts_with("fingerpost.toml:1:1: error: there is no setting called worker, did you mean workers?")
        );
    }

    #[test]
    fn the_first_error_of_syntax_stands_alone() {
        for text in ["worker = 1\nany = 1\nlisten = [\nzones = 2\n", "a = \nb = \n[c\nd = 1", "x y z\n= 1\n"] {
            let (_, problems) = read(text);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains("not TOML here"), "{problems:?}");
        }
    }

    #[test]
    fn the_offending_text_can_be_underlined() {
        let (_, problems) = Config::read("\"é\" = 1 # x\nany = \"\u{1F600}\"\n", "f", Path::new(""));
        let places: Vec<_> =
            problems.iter().map(|one| (one.at.column, one.at.length, one.excerpt.as_deref())).collect();
        assert!(places.contains(&(7, 3, Some("any = \"\u{1F600}\""))), "{places:?}");
    }

    #[test]
    fn wrong_letters_are_counted() {
        for (one, other, letters) in [("", "abc", 3), ("abc", "abc", 0), ("zone", "zones", 1), ("lisetn", "listen", 2)]
        {
            assert_eq!(wrong_letters(one, other), letters);
        }
    }
}
