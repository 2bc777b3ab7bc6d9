//! `fingerpost test`

use std::io::Write;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, bail};
use clap::Args;

use fingerpost::io::routing_tests;
use fingerpost::io::terminal;
use fingerpost::problem::Problems;
use fingerpost::routing_test;

use super::{Common, FINE, FOUND_WRONG};

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
}

impl Test {
    pub fn run(self) -> anyhow::Result<u8> {
        if let Some(missing) = self.files.iter().find(|file| !file.is_file()) {
            bail!("there is no file {}", missing.display());
        }
        let world = self.common.world()?;
        let files = match self.files.is_empty() {
            false => self.files,
            true => routing_tests::files(&world.zones)
                .with_context(|| format!("the folder {} cannot be read", world.zones.display()))?,
        };
        let mut problems = Problems::default();
        let tests = routing_tests::read(&files, &mut problems);
        let outcomes = routing_test::run(&tests, &world.snapshot);
        let mut out = anstream::stdout().lock();
        terminal::write_problems(&problems, &mut out, true)?;
        let width = outcomes.iter().map(|outcome| outcome.name.chars().count()).max().unwrap_or(0);
        let mut failed = 0;
        for outcome in &outcomes {
            let (style, word) = if outcome.problems.is_empty() { (PASSED, "ok") } else { (FAILED, "FAILED") };
            writeln!(out, "{:<width$}  {style}{word}{style:#}", outcome.name)?;
            failed += usize::from(!outcome.problems.is_empty());
            let mut told = Problems::default();
            outcome.problems.iter().for_each(|problem| told.push(problem.clone()));
            terminal::write_problems(&told, &mut out, true)?;
        }
        out.flush()?;
        let (all, errors) = (outcomes.len(), problems.errors());
        let errors = if errors > 0 { format!(", {errors} errors in the files") } else { String::new() };
        match files.is_empty() {
            true => anstream::eprintln!("no tests: {} has no *.test.toml", world.zones.display()),
            false => anstream::eprintln!("{} tests passed, {failed} failed{errors}", all - failed),
        }
        Ok(if failed > 0 || problems.errors() > 0 { FOUND_WRONG } else { FINE })
    }
}
