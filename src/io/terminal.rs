//! What people see: problems with the offending text underlined, and progress while they wait.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::printable::printable;
use crate::problem::{At, Problem, Problems, Severity};

/// Lines longer than this are shown in part, around the offending text.
const EXCERPT_MAX: usize = 160;

/// Who waits for less wants no spinner.
const PATIENCE: Duration = Duration::from_secs(1);

/// Progress is told this often: it looks at the clock and at the terminal.
const STEP: usize = 256;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default();
const QUIET: Style = AnsiColor::BrightBlack.on_default();

/// Writes problems, each cause once. For programs a cause is one line; on a terminal the line of the file and the remedy have
/// lines of their own.
pub fn write_problems(problems: &Problems, to: &mut impl Write, terminal: bool) -> io::Result<()> {
    for cause in problems.causes() {
        let Problem { severity, at: At { file, line, column, .. }, remedy, .. } = cause.first;
        let style = if *severity == Severity::Error { ERROR } else { WARNING };
        let (word, message) = (severity.word(), cause.first.message());
        let place = format!("{file}:{line}:{column}:");
        let message = printable(&message);
        write!(to, "{style}{}{style:#} {style}{word}:{style:#} {message}", printable(&place))?;
        if !terminal && !remedy.is_empty() {
            write!(to, ", {}", printable(remedy))?;
        }
        match cause.extent() {
            Some(extent) => writeln!(to, " {QUIET}({extent}){QUIET:#}")?,
            None => writeln!(to)?,
        }
        if terminal && let Some((line, marks)) = underline(cause.first) {
            writeln!(to, "    {line}\n    {style}{marks}{style:#}")?;
        }
        if terminal && !remedy.is_empty() {
            writeln!(to, "    {HELP}help:{HELP:#} {}", printable(remedy))?;
        }
    }
    if problems.beyond_limit() > 0 {
        writeln!(to, "{QUIET}… and {} more{QUIET:#}", problems.beyond_limit())?;
    }
    Ok(())
}

/// Where something is written to: what a command is for, or what is said about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum To {
    Stdout,
    Stderr,
}

/// Writes problems as befits what is at the other end.
pub fn show_problems(problems: &Problems, to: To) -> io::Result<()> {
    match to {
        To::Stdout => {
            let excerpts = io::stdout().is_terminal();
            let mut out = io::BufWriter::new(anstream::AutoStream::auto(io::stdout()));
            write_problems(problems, &mut out, excerpts)?;
            out.flush()
        }
        To::Stderr => write_problems(problems, &mut anstream::stderr().lock(), io::stderr().is_terminal()),
    }
}

/// The line a problem stands in, and the marks below it.
fn underline(problem: &Problem) -> Option<(String, String)> {
    let excerpt = problem.excerpt.as_deref()?;
    let start = (problem.at.column as usize).saturating_sub(1);
    let skipped = if start > EXCERPT_MAX / 2 { start - EXCERPT_MAX / 4 } else { 0 };
    let line: String = excerpt.chars().skip(skipped).take(EXCERPT_MAX).collect();
    let shown = line.chars().count();
    let before = start - skipped;
    if before > shown {
        return None;
    }
    let length = (problem.at.length as usize).clamp(1, (shown - before).max(1));
    // A tab stays a tab, so that the marks stand below their text whatever its width.
    let (mut shown, mut marks) = (String::new(), String::new());
    for (at, one) in line.chars().enumerate() {
        let told = if one == '\t' { "\t".into() } else { printable(one.encode_utf8(&mut [0; 4])).into_owned() };
        let mark = if at < before { ' ' } else { '^' };
        if at < before + length {
            marks.extend(told.chars().map(|told| if told == '\t' && at < before { told } else { mark }));
        }
        shown.push_str(&told);
    }
    // What is missing at the end of the line has a mark of its own.
    if marks.chars().all(|mark| mark != '^') {
        marks.push('^');
    }
    Some((shown, marks))
}

/// Shows on a terminal that work is going on, once it has taken more than a second.
pub struct Progress(ProgressBar);

impl Progress {
    pub fn start(what: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_message(what.to_string());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}: {pos} of {len}, {elapsed}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// Says how far it has come. Cheap enough for every zone.
    pub fn at(&self, done: usize, all: usize) {
        if !done.is_multiple_of(STEP) && done != all {
            return;
        }
        if self.0.is_hidden() && self.0.elapsed() > PATIENCE && io::stderr().is_terminal() {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.0.set_length(all as u64);
        self.0.set_position(done as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(column: u32, length: u32, excerpt: &str) -> Problem {
        let at = At { file: "a.zone".into(), line: 3, column, length };
        Problem::error(at, "bad", "so it is", "mend it").excerpt(excerpt)
    }

    #[test]
    fn the_offending_text_is_underlined() {
        let long = format!("{}bad{}", "x".repeat(1000), "y".repeat(1000));
        for (column, length, excerpt, marks) in [
            (5, 3, "www bad A", "    ^^^"),
            (2, 3, "\tbad", "\t^^^"),
            (5, 0, "www bad", "    ^"),
            (4, 9, "é bäd", "   ^^"),
            (4, 1, "abc", "   ^"),
        ] {
            let (line, found) = underline(&problem(column, length, excerpt)).unwrap();
            assert_eq!((line.as_str(), found.as_str()), (excerpt, marks));
        }
        let (line, marks) = underline(&problem(1001, 3, &long)).unwrap();
        assert_eq!(line.chars().count(), EXCERPT_MAX);
        assert_eq!(&line[marks.len() - 3..marks.len()], "bad");
        assert_eq!(underline(&problem(9, 1, "short")), None);
    }

    #[test]
    fn files_do_not_command_the_terminal() {
        let mut problems = Problems::default();
        problems.push(problem(1, 1, "\x1b[2Jx"));
        let mut out = Vec::new();
        write_problems(&problems, &mut anstream::StripStream::new(&mut out), true).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out, "a.zone:3:1: error: bad, so it is\n    \\u{1b}[2Jx\n    ^^^^^^\n    help: mend it\n");
    }

    #[test]
    fn one_cause_is_told_once_in_one_line() {
        let mut problems = Problems::default();
        for line in [3, 3, 4] {
            let at = At { file: "a.zone".into(), line, column: 1, length: 0 };
            problems.push(Problem::warning(at, "bad", "", "mend it"));
        }
        let mut out = Vec::new();
        write_problems(&problems, &mut anstream::StripStream::new(&mut out), false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a.zone:3:1: warning: bad, mend it (on 2 lines)\n");
    }
}
