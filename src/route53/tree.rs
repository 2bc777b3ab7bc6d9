//! The tree that JSON and TOML are read into, and how its tables are asked for what they say.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::document::Document;
use crate::model::fields::BadField;
use crate::problem::{At, Problem, Problems, Severity, nearest};

/// A value and the bytes of the file it was read from.
#[derive(Debug)]
pub struct Node<'a> {
    pub start: usize,
    pub end: usize,
    pub value: Value<'a>,
}

#[derive(Debug)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// As written, or in decimal where it was written otherwise.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Table(Vec<(Key<'a>, Node<'a>)>),
}

#[derive(Debug)]
pub struct Key<'a> {
    pub start: usize,
    pub end: usize,
    pub text: Cow<'a, str>,
}

/// Why a text is not JSON or TOML, and where.
#[derive(Debug)]
pub struct Broken {
    pub start: usize,
    pub end: usize,
    pub what: String,
}

impl Value<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// Bytes of the file, to blame.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl From<&Node<'_>> for Span {
    fn from(node: &Node) -> Span {
        Span { start: node.start, end: node.end }
    }
}

impl From<&Key<'_>> for Span {
    fn from(key: &Key) -> Span {
        Span { start: key.start, end: key.end }
    }
}

impl From<Table<'_>> for Span {
    fn from(table: Table) -> Span {
        table.span
    }
}

/// Collects what is wrong with one file.
pub struct Reader<'r> {
    pub document: &'r Document<'r>,
    pub problems: &'r mut Problems,
}

impl<'r> Reader<'r> {
    pub fn at(&self, span: impl Into<Span>) -> At {
        let Span { start, end } = span.into();
        self.document.at(start, end)
    }

    pub fn error(
        &mut self,
        span: impl Into<Span>,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.report(Severity::Error, span.into(), what.into(), why.into(), remedy.into());
    }

    pub fn warning(
        &mut self,
        span: impl Into<Span>,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.report(Severity::Warning, span.into(), what.into(), why.into(), remedy.into());
    }

    fn report(&mut self, severity: Severity, span: Span, what: String, why: String, remedy: String) {
        let at = self.at(span);
        let excerpt = self.document.excerpt(&at);
        let problem = Problem::error(at, what, why, remedy).with_severity(severity);
        self.problems.push(Problem { excerpt, ..problem });
    }

    /// Runs `read`, and keeps what it makes only if that met no error.
    pub fn whole<T>(&mut self, read: impl FnOnce(&mut Reader) -> Option<T>) -> Option<T> {
        let before = self.problems.errors();
        let made = read(self);
        made.filter(|_| self.problems.errors() == before)
    }

    pub fn table<'n>(&mut self, what: &str, node: &'n Node<'n>) -> Option<Table<'n>> {
        let Value::Table(entries) = &node.value else {
            self.not_a(what, node, "a table");
            return None;
        };
        let mut seen = BTreeSet::new();
        for (key, _) in entries {
            if !seen.insert(key.text.as_ref()) {
                self.error(key, format!("{:?} is said twice", key.text), "", "keep one of the two");
            }
        }
        Some(Table { entries, span: node.into() })
    }

    pub fn list<'n>(&mut self, what: &str, node: &'n Node<'n>) -> &'n [Node<'n>] {
        match &node.value {
            Value::List(items) => items,
            Value::Null => &[],
            _ => {
                self.not_a(what, node, "a list");
                &[]
            }
        }
    }

    pub fn text<'n>(&mut self, what: &str, node: &'n Node<'n>) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) => Some(text),
            _ => {
                self.not_a(what, node, "a text in quotes");
                None
            }
        }
    }

    /// Reads one field of the model; what is wrong with it is blamed on the node.
    pub fn field<T>(&mut self, what: &str, span: impl Into<Span>, outcome: Result<T, BadField>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(bad) => {
                self.error(span, format!("{what} cannot be used"), bad.why, bad.remedy);
                None
            }
        }
    }

    fn not_a(&mut self, what: &str, node: &Node, wanted: &str) {
        self.error(node, format!("{what} is {}", node.value.kind()), "", format!("write {wanted}"));
    }
}

