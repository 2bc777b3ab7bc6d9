//! `fingerpost health`

mod cells;
mod filter;
mod table;
mod watch;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use fingerpost::config::address;
use fingerpost::io::{admin_client, health, sys};

use filter::Filter;

use super::{FINE, out};

/// How often `--watch` looks again.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Health as a running server sees it, and a hand on it
///
/// Health checks stand in health-checks.toml beside the zones. A running server asks their endpoints, and its answers
/// follow. This looks at what it knows, through its admin port, and changes it: each change is served, and written to
/// the state folder, when the command returns.
///
/// Where the server wants a token, put it into FINGERPOST_ADMIN_TOKEN.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Health {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    filter: Filter,
    /// Admin port of the server
    #[arg(long, value_name = "ADDR:PORT", global = true, default_value_t = health::ADMIN,
        value_parser = |text: &str| address::server(text, address::ADMIN))]
    admin: SocketAddr,
}

const EXAMPLES: &str = "\
Examples:
  fingerpost health                                    every check: verdict, since when, why, and who answers now
  fingerpost health list --watch                       the same, again each second
  fingerpost health --unhealthy --name \"orders*\"       those that need attention, of those with such a name or id
  fingerpost health show blue                          one check, with its latest results and each checker's view
  fingerpost health set blue down --for 10m --reason \"new disks\"
  fingerpost health set blue up --until 2026-12-01T06:00:00Z
  fingerpost health set blue auto                      let it go by itself again
  fingerpost health switch failover on                 a RECOVERY_CONTROL check
  fingerpost health metric orders alarm                a CLOUDWATCH_METRIC check that follows no query
  fingerpost health observe blue --as paris down       what another checker has come to";

#[derive(Subcommand)]
enum What {
    /// Every health check (this is what `fingerpost health` does)
    List(List),
    /// One health check, with its latest results
    Show(Show),
    /// Force a verdict, or let the check go by itself again; returns when it is served
    ///
    /// A forced verdict beats probes, alarms and children, survives restarts, and is shown as forced everywhere.
    Set(Set),
    /// Switch a RECOVERY_CONTROL check on (healthy) or off
    Switch(Switch),
    /// Say how the alarm of a CLOUDWATCH_METRIC check stands
    Metric(Metric),
    /// Tell what another checker has come to; it counts for `health_observation_seconds`
    Observe(Observe),
}

