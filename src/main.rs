//! Flags, then one of the commands.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
