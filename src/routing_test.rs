//! Routing tests, `*.test.toml`: "this client, in this world, gets this". `docs/routing-tests.md` shows the format.
//!
//! | key              | what it says                                                                      |
//! |------------------|-----------------------------------------------------------------------------------|
//! | `ask`            | the question: a name, and a type unless it is A                                    |
//! | `name`           | what the test is called; the question where it isn't                               |
//! | `from`, `vpc`    | who asks, as `explain --from --vpc`                                                |
//! | `down`, `up`     | health checks taken as down or up; all others are as they are at first             |
//! | `expect`         | every answer holds exactly these                                                   |
//! | `odds`           | each record's exact share; records that aren't named have none                     |
//! | `never`          | no answer holds any of these                                                       |
//! | `rcode`, `ttl`   | every answer has this response code; every record of the type has this TTL         |

mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dice::odds::Share;
use crate::health::verdicts::Verdicts;
use crate::problem::{At, Problem, Problems};
use crate::route53::document::Document;
use crate::route53::tree::{self, Node, Reader, Table, Value};
use crate::snapshot::Snapshot;
use crate::tell::{Forced, Request};
use crate::wire::name::Name;
use crate::wire::rdata;
use crate::wire::rtype::Type;

const KEYS: [&str; 11] = ["name", "ask", "from", "vpc", "down", "up", "expect", "odds", "never", "rcode", "ttl"];

#[derive(Clone, Debug)]
pub struct RoutingTest {
    pub name: String,
    pub at: At,
    request: Request,
    forced: Forced,
    expectations: Vec<Expectation>,
}

/// What is expected, and where that is written.
#[derive(Clone, Debug)]
struct Expectation {
    at: At,
    excerpt: Option<String>,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    /// Data in the form they are shown in.
    Exactly(Vec<String>),
    Odds(BTreeMap<String, Share>),
    Never(Vec<String>),
    Rcode(String),
    Ttl(u32),
}

/// What came of a test.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub name: String,
    pub at: At,
    /// None: it passed.
    pub problems: Vec<Problem>,
}

/// Reads a file of tests. Tests with errors are left out.
pub fn read(file: Arc<str>, bytes: &[u8], problems: &mut Problems) -> Vec<RoutingTest> {
    let document = match Document::new(file, bytes) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(*problem);
            return Vec::new();
        }
    };
    let Some(node) = tree::read(&document, problems, crate::route53::toml::read, "TOML") else { return Vec::new() };
    let mut reader = Reader { document: &document, problems };
    let Some(top) = reader.table("the file", &node) else { return Vec::new() };
    top.only(&mut reader, "a file of routing tests", &["test"]);
    let tests = top.list(&mut reader, "test").unwrap_or_default();
    tests.iter().filter_map(|node| reader.whole(|reader| test(reader, node))).collect()
}

/// Runs tests. Health checks are in their initial state, whatever the snapshot knows of them.
pub fn run(tests: &[RoutingTest], snapshot: &Snapshot) -> Vec<Outcome> {
    let initial = snapshot.with_verdicts(Arc::new(Verdicts::new(&snapshot.shared.health_checks)));
    let run = |test: &RoutingTest| Outcome {
        name: test.name.clone(),
        at: test.at.clone(),
        problems: judge::judge(test, &initial),
    };
    tests.iter().map(run).collect()
}

