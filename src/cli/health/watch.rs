//! `fingerpost health list --watch` on a terminal: one picture over the other, as large as the terminal is.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use serde_json::Value;

use fingerpost::io::{admin_client, sys};

use super::filter::Filter;
use super::{WATCH_EVERY, parsed, table};

/// What a terminal is taken to be that does not say.
pub const USUAL: (usize, usize) = (80, 24);

const TROUBLE: Style = AnsiColor::Yellow.on_default().bold();

/// Until Ctrl-C. The terminal is left as it is: nothing is hidden or turned off that would have to be put right.
pub fn watch(admin: SocketAddr, filter: &Filter) -> Result<u8> {
    let mut known: Option<Value> = None;
    let mut cleared = false;
    loop {
        let trouble =
            match admin_client::get(admin, "/health").and_then(|reply| parsed(&reply)).map(|list| filter.of(list)) {
                Ok(list) => {
                    known = Some(list);
                    None
                }
                // Whoever watches a server through its restart wants to see it come back.
                Err(error) => Some(format!("{error:#}; trying again")),
            };
        let size = sys::terminal_size(io::stdout().as_fd()).unwrap_or(USUAL);
        let mut out = anstream::stdout().lock();
        let clear = if std::mem::replace(&mut cleared, true) { "" } else { "\x1b[2J" };
        let picture = picture(known.as_ref(), trouble.as_deref(), size);
        super::out::written(write!(out, "{clear}{picture}").and_then(|()| out.flush()))?;
        drop(out);
        std::thread::sleep(WATCH_EVERY);
    }
}

/// Each line is written over the one that was there, and then what is left of it is cleared: nothing flickers. The last
/// line stays free for the cursor.
fn picture(known: Option<&Value>, trouble: Option<&str>, (columns, rows): (usize, usize)) -> String {
    let mut lines = Vec::new();
    if let Some(trouble) = trouble {
        let shown: String = trouble.chars().take(columns).collect();
        lines.push(format!("{TROUBLE}{shown}{TROUBLE:#}"));
    }
    if let Some(known) = known {
        let table = table::list(known, Some(columns));
        lines.extend(table.lines().map(String::from));
        let room = rows.saturating_sub(1).max(1);
        if lines.len() > room {
            // Healthy checks come last, and can be done without first.
            let more = lines.len() - room + 1;
            lines.truncate(room - 1);
            let told: String = format!("… {more} lines more").chars().take(columns).collect();
            lines.push(told);
        }
    }
    let mut out = "\x1b[H".to_string();
    for line in lines {
        out += &line;
        out += "\x1b[K\r\n";
    }
    out + "\x1b[J"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(checks: usize) -> Value {
        let check = |number: usize| {
            json!({ "id": format!("check-{number:02}"), "healthy": number != 40, "since": "2026-11-21T03:59:00Z",
                    "streak": 2, "failure_threshold": 3, "names_count": 1, "next_probe": "2026-11-21T04:00:07Z",
                    "last": { "healthy": true, "reason": "Success: HTTP Status Code: 200. Resolved IP: 192.0.2.1. OK" },
                    "answers": [{ "name": "www.example.com. A", "candidates": ["blue", "green"], "out": [] }] })
        };
        json!({ "now": "2026-11-21T04:00:00Z", "health_checks": (0..checks).map(check).collect::<Vec<_>>() })
    }

    /// What a terminal shows: lines without colours.
    fn shown(picture: &str) -> Vec<String> {
        assert!(picture.starts_with("\x1b[H") && picture.ends_with("\x1b[J"));
        let plain = anstream::adapter::strip_str(picture).to_string();
        plain.split("\r\n").map(String::from).collect()
    }

    #[test]
    fn a_picture_is_no_larger_than_the_terminal() {
        for size in [(80, 24), (200, 24), (40, 10), (20, 3), (3, 2), (1, 1)] {
            for trouble in [None, Some("no server answers on its admin port at 127.0.0.1:5380; trying again")] {
                let lines = shown(&picture(Some(&list(50)), trouble, size));
                assert!(lines.len() <= size.1.max(2), "{} lines on {size:?}", lines.len());
                assert!(lines.iter().all(|line| line.chars().count() <= size.0), "{size:?}: {lines:#?}");
            }
        }
    }

    #[test]
    fn who_is_unwell_is_shown_before_who_has_no_room() {
        let lines = shown(&picture(Some(&list(50)), None, (200, 10)));
        assert!(lines[2].starts_with("check-40  unhealthy"), "{lines:#?}");
        assert_eq!(lines[8], "… 94 lines more");
        let lines = shown(&picture(Some(&list(3)), None, (200, 10)));
        assert!(lines[2].starts_with("check-00") && lines[6].starts_with("check-02"), "{lines:#?}");
    }

    #[test]
    fn what_was_known_stays_while_the_server_is_away() {
        let lines = shown(&picture(Some(&list(2)), Some("no server answers"), (200, 10)));
        assert_eq!(lines[0], "no server answers");
        assert!(lines[1].starts_with("2 health checks") && lines[3].starts_with("check-00"), "{lines:#?}");
        assert_eq!(shown(&picture(None, Some("no server"), (80, 24))), ["no server", ""]);
    }
}
