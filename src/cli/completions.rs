//! `fingerpost completions` and `fingerpost man`: what the command line says of itself, for shells and for `man`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{CommandLine, FINE, out};

/// Name of the program.
const PROGRAM: &str = "fingerpost";

/// Prints completions for a shell
///
/// For bash: fingerpost completions bash > /etc/bash_completion.d/fingerpost
#[derive(Args)]
pub struct Completions {
    /// Shell that reads them
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> anyhow::Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), PROGRAM, &mut script);
        out::print_bytes(&script)?;
        Ok(FINE)
    }
}

/// Writes manual pages into a folder, one for each command
///
/// The folder is made when missing. Read one with man -l DIR/fingerpost.1, or install them below share/man/man1.
#[derive(Args)]
pub struct Man {
    /// Folder of the pages
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub fn run(self) -> anyhow::Result<u8> {
        let shown = self.folder.display();
        std::fs::create_dir_all(&self.folder).with_context(|| format!("the folder {shown} cannot be made"))?;
        clap_mangen::generate_to(CommandLine::command(), &self.folder)
            .with_context(|| format!("the pages cannot be written to {shown}"))?;
        Ok(FINE)
    }
}
