//! Problems as programs read them: JSON, GitHub's workflow commands, JUnit's XML.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::{Problem, Problems, Severity};

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

impl Problem {
    /// What is wrong and why.
    pub fn message(&self) -> String {
        match self.why.is_empty() {
            true => self.what.clone(),
            false => format!("{}, {}", self.what, self.why),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "file": &*self.at.file,
            "line": self.at.line,
            "column": self.at.column,
            "severity": self.severity.word(),
            "code": self.kind(),
            "message": self.message(),
            "help": self.remedy,
        })
    }
}

impl Problems {
    /// All that were kept, each by itself.
    pub fn json(&self) -> Value {
        self.iter().map(Problem::json).collect()
    }

    /// A line for each cause: GitHub shows them beside the lines of a change.
    pub fn github(&self) -> String {
        let mut out = String::new();
        for cause in self.causes() {
            let problem = cause.first;
            let mut message = problem.message();
            if let Some(extent) = cause.extent() {
                let _ = write!(message, " ({extent})");
            }
            if !problem.remedy.is_empty() {
                let _ = write!(message, "\n{}", problem.remedy);
            }
            let _ = writeln!(
                out,
                "::{} file={},line={},col={},title={}::{}",
                problem.severity.word(),
                property(&problem.at.file),
                problem.at.line,
                problem.at.column,
                property(problem.kind()),
                data(&message),
            );
        }
        if self.beyond_limit() > 0 {
            let _ = writeln!(out, "::warning title=more-problems::… and {} more", self.beyond_limit());
        }
        out
    }
}

/// The text of a workflow command.
fn data(text: &str) -> String {
    let mut out = String::new();
    for one in text.chars() {
        match one {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            one if one.is_control() && one != '\t' => out.push('\u{FFFD}'),
            one => out.push(one),
        }
    }
    out
}

/// The value of a workflow command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A test case of JUnit's.
pub struct Case {
    /// The suite: a file.
    pub suite: String,
    pub name: String,
    /// A case without failures passed.
    pub failures: Vec<Problem>,
}

/// A document of JUnit's: a suite for each file, in which each case is a test, and the warnings are its output.
pub fn junit(name: &str, cases: &[Case], warnings: &Problems) -> String {
    let mut suites: BTreeMap<&str, (Vec<&Case>, String)> = BTreeMap::new();
    for case in cases {
        suites.entry(&case.suite).or_default().0.push(case);
    }
    for warning in warnings.iter().filter(|problem| problem.severity == Severity::Warning) {
        let output = &mut suites.entry(&warning.at.file).or_default().1;
        let _ = writeln!(output, "{warning}");
    }
    let failed = |cases: &[&Case]| cases.iter().filter(|case| !case.failures.is_empty()).count();
    let all: Vec<&Case> = cases.iter().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = |kind: &str, name: &str, cases: &[&Case]| {
        let (name, tests, failures) = (attribute(name), cases.len(), failed(cases));
        format!("<{kind} name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n")
    };
    out += &head("testsuites", name, &all);
    for (suite, (cases, output)) in &suites {
        out += "  ";
        out += &head("testsuite", suite, cases);
        for case in cases {
            let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\"", attribute(suite), attribute(&case.name));
            if case.failures.is_empty() {
                out += "/>\n";
                continue;
            }
            out += ">\n";
            for problem in &case.failures {
                let (message, code) = (attribute(&problem.message()), problem.kind());
                let text = xml(&problem.to_string());
                let _ = writeln!(out, "      <failure message=\"{message}\" type=\"{code}\">{text}</failure>");
            }
            out += "    </testcase>\n";
        }
        if !output.is_empty() {
            let _ = writeln!(out, "    <system-out>{}</system-out>", xml(output));
        }
        out += "  </testsuite>\n";
    }
    out + "</testsuites>\n"
}

/// Text in XML 1.0, which has no way to write most control characters.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(one),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            one if one.is_control() => out.push('\u{FFFD}'),
            one => out.push(one),
        }
    }
    out
}

/// The value of an attribute, in which a line break would be read as a space.
fn attribute(text: &str) -> String {
    xml(text).replace('\n', "&#10;").replace('\t', "&#9;")
}
