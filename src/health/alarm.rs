//! An alarm that follows a Prometheus query: values in, its state out (`route53.md` 3.5).
//!
//! The alarm looks at the latest `evaluation_periods` readings, as CloudWatch does with every one of them to count
//! (no M out of N):
//!
//! | of the readings looked at                                    | the alarm is      |
//! |--------------------------------------------------------------|-------------------|
//! | one is on the good side of the threshold                     | ok                |
//! | all are on the bad side                                      | an alarm          |
//! | some are, the others are missing, which counts as `missing`  | an alarm          |
//! | all are missing, which counts as `missing`                   | insufficient data |
//! | none is good, some are missing, which counts as `ignore`     | as it was         |
//! | none is good, and there were fewer readings since the start  | as it was         |
//!
//! A missing reading may count as bad or as good, too (`breaching`, `notBreaching`).

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::finding::Failure;
use crate::model::health_check::{MetricQuery, MissingData};
use crate::moment::Moment;

/// Readings kept of each alarm, to be shown; ours.
pub const READINGS_MAX: usize = 16;

/// Route 53 shows alarms of so many periods; ours, so that an alarm stays small.
pub const EVALUATION_PERIODS_MAX: u32 = 100;

/// How an alarm stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricState {
    Ok,
    Alarm,
    InsufficientData,
}

impl MetricState {
    pub fn word(self) -> &'static str {
        match self {
            MetricState::Ok => "ok",
            MetricState::Alarm => "alarm",
            MetricState::InsufficientData => "insufficient-data",
        }
    }
}

/// In CloudWatch's words.
impl fmt::Display for MetricState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MetricState::Ok => "OK",
            MetricState::Alarm => "ALARM",
            MetricState::InsufficientData => "INSUFFICIENT_DATA",
        })
    }
}

/// What came of asking for the value once.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    Value(f64),
    Missing(NoReading),
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReading {
    /// There was no HTTP answer.
    Failed(Failure),
    TimedOut,
    Status(u16),
    TooLong,
    NotJson,
    /// JSON, but not Prometheus's.
    NotPrometheus,
    /// Prometheus says what is wrong with the query.
    Refused(Box<str>),
    NoSeries,
    Series(usize),
    NotANumber,
    /// The query gives a result of this type.
    Type(Box<str>),
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = match self {
            Reading::Value(value) => return write!(f, "the value is {value}"),
            Reading::Missing(missing) => missing,
        };
        f.write_str("no value: ")?;
        match missing {
            NoReading::Failed(failure) => write!(f, "{}", failure.to_string().trim_end_matches('.')),
            NoReading::TimedOut => f.write_str("Prometheus did not answer within the timeout limit"),
            NoReading::Status(status) => write!(f, "Prometheus answered with HTTP status code {status}"),
            NoReading::TooLong => f.write_str("the answer is longer than is read; let the query give one series"),
            NoReading::NotJson => f.write_str("the answer is not JSON; does prometheus_url lead to Prometheus?"),
            NoReading::NotPrometheus => f.write_str("the answer is not what Prometheus's /api/v1/query gives"),
            NoReading::Refused(error) => write!(f, "Prometheus says: {error}"),
            NoReading::NoSeries => f.write_str("the query gives no series"),
            NoReading::Series(count) => {
                write!(f, "the query gives {count} series, and one is wanted, as sum(…) gives")
            }
            NoReading::NotANumber => f.write_str("the value is NaN"),
            NoReading::Type(word) => write!(f, "the query gives a {word}, and one value is wanted"),
        }
    }
}

/// A reading and when it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub at: Moment,
    pub reading: Reading,
    /// On the bad side; none where there is no value.
    pub breached: Option<bool>,
    /// How long it took, in microseconds.
    pub took: u32,
}

/// What is known of one alarm.
#[derive(Clone, Debug, Default)]
pub struct Alarm {
    /// The latest readings that the alarm looks at, missing ones as they count.
    looked_at: VecDeque<Option<bool>>,
    history: VecDeque<Read>,
}

