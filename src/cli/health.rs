//! `fingerpost health`

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use fingerpost::io::{admin_client, health};

use super::FINE;

/// How often `--watch` looks again.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Health as a running server sees it; forces a verdict
///
/// Where the server wants a token, put it into FINGERPOST_ADMIN_TOKEN.
#[derive(Args)]
pub struct Health {
    #[command(subcommand)]
    what: Option<What>,
    /// Admin port of the server
    #[arg(long, value_name = "ADDR:PORT", global = true, default_value_t = health::ADMIN)]
    admin: SocketAddr,
}

#[derive(Subcommand)]
enum What {
    /// Every health check (this is what `fingerpost health` does)
    List(List),
    /// Force a verdict, or let the check go by itself again; returns when it is served
    Set(Set),
}

#[derive(Args, Default)]
struct List {
    /// Print the list again each second
    #[arg(long)]
    watch: bool,
    /// Print the JSON of the admin port
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Set {
    /// Health check
    id: String,
    state: State,
    /// Until then: a number with s, m, h or d, as 10m [default: until `auto`]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasting: Option<Duration>,
    /// Shown wherever the check is
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Up,
    Down,
    Auto,
}

impl Health {
    pub fn run(self) -> Result<u8> {
        match self.what.unwrap_or(What::List(List::default())) {
            What::List(list) => list.run(self.admin),
            What::Set(set) => set.run(self.admin),
        }
    }
}

impl List {
    fn run(&self, admin: SocketAddr) -> Result<u8> {
        loop {
            let reply = admin_client::get(admin, "/health")?;
            let mut out = anstream::stdout().lock();
            if self.json {
                out.write_all(&reply)?;
            } else {
                if self.watch {
                    // Home, and everything below is cleared.
                    write!(out, "\x1b[H\x1b[J")?;
                }
                out.write_all(table(&serde_json::from_slice(&reply).context("the reply is not JSON")?).as_bytes())?;
            }
            out.flush()?;
            drop(out);
            if !self.watch {
                return Ok(FINE);
            }
            std::thread::sleep(WATCH_EVERY);
        }
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
        let path = admin_client::path(&format!("health/{}", admin_client::escaped(&self.id)), &[]);
        let reply = admin_client::put(admin, &path, &body.to_string())?;
        let check: Value = serde_json::from_slice(&reply).context("the reply is not JSON")?;
        anstream::println!("{}", sentence(&check));
        if check["kept"] == false {
            anstream::eprintln!("fingerpost: the server has no state folder; this lasts until it ends");
        }
        Ok(FINE)
    }
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

fn sentence(check: &Value) -> String {
    let id = check["id"].as_str().unwrap_or_default();
    let state = word(check);
    match check["forced"].as_object() {
        None => format!("{id} is {state} and goes by itself"),
        Some(forced) => match forced["until"].as_str() {
            Some(until) => format!("{id} is {state}, forced until {until}"),
            None => format!("{id} is {state}, forced until it is set to auto"),
        },
    }
}

fn word(check: &Value) -> &'static str {
    if check["healthy"] == true { "healthy" } else { "unhealthy" }
}

/// The list as people read it.
fn table(list: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_string();
    let mut rows = vec![["CHECK", "VERDICT", "SINCE", "STREAK", "LATENCY", "NEXT", "WHY", "NAMES"].map(String::from)];
    for check in list["health_checks"].as_array().into_iter().flatten() {
        let forced = &check["forced"];
        let why = match (forced.is_object(), check["last"]["reason"].as_str()) {
            (true, _) => match (forced["reason"].as_str(), forced["until"].as_str()) {
                (Some("") | None, None) => "forced".to_string(),
                (Some("") | None, Some(until)) => format!("forced until {until}"),
                (Some(reason), None) => format!("forced: {reason}"),
                (Some(reason), Some(until)) => format!("forced until {until}: {reason}"),
            },
            (false, Some(reason)) => reason.to_string(),
            (false, None) => text(&check["rests_on"]),
        };
        let streak = match check["streak"].as_u64() {
            Some(streak) => format!("{streak} of {}", check["failure_threshold"]),
            None => "-".to_string(),
        };
        let latency = check["last"]["total_ms"].as_f64().map_or("-".to_string(), |millis| format!("{millis:.1} ms"));
        let mut names: Vec<&str> = check["names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let more = check["names_count"].as_u64().unwrap_or(0) as usize - names.len().min(3);
        names.truncate(3);
        let names = match more {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        };
        let time =
            |value: &Value| value.as_str().map_or("-".to_string(), |time| time.replace('T', " ").replace('Z', ""));
        rows.push([
            text(&check["id"]),
            word(check).to_string(),
            time(&check["since"]),
            streak,
            latency,
            time(&check["next_probe"]),
            why,
            names,
        ]);
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| {
            // What the server says of others is shown, not obeyed, by a terminal.
            let cell: String = cell.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect();
            format!("{cell:width$}")
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
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

    #[test]
    fn the_list_is_a_table() {
        let list = json!({ "health_checks": [
            { "id": "blue", "healthy": true, "since": null, "streak": 2, "failure_threshold": 3,
              "last": { "reason": "Success: \u{1b}[2J", "total_ms": 1.25 }, "next_probe": "2026-11-21T04:00:00Z",
              "names": ["a. A", "b. A", "c. A", "d. A"], "names_count": 9 },
            { "id": "green", "healthy": false, "since": "2026-11-21T03:59:00Z", "rests_on": "forced",
              "forced": { "reason": "works", "until": null }, "names": [], "names_count": 0 },
        ] });
        let expected = "\
CHECK  VERDICT    SINCE                STREAK  LATENCY  NEXT                 WHY            NAMES
blue   healthy    -                    2 of 3  1.2 ms   2026-11-21 04:00:00  Success: \u{fffd}[2J  a. A, b. A, c. A and 6 more
green  unhealthy  2026-11-21 03:59:00  -       -        -                    forced: works
";
        assert_eq!(table(&list), expected);
        assert_eq!(sentence(&list["health_checks"][1]), "green is unhealthy, forced until it is set to auto");
    }
}
