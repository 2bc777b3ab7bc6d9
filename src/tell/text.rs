//! What is told, in lines: columns that line up, and colours for those who see them.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::Explanation;
use super::odds::{AnswerOdds, Odds};
use super::record::{Data, Record};
use crate::printable::printable;

const WORD: Style = AnsiColor::BrightBlack.on_default();
const OUT: Style = AnsiColor::Red.on_default();
const CHOSEN: Style = AnsiColor::Green.on_default();
const ANSWER: Style = Style::new().bold();

/// Two blanks between columns.
const GAP: usize = 2;

impl Explanation {
    /// A line for each step, styled; the answer comes last, a line for each record.
    pub fn text(&self) -> String {
        let width = self.steps.iter().map(|told| told.step.len()).max().unwrap_or(0) + GAP;
        let members = self.steps.iter().filter_map(|told| Some(told.member()?.chars().count())).max();
        let several_sets = self.steps.iter().filter(|told| told.step == "ttl").count() > 1;
        let mut out = String::new();
        for told in &self.steps {
            let style = match told.step.as_str() {
                "denied" | "out" | "nobody-healthy" | "nobody-chosen" | "no-target" | "too-deep" => OUT,
                "choose" => CHOSEN,
                "answer" => {
                    self.answer_text(width, &mut out);
                    continue;
                }
                _ => Style::new(),
            };
            let member = match (told.member(), members) {
                (Some(member), Some(width)) => format!("{member:<width$}", width = width + GAP),
                _ => String::new(),
            };
            let field = |key: &str| told.fields.get(key).and_then(Value::as_str).unwrap_or_default();
            let set = match told.step == "ttl" && several_sets {
                true => format!("{} {}: ", field("name"), field("type")),
                false => String::new(),
            };
            line(&mut out, &told.step, width, style, &format!("{member}{set}{}", told.text));
        }
        out
    }

    fn answer_text(&self, width: usize, out: &mut String) {
        for record in &self.answer {
            line(out, "answer", width, ANSWER, &self.record_text(record));
        }
        if self.answer.is_empty() {
            let none = match self.rcode.as_str() {
                "NOERROR" if self.steps.iter().any(|told| told.step == "cut") => ", a referral",
                "NOERROR" => ", no records",
                _ => "",
            };
            line(out, "answer", width, ANSWER, &format!("{}{none}", self.rcode));
        }
    }

    /// The name is left out where it is the one that was asked for.
    fn record_text(&self, record: &Record) -> String {
        let name = if record.name == self.name { String::new() } else { format!("{} ", record.name) };
        format!("{name}{} {} {}", record.ttl, record.rtype, data(record))
    }
}

impl Odds {
    /// A line for each record: its share, the same in per cent, and its data. Answers without records have a line too.
    pub fn text(&self) -> String {
        // The likeliest first; of equally likely ones, as a chain of names goes through them.
        let mut shares: Vec<&str> = self.records.iter().map(|odds| &*odds.share).collect();
        shares.dedup();
        let records: Vec<Record> = self.records.iter().map(|odds| odds.record.clone()).collect();
        let share_of =
            |record: &Record| self.records.iter().find(|odds| odds.record == *record).map(|odds| &*odds.share);
        let mut rows: Vec<(&str, String)> = along_the_chain(&self.name, &records)
            .into_iter()
            .filter_map(|record| Some((share_of(record)?, self.record_text(record))))
            .collect();
        rows.sort_by_key(|(share, _)| shares.iter().position(|one| one == share));
        let empty = |answer: &&AnswerOdds| answer.records.is_empty();
        let without = self.answers.iter().flatten().filter(empty);
        rows.extend(without.map(|answer| (&*answer.share, without_records(&answer.rcode))));
        if rows.is_empty() {
            rows.push(("1", without_records(&self.rcode)));
        }
        let rows: Vec<(&str, String, String)> =
            rows.into_iter().map(|(share, text)| (share, per_cent(share), text)).collect();
        let width = rows.iter().map(|(share, ..)| share.len()).max().unwrap_or(0) + GAP;
        let per_cents = rows.iter().map(|(_, per_cent, _)| per_cent.len()).fold(PER_CENT_WIDTH, usize::max);
        let mut out = String::new();
        for (share, per_cent, text) in &rows {
            line(&mut out, share, width, Style::new(), &format!("{per_cent:>per_cents$}  {text}"));
        }
        out
    }

    /// A line for each record of each answer; where there are too many answers, for each record.
    pub fn answers_text(&self) -> String {
        let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
        match &self.answers {
            Some(answers) => {
                for answer in answers {
                    let records = along_the_chain(&self.name, &answer.records);
                    let mut lines: Vec<String> = records.into_iter().map(|record| self.record_text(record)).collect();
                    if lines.is_empty() {
                        lines.push(without_records(&answer.rcode));
                    }
                    rows.push((&answer.share, lines));
                }
            }
            None => {
                rows.extend(self.records.iter().map(|record| (&*record.share, vec![self.record_text(&record.record)])))
            }
        }
        let width = rows.iter().map(|(share, _)| share.len()).max().unwrap_or(0) + GAP;
        let mut out = String::new();
        for (share, lines) in rows {
            for (at, text) in lines.iter().enumerate() {
                line(&mut out, if at == 0 { share } else { "" }, width, Style::new(), text);
            }
        }
        out
    }

    /// The data alone where name and type are those asked for.
    fn record_text(&self, record: &Record) -> String {
        let name = if record.name == self.name { String::new() } else { format!("{} ", record.name) };
        let rtype = if record.rtype == self.rtype { String::new() } else { format!("{} ", record.rtype) };
        format!("{name}{rtype}{}", data(record))
    }
}

fn without_records(rcode: &str) -> String {
    let none = if rcode == "NOERROR" { ", no records" } else { "" };
    format!("{rcode}{none}")
}

/// The width of `100 %`.
const PER_CENT_WIDTH: usize = 5;

/// A share in per cent, with one decimal where it needs one.
fn per_cent(share: &str) -> String {
    let (numerator, denominator) = share.split_once('/').unwrap_or((share, "1"));
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let value = 100.0 * number(numerator) / number(denominator);
    match value {
        0.0..0.05 if value > 0.0 => "<0.1 %".to_string(),
        99.95..100.0 => ">99.9 %".to_string(),
        _ => format!("{} %", format!("{value:.1}").trim_end_matches(".0")),
    }
}

/// The records as a chain of names goes through them, from the name that was asked for.
fn along_the_chain<'r>(name: &str, records: &'r [Record]) -> Vec<&'r Record> {
    let (mut ordered, mut left) = (Vec::new(), records.iter().collect::<Vec<_>>());
    let mut next = Some(name.to_string());
    while let Some(name) = next.take() {
        let (here, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|record| record.name == name);
        next = here.iter().find(|record| record.rtype == "CNAME").map(|record| record.data().to_string());
        ordered.extend(here);
        left = others;
    }
    ordered.extend(left);
    ordered
}

fn data(record: &Record) -> String {
    match &record.data {
        Data::Data(text) => text.clone(),
        Data::Upstream(name) => format!("whatever a resolver says of {name}"),
    }
}

fn line(out: &mut String, word: &str, width: usize, style: Style, text: &str) {
    let text = printable(text);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{WORD}{word:<width$}{WORD:#}{style}{text}{style:#}");
}
