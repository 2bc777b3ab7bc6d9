//! `--format`: the problems that `check` and `test` find, for people and for programs.

use anyhow::Result;
use clap::ValueEnum;
use serde_json::Value;

use super::out;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// Workflow commands of GitHub Actions
    Github,
    /// JUnit's XML: errors are failures, warnings are not
    Junit,
}

/// Prints a JSON document.
pub fn print_json(document: &Value) -> Result<()> {
    out::print(&format!("{}\n", serde_json::to_string_pretty(document)?))
}