/// A table whose keys are being read. A key whose value is null counts as absent.
#[derive(Clone, Copy)]
pub struct Table<'n> {
    pub entries: &'n [(Key<'n>, Node<'n>)],
    pub span: Span,
}

impl<'n> Table<'n> {
    pub fn get(self, key: &str) -> Option<&'n Node<'n>> {
        let (_, node) = self.entries.iter().find(|(other, _)| other.text == key)?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    pub fn table(self, reader: &mut Reader, key: &str) -> Option<Table<'n>> {
        self.get(key).and_then(|node| reader.table(key, node))
    }

    pub fn list(self, reader: &mut Reader, key: &str) -> Option<&'n [Node<'n>]> {
        self.get(key).map(|node| reader.list(key, node))
    }

    pub fn text(self, reader: &mut Reader, key: &str) -> Option<&'n str> {
        self.get(key).and_then(|node| reader.text(key, node))
    }

    pub fn texts(self, reader: &mut Reader, key: &str) -> Option<Vec<(&'n Node<'n>, &'n str)>> {
        let items = self.list(reader, key)?;
        Some(items.iter().filter_map(|item| Some((item, reader.text(key, item)?))).collect())
    }

    pub fn boolean(self, reader: &mut Reader, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                reader.not_a(key, node, "true or false");
                None
            }
        }
    }

    /// A number, or the text of one, as `read` understands it.
    pub fn number<T>(
        self,
        reader: &mut Reader,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, BadField>,
    ) -> Option<T> {
        let node = self.get(key)?;
        match &node.value {
            Value::Number(text) => reader.field(key, node, read(text)),
            _ => {
                reader.not_a(key, node, "a number");
                None
            }
        }
    }

    /// A whole number in these bounds, for this reason.
    pub fn within(self, reader: &mut Reader, key: &str, least: u32, most: u32, why: &str) -> Option<u32> {
        self.number(reader, key, |text| match text.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(BadField::new(
                format!(
                    "{text} is not a whole number from {least} to {most}{}{why}",
                    if why.is_empty() { "" } else { ", " }
                ),
                format!("write a number from {least} to {most}"),
            )),
        })
    }

    /// A text that must be there; `example` says what one looks like.
    pub fn required(self, reader: &mut Reader, what: &str, key: &str, example: &str) -> Option<&'n str> {
        match self.get(key) {
            Some(node) => match reader.text(key, node)? {
                "" => {
                    reader.error(node, format!("{key} is empty"), "", format!("write {key}, as {example:?}"));
                    None
                }
                text => Some(text),
            },
            None => {
                reader.error(self.span, format!("{what} has no {key}"), "", format!("add {key}, as {example:?}"));
                None
            }
        }
    }

    /// Reports every key that is not among these.
    pub fn only(self, reader: &mut Reader, what: &str, known: &[&str]) {
        for (key, _) in self.entries {
            if !known.contains(&key.text.as_ref()) {
                let remedy = match nearest(&key.text, known.iter().copied()) {
                    Some(meant) => format!("did you mean {meant:?}?"),
                    None => format!("the keys are {}", known.join(", ")),
                };
                reader.error(key, format!("{:?} is not a key of {what}", key.text), "", remedy);
            }
        }
    }
}

/// The whole file as a table, whichever of the two languages it is in.
pub fn read<'a>(
    document: &'a Document<'a>,
    problems: &mut Problems,
    read: impl FnOnce(&'a str) -> Result<Node<'a>, Broken>,
    language: &str,
) -> Option<Node<'a>> {
    match read(document.text) {
        Ok(node) => Some(node),
        Err(Broken { start, end, what }) => {
            let at = document.at(start, end);
            let excerpt = document.excerpt(&at);
            let problem = Problem::error(at, what, format!("the file is not {language}"), "mend it here");
            problems.push(Problem { excerpt, ..problem.code("syntax") });
            None
        }
    }
}
