//! What was counted, as Prometheus reads it (text format 0.0.4).

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Admin, Reply};
use crate::control::{Histogram, LATENCY_BOUNDS};
use crate::geo::Geography;
use crate::health::verdicts::Reason;
use crate::io::clock;
use crate::io::doors::Doors;
use crate::io::log;
use crate::io::report::Line;
use crate::respond::counters::{Counter, Counters, NAMES, TRANSPORTS};

pub fn reply(admin: &Admin) -> Reply {
    let body = text(admin).into();
    Reply { content_type: "text/plain; version=0.0.4", body, ..Reply::json(&serde_json::Value::Null) }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        let mut so_far = 0;
        for (at, count) in histogram.buckets.iter().enumerate() {
            so_far += count;
            let bound =
                LATENCY_BOUNDS.get(at).map_or("+Inf".to_string(), |&bound| (f64::from(bound) / 1e6).to_string());
            self.line(&format!("{name}_bucket"), &format!("le=\"{bound}\""), so_far);
        }
        self.line(&format!("{name}_sum"), "", histogram.sum as f64 / 1e6);
        self.line(&format!("{name}_count"), "", so_far);
    }
}

fn text(admin: &Admin) -> String {
    let mut text = Text(String::new());
    let workers = &admin.counters;
    let sum = |of: &dyn Fn(&Counters) -> u64| workers.iter().map(|counters| of(counters)).sum::<u64>();

    text.head("fingerpost_queries_total", "counter", "Messages received, by transport.");
    for counter in TRANSPORTS {
        let labels = format!("transport=\"{}\"", NAMES[counter as usize]);
        text.line("fingerpost_queries_total", &labels, sum(&|counters| counters.get(counter)));
    }
    let silent = sum(&|counters| counters.get(Counter::Silent));
    text.one("fingerpost_unanswered_total", "counter", "Messages that got no reply.", silent);
    let truncated = sum(&|counters| counters.get(Counter::Truncated));
    text.one("fingerpost_truncated_total", "counter", "Replies that were cut.", truncated);
    text.head("fingerpost_rate_limited_total", "counter", "Replies over the rate limit, by what was done.");
    for (action, counter) in [
        ("dropped", Counter::LimitDropped),
        ("slipped", Counter::LimitSlipped),
        ("leaked", Counter::LimitLeaked),
        ("dry-run", Counter::LimitDryRun),
    ] {
        let labels = format!("action=\"{action}\"");
        text.line("fingerpost_rate_limited_total", &labels, sum(&|counters| counters.get(counter)));
    }
    text.head("fingerpost_denied_total", "counter", "Messages and connections kept out by access, by what was done.");
    for (action, count) in [
        ("refused", sum(&|counters| counters.get(Counter::DeniedRefused))),
        ("dropped", sum(&|counters| counters.get(Counter::DeniedDropped))),
        ("closed", admin.served.turned_away()),
    ] {
        text.line("fingerpost_denied_total", &format!("action=\"{action}\""), count);
    }
    text.head("fingerpost_replies_total", "counter", "Replies, by response code.");
    for (at, (rcode, _)) in Counters::default().rcodes().enumerate() {
        let count = sum(&|counters| counters.rcodes().nth(at).map_or(0, |(_, count)| count));
        // Codes that never come would only be in the way.
        if count > 0 {
            text.line("fingerpost_replies_total", &format!("rcode=\"{rcode}\""), count);
        }
    }
    text.head("fingerpost_answers_total", "counter", "Answers, by the policy that chose and from whom it chose.");
    for (at, (policy, reason, _)) in Counters::default().policies().enumerate() {
        let count = sum(&|counters| counters.policies().nth(at).map_or(0, |(.., count)| count));
        if count > 0 {
            let labels = format!("policy=\"{policy}\",reason=\"{reason}\"");
            text.line("fingerpost_answers_total", &labels, count);
        }
    }

    let loads = &admin.loads;
    let get = |value: &AtomicU64| value.load(Ordering::Relaxed);
    text.one("fingerpost_zones", "gauge", "Zones served.", get(&loads.zones));
    text.one("fingerpost_records", "gauge", "Records served.", get(&loads.records));
    text.one("fingerpost_zones_failed", "gauge", "Zones whose file has errors.", get(&loads.failed));
    text.one("fingerpost_reloads_total", "counter", "Reloads.", get(&loads.reloads));
    let help = "Log lines that were lost, because the log was not read or not writable.";
    text.one("fingerpost_log_lines_dropped_total", "counter", help, log::dropped());
    text.one("fingerpost_reloads_failed_total", "counter", "Reloads that failed.", get(&loads.reloads_failed));
    geography(&admin.served.load().geography, &mut text);
    let result = |result| format!("result=\"{result}\"");
    text.head("fingerpost_proxy_headers_total", "counter", "PROXY headers of connections and datagrams, by result.");
    text.line("fingerpost_proxy_headers_total", &result("accepted"), get(&admin.proxies.accepted));
    text.line("fingerpost_proxy_headers_total", &result("refused"), get(&admin.proxies.refused));
    if let Some(open) = &admin.doors {
        doors(open, &mut text);
    }
    health(admin, &mut text);
    let lines = admin.health.reports().lines();
    if !lines.is_empty() {
        reports(&lines, &mut text);
    }
    text.0
}

