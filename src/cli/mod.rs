//! The command line: flags, then one of the commands, each in a file of its own.

mod ask;
mod check;
mod completions;
mod explain;
mod format;
mod health;
mod odds;
mod out;
mod serve;
mod test;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use fingerpost::config::{Config, Log};
use fingerpost::io::load::Folders;
use fingerpost::io::{settings, sys};

/// What a command says when it did what it is for, and found what it looks for.
const FINE: u8 = 0;
/// … when it found something wrong in the files.
const FOUND_WRONG: u8 = 1;
/// … when it could not do what it was asked to.
const REFUSED: u8 = 2;

/// An authoritative DNS server that routes the way Amazon Route 53 does, and says why.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
struct CommandLine {
    /// Whether the output has colours [default: on a terminal; NO_COLOR and CLICOLOR_FORCE say otherwise]
    #[arg(long, value_enum, value_name = "WHEN", global = true)]
    color: Option<Color>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// From here on, for stdout, stderr and the log.
    fn hold(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::AlwaysAnsi,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

const EXAMPLES: &str = "\
Examples:
  fingerpost serve                               zones/ and geo/ on 127.0.0.1:5300 and [::1]:5300
  fingerpost serve --listen 0.0.0.0:53           on every IPv4 address of this machine
  fingerpost check --zones /srv/dns --strict     what is wrong with these zones, and what is unwise
  fingerpost explain www.example.com A --from 198.51.100.7 --down blue
  fingerpost odds www.example.com --json         each answer and its exact share
  fingerpost test                                what zones/*.test.toml expect, against what is so";

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Explain(explain::Explain),
    Odds(odds::Odds),
    Health(health::Health),
    Test(test::Test),
    Completions(completions::Completions),
    Man(completions::Man),
}

/// What every command takes. A flag beats the settings file, which beats the default.
#[derive(Args)]
struct Common {
    /// Settings file [default: fingerpost.toml, if it is there]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Folder of zones [default: zones]
    #[arg(long, value_name = "DIR")]
    zones: Option<PathBuf>,
    /// Folder of geography [default: geo, if it is there, or else the geography that is built in]
    #[arg(long, value_name = "DIR")]
    geo: Option<PathBuf>,
}

impl Common {
    fn read(&self) -> anyhow::Result<Config> {
        settings::read(self.config.as_deref())
    }

    fn folders(&self, config: &Config) -> anyhow::Result<Folders> {
        Folders::find(self.zones.clone().or(config.zones.clone()), self.geo.clone().or(config.geo.clone()))
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    /// For people
    Human,
    /// One JSON object a line
    Json,
}

impl From<LogFormat> for Log {
    fn from(format: LogFormat) -> Log {
        match format {
            LogFormat::Human => Log::Human,
            LogFormat::Json => Log::Json,
        }
    }
}

/// Does what the command line asks for.
pub fn run() -> ExitCode {
    // `serve` obeys it later, and must not end by it before.
    sys::hold_hangup();
    let CommandLine { color, command } = CommandLine::parse();
    if !matches!(command, Command::Serve(_)) {
        sys::let_hangup_through();
    }
    color.unwrap_or(Color::Auto).hold();
    let result = match command {
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Odds(odds) => odds.run(),
        Command::Health(health) => health.run(),
        Command::Test(test) => test.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    match result {
        Ok(code) => code.into(),
        Err(error) if error.is::<out::Gone>() => FINE.into(),
        Err(error) => {
            out::note_error(&error);
            REFUSED.into()
        }
    }
}