#[derive(Args, Default)]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// Show the list again each second, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Print the JSON of the admin port
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Show {
    /// Health check: its id, or its name where no other has it
    id: String,
    /// Print the JSON of the admin port
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Set {
    /// Health check: its id, or its name where no other has it
    id: String,
    state: State,
    /// So long: a number with s, m, h or d, as 10m [default: until `auto`]
    #[arg(long = "for", value_name = "TIME", value_parser = duration, conflicts_with = "until")]
    lasting: Option<Duration>,
    /// Until then, as RFC 3339 writes it: 2026-12-01T06:00:00Z
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Shown wherever the check is
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Up,
    Down,
    Auto,
}

#[derive(Args)]
struct Switch {
    /// Health check: its id, or its name where no other has it
    id: String,
    state: OnOff,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnOff {
    On,
    Off,
}

#[derive(Args)]
struct Metric {
    /// Health check: its id, or its name where no other has it
    id: String,
    #[arg(value_parser = ["ok", "alarm", "insufficient-data"])]
    state: String,
}

#[derive(Args)]
struct Observe {
    /// Health check: its id, or its name where no other has it
    id: String,
    /// What the other checker is called
    #[arg(long = "as", value_name = "CHECKER")]
    checker: String,
    #[arg(value_parser = ["up", "down"])]
    state: String,
    /// Shown beside it
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Health {
    pub fn run(self) -> Result<u8> {
        let what = self.what.unwrap_or_else(|| What::List(List::default()));
        if !matches!(what, What::List(_)) && !self.filter.is_none() {
            bail!("--unhealthy and --name choose what is listed: write them with `health` or `health list`");
        }
        match what {
            What::List(list) => List { filter: self.filter.and(list.filter.clone()), ..list }.run(self.admin),
            What::Show(show) => show.run(self.admin),
            What::Set(set) => set.run(self.admin),
            What::Switch(Switch { id, state }) => {
                tell(admin_client::put, self.admin, &id, "/switch", &json!({ "on": state == OnOff::On }))
            }
            What::Metric(Metric { id, state }) => {
                tell(admin_client::put, self.admin, &id, "/metric", &json!({ "state": state }))
            }
            What::Observe(Observe { id, checker, state, reason }) => {
                let body = json!({ "checker": checker, "healthy": state == "up", "reason": reason });
                tell(admin_client::post, self.admin, &id, "/observations", &body)
            }
        }
    }
}

impl List {
    fn run(&self, admin: SocketAddr) -> Result<u8> {
        if self.watch && !self.json && std::io::stdout().is_terminal() {
            return watch::watch(admin, &self.filter);
        }
        loop {
            let shown = admin_client::get(admin, "/health").and_then(|reply| match self.json {
                true if self.filter.is_none() => Ok(String::from_utf8_lossy(&reply).into_owned()),
                true => Ok(format!("{}\n", serde_json::to_string_pretty(&self.filter.of(parsed(&reply)?))?)),
                false => Ok(table::list(&self.filter.of(parsed(&reply)?), width())),
            });
            // Whoever watches a server through its restart wants to see it come back.
            let shown = match shown {
                Err(error) if self.watch => {
                    out::note(format_args!("fingerpost: {error:#}"));
                    String::new()
                }
                shown => shown?,
            };
            out::print(&shown)?;
            if !self.watch {
                return Ok(FINE);
            }
            std::thread::sleep(WATCH_EVERY);
        }
    }
}

impl Show {
    fn run(&self, admin: SocketAddr) -> Result<u8> {
        let reply = by_id_or_name(admin, &self.id, |id| admin_client::get(admin, &path(id, "")))?;
        match self.json {
            true => out::print_bytes(&reply)?,
            false => out::print(&table::one(&parsed(&reply)?))?,
        }
        Ok(FINE)
    }
}

impl Set {
    fn run(&self, admin: SocketAddr) -> Result<u8> {
        let state = match self.state {
            State::Up => "up",
            State::Down => "down",
            State::Auto => "auto",
        };
        let mut body = json!({ "state": state, "reason": self.reason });
        if let Some(lasting) = self.lasting {
            body["for_seconds"] = lasting.as_secs().into();
        }
        if let Some(until) = &self.until {
            body["until"] = until.as_str().into();
        }
        tell(admin_client::put, admin, &self.id, "", &body)
    }
}

type Ask = fn(SocketAddr, &str, &str) -> Result<Vec<u8>>;

/// Changes something, and says how the check stands then.
fn tell(ask: Ask, admin: SocketAddr, id: &str, rest: &str, body: &Value) -> Result<u8> {
    let reply = by_id_or_name(admin, id, |id| ask(admin, &path(id, rest), &body.to_string()))?;
    let check = parsed(&reply)?;
    out::print(&format!("{}\n", table::sentence(&check)))?;
    if check["kept"] == false {
        out::note("fingerpost: the server could not write this to its state folder; it may not survive a restart");
    }
    Ok(FINE)
}

/// The width to fit, where a terminal is at the other end.
fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    stdout.is_terminal().then(|| sys::terminal_size(stdout.as_fd()).unwrap_or(watch::USUAL).0)
}

/// Asks about the check with this id; where the server refuses, about the one check that has this for a name.
fn by_id_or_name(admin: SocketAddr, id: &str, ask: impl Fn(&str) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    ask(id).or_else(|refused| {
        let Ok(list) = admin_client::get(admin, "/health").and_then(|reply| parsed(&reply)) else {
            return Err(refused);
        };
        let checks = list["health_checks"].as_array().map_or(&[][..], Vec::as_slice);
        if checks.iter().any(|check| check["id"] == *id) {
            return Err(refused);
        }
        let named: Vec<&str> =
            checks.iter().filter(|check| check["name"] == *id).filter_map(|check| check["id"].as_str()).collect();
        match named.as_slice() {
            [] => Err(refused),
            [one] => ask(one),
            several => {
                bail!("{} health checks are called {id:?}; name one by its id: {}", several.len(), several.join(", "))
            }
        }
    })
}

fn path(id: &str, rest: &str) -> String {
    format!("/health/{}{rest}", admin_client::escaped(id))
}

fn parsed(reply: &[u8]) -> Result<Value> {
    serde_json::from_slice(reply).context("the reply is not JSON")
}

/// `10m` as a duration.
fn duration(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => bail!("write a number with s, m, h or d, as 10m"),
    };
    let number: u64 = number.parse().context("write a number with s, m, h or d, as 10m")?;
    number.checked_mul(seconds).map(Duration::from_secs).context("that is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in [
            ("10m", Some(600)),
            ("1d", Some(86_400)),
            ("90s", Some(90)),
            ("2h", Some(7200)),
            ("10", None),
            ("m", None),
            ("", None),
            ("10ü", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(duration(text).ok().map(|duration| duration.as_secs()), seconds, "{text}");
        }
    }
}
