//! Where the output goes: a reader that goes away, as `head` does, has had what it wanted.

use std::fmt;
use std::io::{self, Write};

use anyhow::Result;

use fingerpost::printable::printable;

/// The reader of stdout has gone away: nothing is left to do, and nothing went wrong.
#[derive(Debug)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of the output has gone away")
    }
}

impl std::error::Error for Gone {}

/// What became of writing to stdout. Of stdout alone: a server that goes away is an error.
pub fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Gone.into()),
        Err(error) => Err(anyhow::Error::new(error).context("the output cannot be written")),
        Ok(()) => Ok(()),
    }
}

/// Writes to stdout, styled where a terminal is there to show it.
pub fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes bytes to stdout as they are.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Writes the error that ends the command to stderr, as one line: names of files and zones stand in it.
pub fn note_error(error: &anyhow::Error) {
    note(format_args!("fingerpost: {}", printable(&format!("{error:#}"))));
}

/// Writes a line to stderr. Where nobody reads it, nothing is lost that could be mended.
pub fn note(text: impl fmt::Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}