fn geography(geography: &Geography, text: &mut Text) {
    let origin = format!("origin=\"{}\"", escaped(geography.origin()));
    text.head("fingerpost_geography_info", "gauge", "The folder of the geography that is served, or built in.");
    text.line("fingerpost_geography_info", &origin, 1);
    let (networks, databases) = (geography.networks() as u64, geography.databases().len() as u64);
    text.one("fingerpost_geography_networks", "gauge", "Ranges of addresses whose place is known.", networks);
    text.one("fingerpost_geography_databases", "gauge", "Databases of the geography.", databases);
    if let Some((oldest, newest)) = geography.built() {
        let now = clock::unix_millis() / 1000;
        text.head("fingerpost_geography_age_seconds", "gauge", "Time since the databases were made.");
        for (database, built) in [("oldest", oldest), ("newest", newest)] {
            let labels = format!("database=\"{database}\"");
            text.line("fingerpost_geography_age_seconds", &labels, now.saturating_sub(built));
        }
    }
}

/// The value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn reports(lines: &[Arc<Line>], text: &mut Text) {
    let get = |value: &AtomicU64| value.load(Ordering::Relaxed);
    let label = |line: &Line, rest: &str| format!("receiver=\"{}\"{rest}", escaped(&line.to.name));
    text.head("fingerpost_reports_total", "counter", "Requests that told others of observations, by result.");
    for line in lines {
        let failed = get(&line.counts.requests_failed);
        let done = get(&line.counts.requests).saturating_sub(failed);
        text.line("fingerpost_reports_total", &label(line, ",result=\"done\""), done);
        text.line("fingerpost_reports_total", &label(line, ",result=\"failed\""), failed);
    }
    text.head("fingerpost_reported_observations_total", "counter", "Observations that others were told, by result.");
    for line in lines {
        let (accepted, refused) = (get(&line.counts.accepted), get(&line.counts.refused));
        text.line("fingerpost_reported_observations_total", &label(line, ",result=\"accepted\""), accepted);
        text.line("fingerpost_reported_observations_total", &label(line, ",result=\"refused\""), refused);
    }
    text.head("fingerpost_reports_waiting", "gauge", "Observations that others are still to be told.");
    for line in lines {
        text.line("fingerpost_reports_waiting", &label(line, ""), line.waiting());
    }
}

fn doors(doors: &Doors, text: &mut Text) {
    text.head("fingerpost_handshakes_total", "counter", "Handshakes of encrypted connections, by how they ended.");
    for (transport, result, count) in doors.counts.handshakes() {
        let labels = format!("transport=\"{transport}\",result=\"{result}\"");
        text.line("fingerpost_handshakes_total", &labels, count);
    }
    let (open, closed_for_room) = doors.connections();
    let (refused, violations) = doors.counts.turned_away();
    text.one("fingerpost_encrypted_connections", "gauge", "Encrypted connections that are open.", open as u64);
    text.head("fingerpost_encrypted_connections_closed_total", "counter", "Connections turned away, by why.");
    for (why, count) in [("room", closed_for_room), ("handshakes", refused), ("protocol", violations)] {
        text.line("fingerpost_encrypted_connections_closed_total", &format!("why=\"{why}\""), count);
    }
    let swaps = [("done", &doors.certificate.swaps), ("failed", &doors.certificate.swaps_failed)];
    text.head("fingerpost_certificate_swaps_total", "counter", "Changes of the certificate, by result.");
    for (result, count) in swaps {
        text.line("fingerpost_certificate_swaps_total", &format!("result=\"{result}\""), count.load(Ordering::Relaxed));
    }
}

fn health(admin: &Admin, text: &mut Text) {
    let (counts, healthy, unhealthy, forced, stale, under_way) = admin.health.look(|control| {
        let verdicts = || control.verdicts().iter().map(|(_, verdict)| verdict);
        (
            control.counts().clone(),
            verdicts().filter(|verdict| verdict.healthy).count(),
            verdicts().filter(|verdict| !verdict.healthy).count(),
            verdicts().filter(|verdict| verdict.forced).count(),
            verdicts().filter(|verdict| matches!(verdict.reason, Reason::Stale { .. })).count(),
            control.under_way(),
        )
    });
    text.head("fingerpost_health_checks", "gauge", "Health checks, by verdict.");
    text.line("fingerpost_health_checks", "verdict=\"healthy\"", healthy);
    text.line("fingerpost_health_checks", "verdict=\"unhealthy\"", unhealthy);
    text.one("fingerpost_health_checks_forced", "gauge", "Health checks whose verdict is forced.", forced as u64);
    let help = "Health checks whose state no checker knows any more.";
    text.one("fingerpost_health_checks_stale", "gauge", help, stale as u64);
    text.one("fingerpost_probes_under_way", "gauge", "Probes that have no result yet.", under_way as u64);
    text.head("fingerpost_probes_total", "counter", "Probes, by result.");
    text.line("fingerpost_probes_total", "result=\"healthy\"", counts.probes_healthy);
    text.line("fingerpost_probes_total", "result=\"unhealthy\"", counts.probes_unhealthy);
    let (stalls, lost) = admin.health.stalls();
    text.one("fingerpost_probe_stalls_total", "counter", "Times that the machine did not let probes run.", stalls);
    let help = "How long it did not; limits of probes do not count this time.";
    text.head("fingerpost_probe_stalled_seconds_total", "counter", help);
    text.line("fingerpost_probe_stalled_seconds_total", "", lost.as_secs_f64());
    text.head("fingerpost_metric_queries_total", "counter", "Questions for metrics, by result.");
    text.line("fingerpost_metric_queries_total", "result=\"value\"", counts.readings);
    text.line("fingerpost_metric_queries_total", "result=\"missing\"", counts.readings_missing);
    text.one("fingerpost_health_flips_total", "counter", "Verdicts that turned.", counts.turns);
    text.histogram("fingerpost_probe_seconds", "How long probes took.", &counts.latency);
    text.histogram("fingerpost_probe_late_seconds", "How long after they were due probes began.", &counts.late);
}
