//! What the admin port says of health, as people read it.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::cells::{cut, width_of};

/// Names listed for each check; more are counted.
const NAMES_MAX: usize = 3;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FORCED: Style = AnsiColor::Yellow.on_default().bold();
const QUIET: Style = AnsiColor::BrightBlack.on_default();
const PLAIN: Style = Style::new();

struct Cell(String, Style);

/// Every check, unhealthy ones first: a line with its verdict, one with the names that it decides, and below them the
/// checkers of this server where there are several. No line is longer than the width, if there is one: first the columns go
/// that the least depends on, and then texts are cut.
pub fn list(list: &Value, width: Option<usize>) -> String {
    let mut checks: Vec<&Value> = items(&list["health_checks"]).iter().collect();
    // What needs attention comes first.
    checks.sort_by_key(|check| (check["healthy"] == true, !check["forced"].is_object(), called(check)));
    let count = |wanted: &dyn Fn(&Value) -> bool| checks.iter().filter(|check| wanted(check)).count();
    let healthy = count(&|check| check["healthy"] == true);
    let forced = count(&|check| check["forced"].is_object());
    let mut out = format!("{} health checks: {healthy} healthy, {} unhealthy", checks.len(), checks.len() - healthy);
    if checks.len() == 1 {
        out = out.replace("checks", "check");
    }
    if forced > 0 {
        let _ = write!(out, ", {forced} forced");
    }
    let stale = count(&|check| check["stale"] == true);
    if stale > 0 {
        let _ = write!(out, ", {stale} stale");
    }
    if list["probes"] == false {
        out.push_str("; this server does not probe");
    }
    let _ = write!(out, "; {}", time(&list["now"]));
    let mut out = cut(&out, width.unwrap_or(usize::MAX));
    out.push('\n');
    let mut rows = Vec::new();
    for check in &checks {
        rows.push(row(check));
        for checker in items(&check["checkers"]).iter().chain(items(&check["other_checkers"])) {
            rows.push(checker_row(checker, check));
        }
    }
    if !rows.is_empty() {
        let mut head = ["CHECK", "ID", "VERDICT", "SINCE", "STREAK", "LATENCY", "NEXT", "WHY"];
        if rows.iter().all(|row| row.cells[ID].0.is_empty()) {
            head[ID] = "";
        }
        let widths = match width {
            None => natural(&head, &rows),
            Some(width) => fitted(&mut head, &mut rows, width, &time(&list["now"])),
        };
        columns(&head, &rows, &widths, width.unwrap_or(usize::MAX), &mut out);
    }
    out
}

const CHECK: usize = 0;
const ID: usize = 1;
const SINCE: usize = 3;
const STREAK: usize = 4;
const LATENCY: usize = 5;
const NEXT: usize = 6;
const WHY: usize = 7;

/// A line of the table, and the line below it.
struct Row {
    cells: [Cell; 8],
    below: String,
}

/// Between two columns.
const GAP: usize = 2;

/// Columns go until the reason has this much room, if it is that long.
const WHY_MIN: usize = 48;

/// What a check is called is not cut shorter than this.
const CHECK_MIN: usize = 16;

/// The widths of columns that fit, when what has no room is gone.
fn fitted(head: &mut [&'static str; 8], rows: &mut [Row], width: usize, now: &str) -> [usize; 8] {
    let gaps = |widths: &[usize; 8]| GAP * widths.iter().skip(1).filter(|&&width| width > 0).count();
    let left = |widths: &[usize; 8]| width.saturating_sub(widths[..WHY].iter().sum::<usize>() + gaps(widths));
    let today = now.split(' ').next().unwrap_or(now).to_string();
    for narrower in [None, Some(SINCE), Some(LATENCY), Some(NEXT), Some(ID), Some(STREAK)] {
        match narrower {
            // The time of day, where the day is today.
            Some(SINCE) => rows.iter_mut().for_each(|row| {
                if let Some(of_day) = row.cells[SINCE].0.strip_prefix(&*today) {
                    row.cells[SINCE].0 = of_day.trim_start().to_string();
                }
            }),
            Some(column) => {
                head[column] = "";
                rows.iter_mut().for_each(|row| row.cells[column].0.clear());
            }
            None => {}
        }
        let widths = natural(head, rows);
        if left(&widths) >= WHY_MIN.min(widths[WHY]) {
            break;
        }
    }
    let mut widths = natural(head, rows);
    let missing = WHY_MIN.min(widths[WHY]).saturating_sub(left(&widths));
    widths[CHECK] = widths[CHECK].saturating_sub(missing).max(CHECK_MIN.min(widths[CHECK]));
    widths[WHY] = widths[WHY].min(left(&widths));
    let mut room = width;
    for (column, column_width) in widths.iter_mut().enumerate() {
        let gap = if column > 0 && *column_width > 0 { GAP } else { 0 };
        *column_width = (*column_width).min(room.saturating_sub(gap));
        room = room.saturating_sub(*column_width + gap);
    }
    widths
}

fn natural(head: &[&'static str; 8], rows: &[Row]) -> [usize; 8] {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, Cell(cell, _)) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(width_of(cell));
        }
    }
    widths
}

