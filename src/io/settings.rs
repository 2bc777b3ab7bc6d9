//! Finds and reads `fingerpost.toml`, and the environment, which wins over it.

use std::io;
use std::path::Path;

use anyhow::{Result, bail};

use super::regular::{self, Links};
use super::terminal;
use crate::config::{Config, PREFIX, Variable};
use crate::problem::{Problem, Problems, Severity, counted};

/// What is looked for in the current folder where nothing else is said.
pub const FILE: &str = "fingerpost.toml";

/// Settings have no use for more.
const FILE_MAX: u64 = 1 << 20;

/// The settings of the file that was named, or of the usual one if it is there, under those of the environment. Problems
/// go to stderr.
pub fn read(named: Option<&Path>) -> Result<Config> {
    let show = |problems: &Problems| terminal::show_problems(problems, terminal::To::Stderr);
    // A reader of stderr that has gone away misses nothing.
    let (config, problems) = read_or_show(named, &|problems| _ = show(problems))?;
    show(&problems)?;
    Ok(config)
}

/// The same with all problems, for the caller to report. With errors among them, the settings are not to be used.
pub fn read_with_problems(named: Option<&Path>) -> Result<(Config, Problems)> {
    let path = named.unwrap_or(Path::new(FILE));
    let shown = path.display();
    let text = match regular::read_text(path, Links::Followed, FILE_MAX) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => String::new(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("there is no settings file {shown}"),
        Err(error) => bail!("the settings file {shown} cannot be read: {error}"),
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(Config::read_with(&text, &shown.to_string(), folder, &variables()))
}

/// The same once more, while the server runs: errors go to the log, and what is no error has been shown before.
pub fn read_again(named: Option<&Path>) -> Result<Config> {
    let log = |problems: &Problems| problems.iter().for_each(|problem| tracing::error!("{problem}"));
    read_or_show(named, &log).map(|(config, _)| config)
}

/// The settings, and the warnings about them. Where there are errors, all problems are shown.
fn read_or_show(named: Option<&Path>, show: &dyn Fn(&Problems)) -> Result<(Config, Problems)> {
    let (config, problems) = read_with_problems(named)?;
    let shown = named.unwrap_or(Path::new(FILE)).display();
    match problems.errors() {
        0 => Ok((config, problems)),
        errors => {
            show(&problems);
            let of_variables =
                problems.iter().filter(|one| one.severity == Severity::Error && is_of_variable(one)).count();
            let place = match of_variables {
                0 => shown.to_string(),
                count if count == errors => "the environment".into(),
                _ => format!("{shown} and the environment"),
            };
            bail!("{} in {place}", counted(errors, "problem"))
        }
    }
}

fn is_of_variable(problem: &Problem) -> bool {
    problem.what.starts_with(PREFIX)
}

/// The variables that are ours, in the order of their names.
fn variables() -> Vec<Variable> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        Some(Variable { name, value: value.into_string().ok() })
    });
    let mut variables: Vec<Variable> = ours.collect();
    variables.sort_by(|one, other| one.name.cmp(&other.name));
    variables
}
