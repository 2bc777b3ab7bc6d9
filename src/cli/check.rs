//! `fingerpost check`

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;

use fingerpost::config::Config;
use fingerpost::io::bind;
use fingerpost::io::clock;
use fingerpost::io::doors::certificate::{Certificate, Files};
use fingerpost::io::doors::open::with_lab_ports;
use fingerpost::io::load::Loader;
use fingerpost::io::settings;
use fingerpost::io::terminal::{self, To};
use fingerpost::problem::formats::{Case, junit};
use fingerpost::problem::{At, Problem, Problems, Severity, counted};
use serde_json::json;

use super::format::{Format, print_json};
use super::{Common, FINE, FOUND_WRONG, REFUSED, out};

/// Lists every problem of the zones and the geography
///
/// Each as file:line:column: what, why, what to do. Exit code 0: no errors, 1: errors, or no zone at all, 2: the folders, the settings or the
/// certificate they name cannot be read.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    common: Common,
    /// Let warnings fail, too
    #[arg(long)]
    strict: bool,
    /// How the problems are written to stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

impl Check {
    pub fn run(self) -> anyhow::Result<u8> {
        // For people the problems of the settings come first, on stderr. A program reads one document with all problems.
        let (config, of_settings) = match self.format {
            Format::Text => (self.common.read()?, Problems::default()),
            _ => settings::read_with_problems(self.common.config.as_deref())?,
        };
        if of_settings.errors() > 0 {
            report(self.format, &of_settings, (0, 0), None)?;
            return Ok(REFUSED);
        }
        if let Some(files) = Files::of(&config.doors) {
            Certificate::read(files)?;
        }
        let folders = self.common.folders(&config)?;
        let folder = folders.zones.clone();
        let mut loaded =
            Loader::new(folders, config.limits, config.settings.clone())?.bounded(config.zone_bytes_max).load()?;
        loaded.problems.append(of_settings);
        loaded.problems.append(config.due(&loaded.snapshot, &listeners(&config)));
        if loaded.zones == 0 && loaded.refused.is_empty() {
            loaded.problems.push(nothing_loaded(&folder));
        }
        loaded.problems = loaded.problems.without_consequences();
        loaded.problems.sort();
        let (errors, warnings) = (loaded.problems.errors(), loaded.problems.warnings());
        let geography = loaded.snapshot.geography.summary(clock::unix_millis() / 1000);
        report(self.format, &loaded.problems, (loaded.zones, loaded.records), Some(&geography))?;
        Ok(if errors > 0 || self.strict && warnings > 0 { FOUND_WRONG } else { FINE })
    }
}

/// Writes what was found: the problems to stdout; their number to stderr, where the format has no place for it.
fn report(
    format: Format,
    problems: &Problems,
    (zones, records): (usize, u64),
    geography: Option<&str>,
) -> anyhow::Result<()> {
    let (errors, warnings) = (problems.errors(), problems.warnings());
    let found = format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"));
    let summary = format!("{}, {}: {found}", counted(zones, "zone"), counted(records, "record"));
    match format {
        Format::Text => out::written(terminal::show_problems(problems, To::Stdout))?,
        Format::Github => out::print_bytes(problems.github().as_bytes())?,
        Format::Json => {
            let summary = json!({
                "zones": zones, "records": records, "errors": errors, "warnings": warnings, "geography": geography,
            });
            return print_json(&json!({ "problems": problems.json(), "summary": summary }));
        }
        Format::Junit => {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).map(|problem| Case {
                suite: problem.at.file.to_string(),
                name: format!("line {}, column {}: {}", problem.at.line, problem.at.column, problem.kind()),
                failures: vec![problem.clone()],
            });
            let whole = Case { suite: "fingerpost check".to_string(), name: summary, failures: Vec::new() };
            let cases: Vec<Case> = std::iter::once(whole).chain(errors).collect();
            return out::print_bytes(junit("fingerpost check", &cases, problems).as_bytes());
        }
    }
    geography.iter().for_each(out::note);
    out::note(summary);
    Ok(())
}

fn nothing_loaded(folder: &Path) -> Problem {
    let at = At { file: folder.to_string_lossy().into(), line: 1, column: 1, length: 0 };
    let why = "the folder holds no file of a zone that can be served";
    let remedy = "name zone files after their zones, as example.com.zone, AWS dumps as example.com.json, or name another \
                  folder with --zones";
    Problem::error(at, "no zone was loaded", why, remedy).code("no-zone-loaded")
}

/// Where `serve` would listen.
fn listeners(config: &Config) -> Vec<SocketAddr> {
    let mut listeners = config.listen.clone().unwrap_or_else(|| bind::DEFAULT.to_vec());
    let doors = with_lab_ports(config.doors.clone());
    listeners.extend([doors.tls, doors.https, doors.h3, doors.quic].concat());
    listeners
}