/// One check with all that is known of it.
pub fn one(check: &Value) -> String {
    let mut out = String::new();
    let Cell(verdict, style) = verdict(check);
    let mut line = |key: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "{key:<9} {value}");
        }
    };
    line("check", format!("{}  {}", text(&check["id"]), text(&check["type"])));
    line("name", check["name"].as_str().map(printable).unwrap_or_default());
    line("asks", text(&check["asks"]));
    let flags = ["inverted", "disabled"].into_iter().filter(|flag| check[*flag] == true).collect::<Vec<_>>();
    line("", flags.join(", "));
    let since = time(&check["since"]);
    let since = if since == "-" { "since the start".to_string() } else { format!("since {since}") };
    // Since when it is stale stands in a line of its own.
    let (verdict, why) = match check["stale"] == true {
        true => {
            (word(check).to_string(), "no checker knows the state any more, so the last verdict stands".to_string())
        }
        false => (verdict, because(check)),
    };
    line("verdict", format!("{style}{verdict}{style:#} {since}: {why}"));
    if let Some(of) = check["votes"]["of"].as_u64().filter(|&of| of > 1) {
        line("checkers", format!("{} of {of} say healthy", check["votes"]["healthy"]));
    }
    for child in items(&check["children"]) {
        line("child", format!("{} {}", text(&child["id"]), word(child)));
    }
    if check["stale"] == true {
        line("stale", format!("since {}", time(&check["stale_since"])));
    }
    if check["next_probe"].is_string() {
        let interval = format!("every {} s", check["request_interval"]);
        line(
            "next",
            format!("{}, {interval}; {} in a row turn it", time(&check["next_probe"]), check["failure_threshold"]),
        );
    }
    for name in items(&check["answers"]) {
        line("answers", answers(name));
    }
    let more = check["names_count"].as_u64().unwrap_or(0) as usize - items(&check["answers"]).len();
    line("", if more > 0 { format!("and {more} more names") } else { String::new() });
    for checker in items(&check["other_checkers"]) {
        let Cell(word, _) = Cell(word(checker).into(), PLAIN);
        let reason = text(&checker["reason"]);
        let reason = if reason.is_empty() || reason == "-" { String::new() } else { format!(": {reason}") };
        line(
            "told by",
            format!(
                "{} {word} at {}, counts until {}{reason}",
                text(&checker["checker"]),
                time(&checker["at"]),
                time(&checker["until"])
            ),
        );
    }
    if items(&check["checkers"]).len() > 1 {
        for checker in items(&check["checkers"]) {
            let _ = writeln!(out, "\n{}", heading(checker));
            history(&checker["history"], &mut out);
        }
    } else if !items(&check["history"]).is_empty() {
        let _ = writeln!(out);
        history(&check["history"], &mut out);
    }
    out
}

/// How a check stands, in a sentence.
pub fn sentence(check: &Value) -> String {
    let (id, word) = (text(&check["id"]), word(check));
    if check["forced"].is_object() {
        return match check["forced"]["until"].as_str() {
            Some(until) => format!("{id} is {word}, forced until {until}"),
            None => format!("{id} is {word}, forced until it is set to auto"),
        };
    }
    if check["stale"] == true {
        return format!("{id} is {word}, stale since {}", text(&check["stale_since"]));
    }
    match (check["switch"].as_bool(), check["metric"].as_str()) {
        (Some(on), _) => format!("{id} is {word}, switched {}", if on { "on" } else { "off" }),
        (_, Some(alarm)) => format!("{id} is {word}, its alarm is {}", state(alarm)),
        _ => format!("{id} is {word} and goes by itself"),
    }
}