impl Alarm {
    /// Takes a reading. Returns how the alarm stands now; none: as it stood.
    pub fn observe(&mut self, reading: Reading, took: u32, query: &MetricQuery, now: Moment) -> Option<MetricState> {
        let breached = match reading {
            Reading::Value(value) => Some(query.comparison.is_breached(value, query.threshold)),
            Reading::Missing(_) => None,
        };
        if self.history.len() == READINGS_MAX {
            self.history.pop_front();
        }
        self.history.push_back(Read { at: now, reading, breached, took });
        let periods = query.evaluation_periods.max(1) as usize;
        while self.looked_at.len() >= periods {
            self.looked_at.pop_front();
        }
        self.looked_at.push_back(breached.or(match query.missing {
            MissingData::Missing | MissingData::Ignore => None,
            MissingData::Breaching => Some(true),
            MissingData::NotBreaching => Some(false),
        }));
        let good = self.looked_at.contains(&Some(false));
        let bad = self.looked_at.contains(&Some(true));
        let missing = self.looked_at.contains(&None);
        match (good, bad) {
            (true, _) => Some(MetricState::Ok),
            _ if self.looked_at.len() < periods => None,
            _ if missing && query.missing == MissingData::Ignore => None,
            (false, true) => Some(MetricState::Alarm),
            (false, false) => Some(MetricState::InsufficientData),
        }
    }

    /// Oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Read> {
        self.history.iter()
    }

    pub fn last(&self) -> Option<&Read> {
        self.history.back()
    }

    /// How many of the latest readings were on the bad side.
    pub fn streak(&self) -> usize {
        self.looked_at.iter().rev().take_while(|breached| **breached == Some(true)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::health_check::Comparison;

    fn query(evaluation_periods: u32, missing: MissingData) -> MetricQuery {
        MetricQuery {
            url: "http://127.0.0.1:9090".into(),
            query: "up".into(),
            comparison: Comparison::Greater,
            threshold: 5.0,
            period: 60,
            evaluation_periods,
            missing,
        }
    }

    #[test]
    fn rule_3_5_readings_make_an_alarm() {
        // Readings as they come: `0` good, `X` bad, `-` missing; after each the alarm: `o`k, `A`larm, `i`nsufficient
        // data, `.` as it was.
        use MissingData::{Breaching, Ignore, Missing, NotBreaching};
        for (periods, missing, readings, expected) in [
            (1, Missing, "0X-0", "oAio"),
            (1, Ignore, "0X-0", "oA.o"),
            (1, Breaching, "0X-0", "oAAo"),
            (1, NotBreaching, "0X-0", "oAoo"),
            (3, Missing, "XXX0XXX", "..AoooA"),
            (3, Missing, "XX---X-", "..AAiAA"),
            (3, Ignore, "XX---XXX", ".......A"),
            (3, Breaching, "X--0---", "..AoooA"),
            (3, NotBreaching, "X--XXX", ".ooooA"),
            (2, Missing, "-", "."),
        ] {
            let query = query(periods, missing);
            let mut alarm = Alarm::default();
            let mut came_to = String::new();
            for (at, reading) in (0..).zip(readings.chars()) {
                let reading = match reading {
                    '0' => Reading::Value(5.0),
                    'X' => Reading::Value(5.5),
                    _ => Reading::Missing(NoReading::NoSeries),
                };
                came_to.push(match alarm.observe(reading, 0, &query, Moment(at)) {
                    None => '.',
                    Some(MetricState::Ok) => 'o',
                    Some(MetricState::Alarm) => 'A',
                    Some(MetricState::InsufficientData) => 'i',
                });
            }
            assert_eq!(came_to, expected, "{periods} {missing:?} of {readings}");
        }
    }

    #[test]
    fn values_are_compared_as_cloudwatch_does() {
        use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
        for (value, bad) in [
            (4.0, [false, false, true, true]),
            (5.0, [false, true, false, true]),
            (6.0, [true, true, false, false]),
            (f64::INFINITY, [true, true, false, false]),
            (f64::NEG_INFINITY, [false, false, true, true]),
        ] {
            let found = [Greater, GreaterOrEqual, Less, LessOrEqual].map(|one| one.is_breached(value, 5.0));
            assert_eq!(found, bad, "{value}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut alarm = Alarm::default();
        for at in 0..1000 {
            alarm.observe(Reading::Value(9.0), 0, &query(3, MissingData::Missing), Moment(at));
        }
        assert_eq!((alarm.history().count(), alarm.looked_at.len(), alarm.streak()), (READINGS_MAX, 3, 3));
    }
}
