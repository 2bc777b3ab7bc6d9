//! What is told, in lines: columns that line up, and colours for those who see them.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::Explanation;
use super::odds::Odds;
use super::record::{Data, Record};

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
    /// A line for each record of each answer; where there are too many answers, for each record.
    pub fn text(&self) -> String {
        let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
        match &self.answers {
            Some(answers) => {
                for answer in answers {
                    let records = along_the_chain(&self.name, &answer.records);
                    let mut lines: Vec<String> = records.into_iter().map(|record| self.record_text(record)).collect();
                    if lines.is_empty() {
                        let none = if answer.rcode == "NOERROR" { ", no records" } else { "" };
                        lines.push(format!("{}{none}", answer.rcode));
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
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{WORD}{word:<width$}{WORD:#}{style}{text}{style:#}");
}