fn row(check: &Value) -> Row {
    let names = items(&check["answers"]);
    let more = check["names_count"].as_u64().unwrap_or(0) as usize - names.len().min(NAMES_MAX);
    let mut below = names.iter().take(NAMES_MAX).map(answers).collect::<Vec<_>>().join("; ");
    if more > 0 {
        let _ = write!(below, " and {more} more");
    }
    let id = if check["name"].is_string() { text(&check["id"]) } else { String::new() };
    let cells = [
        Cell(called(check), PLAIN),
        Cell(id, QUIET),
        verdict(check),
        Cell(time(&check["since"]), PLAIN),
        Cell(streak(check, check["failure_threshold"].as_u64()), PLAIN),
        Cell(latency(&check["last"]), PLAIN),
        Cell(short(&check["next_probe"]), PLAIN),
        Cell(brief(&because(check)), PLAIN),
    ];
    Row { cells, below }
}

/// The name of a check, or its id where it has none.
fn called(check: &Value) -> String {
    text(if check["name"].is_string() { &check["name"] } else { &check["id"] })
}

/// How Route 53 begins each result of a connection that failed.
const NO_CONNECTION: &str = "The health checker could not establish a connection";

/// A result without the words that Route 53 puts in front of each: `200 OK`.
fn brief(reason: &str) -> String {
    let reason = reason.replacen(NO_CONNECTION, "no connection", 1);
    let Some(told) = reason.strip_prefix("Success: ").or_else(|| reason.strip_prefix("Failure: ")) else {
        return reason;
    };
    let (status, told) = match told.strip_prefix("HTTP Status Code: ").and_then(|told| told.split_once(". ")) {
        Some((status, told)) => (format!("{status} "), told),
        None => (String::new(), told),
    };
    let told = match told.split_once("Resolved IP: ") {
        Some((before, address)) => {
            let behind = address.split_once(". ").map_or("", |(_, behind)| behind);
            format!("{}{behind}", if behind.is_empty() { before.trim_end() } else { before })
        }
        None => told.to_string(),
    };
    format!("{status}{told}")
}

/// A checker's line, below its check's.
fn checker_row(checker: &Value, check: &Value) -> Row {
    let word = match checker["healthy"].as_bool() {
        Some(true) => "says healthy",
        Some(false) => "says unhealthy",
        None => "has not judged",
    };
    let told = !checker["last"].is_object();
    let reason = if told { &checker["reason"] } else { &checker["last"]["reason"] };
    let cells = [
        Cell(format!("  {}", text(&checker["checker"])), QUIET),
        Cell(String::new(), QUIET),
        Cell(word.into(), QUIET),
        Cell(if told { time(&checker["at"]) } else { String::new() }, QUIET),
        Cell(streak(checker, check["failure_threshold"].as_u64()), QUIET),
        Cell(latency(&checker["last"]), QUIET),
        Cell(short(&checker["next_probe"]), QUIET),
        Cell(printable(&brief(reason.as_str().unwrap_or_default())), QUIET),
    ];
    Row { cells, below: String::new() }
}

fn verdict(check: &Value) -> Cell {
    let forced = check["forced"].is_object();
    let stale = check["stale"] == true;
    let style = match (forced || stale, check["healthy"] == true) {
        (true, _) => FORCED,
        (false, true) => GOOD,
        (false, false) => BAD,
    };
    let mark = match (forced, stale) {
        (true, _) => ", forced",
        (false, true) => ", stale",
        (false, false) => "",
    };
    Cell(format!("{}{mark}", word(check)), style)
}

/// What a verdict rests on.
fn because(check: &Value) -> String {
    let forced = &check["forced"];
    if forced.is_object() {
        let until = forced["until"].as_str().map_or(String::new(), |_| format!(" until {}", time(&forced["until"])));
        return match forced["reason"].as_str() {
            Some("") | None => format!("forced{until}"),
            Some(reason) => format!("forced{until}: {}", printable(reason)),
        };
    }
    if check["disabled"] == true {
        return text(&check["rests_on"]);
    }
    if check["stale"] == true {
        return format!("stale since {}: no checker knows the state any more", time(&check["stale_since"]));
    }
    match (check["last"]["reason"].as_str(), check["metric"].as_str(), check["switch"].as_bool()) {
        (Some(reason), Some(alarm), _) => format!("{}: {}", state(alarm), printable(reason)),
        (Some(reason), None, _) => printable(reason),
        (None, Some(alarm), _) => format!("the alarm is {}", state(alarm)),
        (None, None, Some(on)) => format!("switched {}", if on { "on" } else { "off" }),
        (None, None, None) => text(&check["rests_on"]),
    }
}

