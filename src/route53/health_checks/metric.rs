//! Checks that follow an alarm: CloudWatch's, whose state somebody tells, or one of our own over a Prometheus query.
//!
//! The keys of our own are those of `aws cloudwatch put-metric-alarm`, in snake case:
//!
//! | key                   | says                                                                             |
//! |-----------------------|----------------------------------------------------------------------------------|
//! | `prometheus_url`      | where Prometheus is: `http://127.0.0.1:9090`, a path before `/api/v1` included    |
//! | `query`               | PromQL that gives one value                                                      |
//! | `comparison_operator` | the alarm is on while the value compares so with `threshold`                     |
//! | `threshold`           | a number                                                                         |
//! | `period`              | seconds from one question to the next; 60                                        |
//! | `evaluation_periods`  | so many values in a row must be bad; 1                                           |
//! | `treat_missing_data`  | `missing`, `ignore`, `breaching` or `notBreaching`; `missing`                    |

use http::Uri;

use super::{INTERVAL_LAB_MAX, Spelling};
use crate::health::alarm::EVALUATION_PERIODS_MAX;
use crate::model::fields::BadField;
use crate::model::health_check::{Comparison, Follows, InsufficientData, Kind, Metric, MetricQuery, MissingData};
use crate::problem::nearest;
use crate::route53::tree::{Reader, Span, Table};

/// CloudWatch's period where nobody says another.
const PERIOD: u32 = 60;

/// The keys of a query; ours, so only in TOML.
pub const KEYS: [&str; 7] = [
    "prometheus_url",
    "query",
    "comparison_operator",
    "threshold",
    "period",
    "evaluation_periods",
    "treat_missing_data",
];

const COMPARISONS: [(&str, Comparison); 4] = [
    ("GreaterThanThreshold", Comparison::Greater),
    ("GreaterThanOrEqualToThreshold", Comparison::GreaterOrEqual),
    ("LessThanThreshold", Comparison::Less),
    ("LessThanOrEqualToThreshold", Comparison::LessOrEqual),
];

const MISSING: [(&str, MissingData); 4] = [
    ("missing", MissingData::Missing),
    ("ignore", MissingData::Ignore),
    ("breaching", MissingData::Breaching),
    ("notBreaching", MissingData::NotBreaching),
];

const INSUFFICIENT: [(&str, InsufficientData); 3] = [
    ("Healthy", InsufficientData::Healthy),
    ("Unhealthy", InsufficientData::Unhealthy),
    ("LastKnownStatus", InsufficientData::LastKnownStatus),
];

pub(super) fn metric(reader: &mut Reader, table: Table, span: Span, spelling: &Spelling) -> Option<Kind> {
    let asks = KEYS.iter().find_map(|key| table.get(key));
    let follows = match (asks, table.get(spelling.alarm)) {
        (Some(node), Some(_)) => {
            let what = format!("{} stands beside a query", spelling.alarm);
            reader.error(node, what, "a check follows one of the two", "take the other away");
            None
        }
        (Some(_), None) => query(reader, table).map(Follows::Query),
        (None, Some(_)) => alarm(reader, table, spelling),
        (None, None) => {
            let remedy = format!(
                "add {} with {} and {}, or prometheus_url and query",
                spelling.alarm, spelling.alarm_region, spelling.alarm_name
            );
            reader.error(span, "the health check follows no alarm", "", remedy);
            None
        }
    };
    let insufficient_data = word(reader, table, spelling.insufficient_data, &INSUFFICIENT);
    let insufficient_data = insufficient_data.unwrap_or(Some(InsufficientData::LastKnownStatus));
    Some(Kind::Metric(Metric { follows: follows?, insufficient_data: insufficient_data? }))
}

fn alarm(reader: &mut Reader, table: Table, spelling: &Spelling) -> Option<Follows> {
    let alarm = table.table(reader, spelling.alarm)?;
    alarm.only(reader, spelling.alarm, &[spelling.alarm_region, spelling.alarm_name]);
    let region = alarm.required(reader, "the alarm", spelling.alarm_region, "eu-west-1");
    let name = alarm.required(reader, "the alarm", spelling.alarm_name, "orders-failing");
    Some(Follows::Alarm { region: region?.to_string(), name: name?.to_string() })
}

fn query(reader: &mut Reader, table: Table) -> Option<MetricQuery> {
    let what = "the health check";
    let url = table.required(reader, what, "prometheus_url", "http://127.0.0.1:9090");
    let url = url.and_then(|url| address(reader, table, url));
    let query = table.required(reader, what, "query", "sum(rate(errors_total[5m]))");
    let comparison = table.required(reader, what, "comparison_operator", COMPARISONS[0].0);
    let comparison = comparison.and_then(|_| word(reader, table, "comparison_operator", &COMPARISONS)?);
    if table.get("threshold").is_none() {
        reader.error(table.span, "the health check has no threshold", "", "add threshold, as 5");
    }
    let threshold = table.number(reader, "threshold", |text| {
        match text.replace('_', "").parse::<f64>().ok().filter(|one| one.is_finite()) {
            Some(number) => Ok(number),
            None => Err(BadField::new(format!("{text} is not a number to compare with"), "write one, as 5 or 0.01")),
        }
    });
    let period = table.within(reader, "period", 1, INTERVAL_LAB_MAX, "").unwrap_or(PERIOD);
    let periods = table.within(reader, "evaluation_periods", 1, EVALUATION_PERIODS_MAX, "").unwrap_or(1);
    let missing = word(reader, table, "treat_missing_data", &MISSING).unwrap_or(Some(MissingData::Missing));
    Some(MetricQuery {
        url: url?,
        query: query?.to_string(),
        comparison: comparison?,
        threshold: threshold?,
        period,
        evaluation_periods: periods,
        missing: missing?,
    })
}

/// Where Prometheus is, without a slash at the end.
fn address(reader: &mut Reader, table: Table, url: &str) -> Option<String> {
    let uri = url.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(|uri| uri.scheme_str());
    let authority = uri.as_ref().and_then(|uri| uri.authority()).map_or("", |authority| authority.as_str());
    let why = match (scheme, authority) {
        (Some("http" | "https"), "") => "it names no host",
        (Some("http" | "https"), name) if name.contains('@') => "a password has no place in it",
        (Some("http" | "https"), _) if url.contains('?') => "the query has a key of its own",
        (Some("http" | "https"), _) => return Some(url.trim_end_matches('/').to_string()),
        _ => "it begins with neither http:// nor https://",
    };
    if let Some(node) = table.get("prometheus_url") {
        let what = format!("{url:?} does not lead to Prometheus");
        reader.error(node, what, why, "write it as http://127.0.0.1:9090");
    }
    None
}

/// The meaning of a key's word; none where the key is not there, or none within where it is none of these.
fn word<T: Copy>(reader: &mut Reader, table: Table, key: &str, words: &[(&str, T)]) -> Option<Option<T>> {
    let node = table.get(key)?;
    let Some(text) = table.text(reader, key) else { return Some(None) };
    let meant = words.iter().find(|(word, _)| *word == text).map(|(_, meant)| *meant);
    if meant.is_none() {
        let remedy = match nearest(text, words.iter().map(|(word, _)| *word)) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("write {}", words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ")),
        };
        reader.error(node, format!("{text:?} is no {key}"), "", remedy);
    }
    Some(meant)
}
