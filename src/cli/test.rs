//! `fingerpost test`

use std::fmt::Write as _;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, bail};
use clap::Args;

use fingerpost::io::routing_tests;
use fingerpost::io::terminal;
use fingerpost::printable::printable;
use fingerpost::problem::formats::{Case, junit};
use fingerpost::problem::{Problem, Problems, Severity, counted};
use fingerpost::routing_test::{self, Outcome};
use serde_json::{Value, json};

use super::format::{Format, print_json};
use super::world::World;
use super::{Common, FINE, FOUND_WRONG, out};

const PASSED: Style = AnsiColor::Green.on_default();
const FAILED: Style = AnsiColor::Red.on_default().bold();

/// Runs routing tests: this client, in this world, gets this
///
/// Without files, all *.test.toml of the folder of zones. Health checks are as they are at first, except as a test
/// says. Exit code 0: all passed, 1: one failed or makes no sense, 2: the files cannot be read.
#[derive(Args)]
pub struct Test {
    #[command(flatten)]
    common: Common,
    /// Files of tests [default: those of the folder of zones]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How the results are written to stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

impl Test {
    pub fn run(self) -> anyhow::Result<u8> {
        if let Some(missing) = self.files.iter().find(|file| !file.is_file()) {
            bail!("there is no file {}", missing.display());
        }
        let world = self.common.world()?;
        world.show_problems();
        let files = match self.files.is_empty() {
            false => self.files,
            true => routing_tests::files(&world.zones)
                .with_context(|| format!("the folder {} cannot be read", world.zones.display()))?,
        };
        let mut problems = Problems::default();
        let tests = routing_tests::read(&files, &mut problems);
        let outcomes = routing_test::run(&tests, &world.snapshot);
        let failed = outcomes.iter().filter(|outcome| !outcome.problems.is_empty()).count();
        let code = if failed > 0 || problems.errors() > 0 { FOUND_WRONG } else { FINE };
        let told = Told { world: &world, problems: &problems, outcomes: &outcomes, failed };
        match self.format {
            Format::Text => out::print(&told.text()?)?,
            Format::Json => return print_json(&told.json()).map(|()| code),
            Format::Github => out::print_bytes(told.all_problems().github().as_bytes())?,
            Format::Junit => return out::print_bytes(told.junit().as_bytes()).map(|()| code),
        }
        match files.is_empty() {
            true => out::note(format_args!("no tests: {} has no *.test.toml", world.zones.display())),
            false => out::note(told.summary()),
        }
        Ok(code)
    }
}

/// What came of the tests.
struct Told<'a> {
    world: &'a World,
    /// Of the files of tests.
    problems: &'a Problems,
    outcomes: &'a [Outcome],
    failed: usize,
}

impl Told<'_> {
    fn passed(&self) -> usize {
        self.outcomes.len() - self.failed
    }

    fn summary(&self) -> String {
        let errors = match self.problems.errors() {
            0 => String::new(),
            errors => format!(", {} in the files", counted(errors, "error")),
        };
        format!("{} passed, {} failed{errors}", counted(self.passed(), "test"), self.failed)
    }

    fn text(&self) -> anyhow::Result<String> {
        let mut out = Vec::new();
        terminal::write_problems(self.problems, &mut out, true)?;
        let width = self.outcomes.iter().map(|outcome| printable(&outcome.name).chars().count()).max().unwrap_or(0);
        for outcome in self.outcomes {
            let (style, word) = if outcome.problems.is_empty() { (PASSED, "ok") } else { (FAILED, "FAILED") };
            let mut line = String::new();
            writeln!(line, "{:<width$}  {style}{word}{style:#}", printable(&outcome.name))?;
            out.extend(line.into_bytes());
            terminal::write_problems(&together(&outcome.problems), &mut out, true)?;
        }
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    /// The problems of the files, and those of the tests.
    fn all_problems(&self) -> Problems {
        let mut all = self.problems.clone();
        all.append(together(self.outcomes.iter().flat_map(|outcome| &outcome.problems)));
        all
    }

    fn json(&self) -> Value {
        let all = self.all_problems();
        let test = |outcome: &Outcome| {
            json!({
                "name": outcome.name,
                "file": &*outcome.at.file,
                "line": outcome.at.line,
                "column": outcome.at.column,
                "passed": outcome.problems.is_empty(),
                "problems": outcome.problems.iter().map(Problem::json).collect::<Vec<_>>(),
            })
        };
        json!({
            "problems": all.json(),
            "tests": self.outcomes.iter().map(test).collect::<Vec<_>>(),
            "summary": {
                "tests": self.outcomes.len(),
                "passed": self.passed(),
                "failed": self.failed,
                "zones": self.world.loaded_zones,
                "records": self.world.records,
                "errors": all.errors(),
                "warnings": all.warnings(),
            },
        })
    }

    fn junit(&self) -> String {
        let tests = self.outcomes.iter().map(|outcome| Case {
            suite: outcome.at.file.to_string(),
            name: outcome.name.clone(),
            failures: outcome.problems.clone(),
        });
        let errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let errors = errors.map(|problem| Case {
            suite: problem.at.file.to_string(),
            name: format!("line {}, column {}: {}", problem.at.line, problem.at.column, problem.kind()),
            failures: vec![problem.clone()],
        });
        let cases: Vec<Case> = tests.chain(errors).collect();
        junit("fingerpost test", &cases, self.problems)
    }
}

fn together<'p>(problems: impl IntoIterator<Item = &'p Problem>) -> Problems {
    let mut all = Problems::default();
    problems.into_iter().for_each(|problem| all.push(problem.clone()));
    all
}