/// The state of an alarm in CloudWatch's words.
fn state(alarm: &str) -> String {
    printable(alarm).to_uppercase().replace('-', "_")
}

/// `2 of 3 failed` on the way to the threshold, `57 ok` when there is no way to go.
fn streak(of: &Value, threshold: Option<u64>) -> String {
    let (Some(streak), Some(healthy)) =
        (of["streak"].as_u64().filter(|&streak| streak > 0), of["last"]["healthy"].as_bool())
    else {
        return "-".to_string();
    };
    let word = if healthy { "ok" } else { "failed" };
    match threshold {
        Some(threshold) if streak < threshold => format!("{streak} of {threshold} {word}"),
        _ => format!("{streak} {word}"),
    }
}

/// A name, and which of its records are chosen among.
fn answers(name: &Value) -> String {
    let list = |key: &str| items(&name[key]).iter().map(text).collect::<Vec<_>>().join(", ");
    let out = list("out");
    let all = if name["nobody_healthy"] == true { " (nobody is healthy)" } else { "" };
    match out.is_empty() || !all.is_empty() {
        true => format!("{}: {}{all}", text(&name["name"]), list("candidates")),
        false => format!("{}: {}, not {out}", text(&name["name"]), list("candidates")),
    }
}

fn heading(checker: &Value) -> String {
    let source = items(&checker["source"]).iter().map(text).collect::<Vec<_>>().join(" and ");
    let source = if source.is_empty() { String::new() } else { format!(" from {source}") };
    let says = match checker["healthy"].as_bool() {
        Some(true) => "says healthy",
        Some(false) => "says unhealthy",
        None => "has not judged yet",
    };
    format!("{}{source} {says}, asks next {}", text(&checker["checker"]), time(&checker["next_probe"]))
}

fn history(history: &Value, out: &mut String) {
    for past in items(history) {
        let _ = writeln!(out, "  {}  {:>9}  {}", time(&past["at"]), latency(past), text(&past["reason"]));
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().map_or("-".to_string(), printable)
}

/// What the server says of others is shown, not obeyed, by a terminal.
fn printable(text: &str) -> String {
    fingerpost::printable::printable(text).into_owned()
}

fn word(check: &Value) -> &'static str {
    if check["healthy"] == true { "healthy" } else { "unhealthy" }
}

fn latency(past: &Value) -> String {
    past["total_ms"].as_f64().map_or("-".to_string(), |millis| format!("{millis:.1} ms"))
}

fn time(value: &Value) -> String {
    text(value).replace('T', " ").replace('Z', "")
}

/// The time of day: what comes next comes soon.
fn short(value: &Value) -> String {
    let time = time(value);
    time.split_once(' ').map_or(time.clone(), |(_, of_day)| of_day.to_string())
}