fn test(reader: &mut Reader, node: &Node) -> Option<RoutingTest> {
    let table = reader.table("a test", node)?;
    table.only(reader, "a routing test", &KEYS);
    let ask = table.required(reader, "the test", "ask", "www.example.com A")?;
    let mut words = ask.split_whitespace();
    let (name, rtype) = (words.next().unwrap_or(""), words.next().unwrap_or("A"));
    if words.next().is_some() {
        reader.error(table.get("ask")?, "ask is more than a name and a type", "", "write it as \"www.example.com A\"");
    }
    let (from, vpc) = (table.text(reader, "from"), table.text(reader, "vpc"));
    let request = match Request::read(name, rtype, from, vpc) {
        Ok(request) => request,
        Err(refused) => {
            let blamed = if matches!(refused, crate::tell::Refused::BadFrom(_)) { "from" } else { "ask" };
            reader.error(table.get(blamed)?, refused.to_string(), "", "");
            return None;
        }
    };
    let forced = Forced { down: checks(reader, table, "down"), up: checks(reader, table, "up") };
    let expectations = expectations(reader, table, request.rtype);
    if expectations.is_empty()
        && !["expect", "odds", "never", "rcode", "ttl"].iter().any(|key| table.get(key).is_some())
    {
        let remedy = "add expect, odds, never, rcode or ttl";
        reader.error(table.span, "the test expects nothing", "it could never fail", remedy);
    }
    let name = table.text(reader, "name").unwrap_or(ask).to_string();
    Some(RoutingTest { name, at: reader.at(table.span), request, forced, expectations })
}

fn checks(reader: &mut Reader, table: Table, key: &str) -> Vec<String> {
    table.texts(reader, key).unwrap_or_default().into_iter().map(|(_, id)| id.to_string()).collect()
}

fn expectations(reader: &mut Reader, table: Table, rtype: Type) -> Vec<Expectation> {
    let mut found = Vec::new();
    for key in ["expect", "odds", "never", "rcode", "ttl"] {
        let Some(node) = table.get(key) else { continue };
        let wanted = match key {
            "expect" => data(reader, table, key, rtype).map(Wanted::Exactly),
            "never" => data(reader, table, key, rtype).map(Wanted::Never),
            "odds" => shares(reader, table, rtype).map(Wanted::Odds),
            "rcode" => table.text(reader, key).map(|rcode| Wanted::Rcode(rcode.to_ascii_uppercase())),
            _ => table.within(reader, key, 0, i32::MAX as u32, "").map(Wanted::Ttl),
        };
        let at = reader.at(node);
        let excerpt = reader.document.excerpt(&at);
        found.extend(wanted.map(|wanted| Expectation { at, excerpt, wanted }));
    }
    found
}

/// A list of data; none where one of them is none.
fn data(reader: &mut Reader, table: Table, key: &str, rtype: Type) -> Option<Vec<String>> {
    table.texts(reader, key)?.into_iter().map(|(node, text)| datum(reader, node, text, rtype)).collect()
}

/// Data of the type, or the name that a CNAME or an alias leads to, in the form that answers are shown in.
fn datum(reader: &mut Reader, blamed: impl Into<tree::Span>, text: &str, rtype: Type) -> Option<String> {
    if rtype == Type::ANY {
        return Some(text.to_string());
    }
    if let Ok(data) = rdata::parse(rtype, text, &Name::root()) {
        return Some(rdata::show(rtype, &data));
    }
    // An address cut short would pass for a name.
    let addresses = matches!(rtype, Type::A | Type::AAAA);
    let name =
        Name::parse_absolute(text).ok().filter(|_| !addresses || text.bytes().any(|byte| byte.is_ascii_alphabetic()));
    if name.is_none() {
        let what = format!("{text:?} is neither the data of a record of type {rtype} nor a name");
        reader.error(blamed, what, "", "write it as a zone file has it");
    }
    name.map(|name| name.to_string())
}

fn shares(reader: &mut Reader, table: Table, rtype: Type) -> Option<BTreeMap<String, Share>> {
    let table = table.table(reader, "odds")?;
    let mut shares = BTreeMap::new();
    for (key, node) in table.entries {
        let data = datum(reader, key, &key.text, rtype)?;
        let text = match &node.value {
            Value::Text(text) | Value::Number(text) => text,
            _ => "",
        };
        let Some(share) = share(text).filter(|share| *share <= Share::ONE) else {
            reader.error(node, format!("{:?} has no exact share", key.text), "", "write it as \"3/4\", or 0 or 1");
            return None;
        };
        shares.insert(data, share);
    }
    Some(shares)
}

/// Reads a share as `odds` writes it.
fn share(text: &str) -> Option<Share> {
    let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
    Share::new(numerator.trim().parse().ok()?, denominator.trim().parse().ok()?)
}

#[cfg(test)]
mod tests;