fn columns(head: &[&'static str; 8], rows: &[Row], widths: &[usize; 8], room: usize, out: &mut String) {
    write_cells(&mut head.iter().map(|head| (*head, QUIET)), widths, out);
    for Row { cells, below } in rows {
        write_cells(&mut cells.iter().map(|Cell(cell, style)| (cell.as_str(), *style)), widths, out);
        if !below.is_empty() {
            let below = cut(&format!("  answers {}", printable(below)), room);
            let _ = writeln!(out, "{QUIET}{below}{QUIET:#}");
        }
    }
}

fn write_cells(cells: &mut dyn Iterator<Item = (&str, Style)>, widths: &[usize; 8], out: &mut String) {
    let mut line = String::new();
    let mut padding = String::new();
    for ((cell, style), &width) in cells.zip(widths).filter(|(_, width)| **width > 0) {
        let cell = cut(&printable(cell), width);
        line.push_str(&padding);
        // Nothing is coloured that is not there, so that lines end where their text does.
        if cell.is_empty() {
            padding = format!("{:1$}", "", width + GAP);
        } else {
            padding = format!("{:1$}", "", (width + GAP).saturating_sub(width_of(&cell)));
            let _ = write!(line, "{style}{cell}{style:#}");
        }
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Without its colours.
    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn the_list_is_a_table() {
        let all = json!({ "now": "2026-11-21T04:00:00Z", "health_checks": [
            { "id": "blue", "name": "Orders", "healthy": true, "since": null, "streak": 2, "failure_threshold": 3,
              "last": { "healthy": false, "reason": "Failure: HTTP Status Code: 503. Resolved IP: 192.0.2.1. \u{1b}[2J", "total_ms": 1.25 },
              "next_probe": "2026-11-21T04:00:07Z",
              "answers": [{ "name": "a. A", "candidates": ["blue"], "out": ["green"] }], "names_count": 9 },
            { "id": "green", "healthy": false, "since": "2026-11-21T03:59:00Z", "rests_on": "forced",
              "forced": { "reason": "works", "until": null }, "answers": [], "names_count": 0 },
            { "id": "many", "healthy": true, "since": null, "streak": 9, "failure_threshold": 3, "next_probe": "now",
              "last": { "healthy": true, "reason": "Success: HTTP Status Code: 200. Resolved IP: ::1. OK", "total_ms": 2.0 }, "names_count": 0,
              "checkers": [
                { "checker": "paris", "healthy": true, "streak": 9, "next_probe": "now",
                  "last": { "healthy": true, "reason": "Success: HTTP Status Code: 200. Resolved IP: ::1. OK", "total_ms": 2.0 } },
                { "checker": "tokyo", "healthy": null, "streak": 0, "last": null, "next_probe": null } ] },
        ] });
        let expected = "\
3 health checks: 2 healthy, 1 unhealthy, 1 forced; 2026-11-21 04:00:00
CHECK    ID    VERDICT            SINCE                STREAK         LATENCY  NEXT      WHY
green          unhealthy, forced  2026-11-21 03:59:00  -              -        -         forced: works
Orders   blue  healthy            -                    2 of 3 failed  1.2 ms   04:00:07  503 \\u{1b}[2J
  answers a. A: blue, not green and 8 more
many           healthy            -                    9 ok           2.0 ms   now       200 OK
  paris        says healthy                            9 ok           2.0 ms   now       200 OK
  tokyo        has not judged     -                    -              -        -
";
        assert_eq!(plain(&list(&all, None)), expected);
        assert_eq!(sentence(&all["health_checks"][1]), "green is unhealthy, forced until it is set to auto");
    }

    #[test]
    fn results_lose_the_words_that_all_begin_with() {
        for (reason, told) in [
            ("Success: HTTP Status Code: 200. Resolved IP: 192.0.2.2. OK", "200 OK"),
            ("Failure: HTTP Status Code: 503. Resolved IP: ::1. Service Unavailable", "503 Service Unavailable"),
            ("Success: Resolved IP: 192.0.2.2. The connection was established.", "The connection was established."),
            (
                "Failure: The endpoint refused the connection. Resolved IP: 192.0.2.2.",
                "The endpoint refused the connection.",
            ),
            ("Failure: DNS resolution failed: No such name.", "DNS resolution failed: No such name."),
            (
                "Failure: The health checker could not establish a connection within the timeout limit.",
                "no connection within the timeout limit.",
            ),
            (
                "ALARM: no value: The health checker could not establish a connection: it was refused.",
                "ALARM: no value: no connection: it was refused.",
            ),
            ("OK: 1.5", "OK: 1.5"),
            ("Success: ", ""),
        ] {
            assert_eq!(brief(reason), told);
        }
    }

    #[test]
    fn the_list_fits_the_terminal() {
        let check = |id: &str, name: &str, healthy: bool| {
            json!({ "id": id, "name": name, "healthy": healthy, "since": "2026-11-21T03:59:00Z", "streak": 3,
                    "failure_threshold": 3, "next_probe": "2026-11-21T04:00:07Z",
                    "last": { "healthy": healthy, "total_ms": 1.5,
                              "reason": "Failure: HTTP Status Code: 503. Resolved IP: 192.0.2.1. Service Unavailable" },
                    "answers": [{ "name": "www.example.com. A", "candidates": ["blue"], "out": ["green"] }],
                    "names_count": 1 })
        };
        let all = json!({ "now": "2026-11-21T04:00:00Z", "health_checks": [
            check("1a2b3c4d-1111-2222-3333-444455556666", "Orders in Dublin", true),
            check("9a2b3c4d-1111-2222-3333-444455556666", "Orders in Tokyo", false),
        ] });
        let expected = "\
2 health checks: 1 healthy, 1 unhealthy; 2026-11-21 04:00:00
CHECK             VERDICT    SINCE     STREAK    WHY
Orders in Tokyo   unhealthy  03:59:00  3 failed  503 Service Unavailable
  answers www.example.com. A: blue, not green
Orders in Dublin  healthy    03:59:00  3 ok      503 Service Unavailable
  answers www.example.com. A: blue, not green
";
        assert_eq!(plain(&list(&all, Some(80))), expected);
        for width in 1..200 {
            let shown = plain(&list(&all, Some(width)));
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{width}: {shown}");
        }
    }

    #[test]
    fn wide_names_fit_the_terminal() {
        let check = json!({ "id": "1a2b3c4d", "name": "注文とおすすめの健康診断", "healthy": true, "since": null,
                            "last": { "healthy": true, "reason": "OK: 注文" }, "answers": [], "names_count": 0 });
        let all = json!({ "now": "2026-11-21T04:00:00Z", "health_checks": [check] });
        for width in 1..100 {
            let shown = plain(&list(&all, Some(width)));
            assert!(shown.lines().all(|line| width_of(line) <= width), "{width}: {shown}");
        }
    }

    #[test]
    fn what_is_stale_says_since_when() {
        let check = json!({ "id": "blue", "type": "HTTP", "asks": "http://127.0.0.1:80/", "healthy": false,
            "since": "2026-11-21T03:59:00Z", "stale": true, "stale_since": "2026-11-21T04:00:50Z", "streak": 1,
            "failure_threshold": 3, "last": { "healthy": true, "reason": "Success: fine", "total_ms": 1.0 },
            "next_probe": null, "answers": [], "names_count": 0 });
        let all = json!({ "now": "2026-11-21T04:02:00Z", "probes": false, "health_checks": [check] });
        let expected = "\
1 health check: 0 healthy, 1 unhealthy, 1 stale; this server does not probe; 2026-11-21 04:02:00
CHECK  VERDICT           SINCE                STREAK     LATENCY  NEXT  WHY
blue   unhealthy, stale  2026-11-21 03:59:00  1 of 3 ok  1.0 ms   -     stale since 2026-11-21 04:00:50: no checker knows the state any more
";
        assert_eq!(plain(&list(&all, None)), expected);
        assert_eq!(sentence(&check), "blue is unhealthy, stale since 2026-11-21T04:00:50Z");
        assert!(plain(&one(&check)).contains("\nstale     since 2026-11-21 04:00:50\n"), "{}", one(&check));
    }

    #[test]
    fn one_check_tells_all() {
        let check = json!({ "id": "blue", "type": "HTTP", "asks": "http://127.0.0.1:80/", "healthy": false,
            "since": "2026-11-21T03:59:00Z", "rests_on": "reported", "inverted": false, "disabled": false,
            "votes": { "healthy": 0, "of": 2 }, "next_probe": "2026-11-21T04:00:07Z", "request_interval": 10,
            "failure_threshold": 3, "last": { "healthy": false, "reason": "Failure: no", "total_ms": 1.0 },
            "answers": [{ "name": "a. A", "candidates": ["blue", "green"], "out": ["blue", "green"],
                          "nobody_healthy": true }], "names_count": 1,
            "other_checkers": [{ "checker": "paris", "healthy": false, "at": "2026-11-21T03:59:50Z",
                                 "until": "2026-11-21T04:00:50Z", "reason": "timed out" }],
            "checkers": [{ "checker": "local" }],
            "history": [{ "at": "2026-11-21T03:59:57Z", "healthy": false, "reason": "Failure: no", "total_ms": 1.0 }] });
        let expected = "\
check     blue  HTTP
asks      http://127.0.0.1:80/
verdict   unhealthy since 2026-11-21 03:59:00: Failure: no
checkers  0 of 2 say healthy
next      2026-11-21 04:00:07, every 10 s; 3 in a row turn it
answers   a. A: blue, green (nobody is healthy)
told by   paris unhealthy at 2026-11-21 03:59:50, counts until 2026-11-21 04:00:50: timed out

  2026-11-21 03:59:57     1.0 ms  Failure: no
";
        assert_eq!(plain(&one(&check)), expected);
    }
}
