//! Log lines, on stderr: for people, or one JSON object each. Logging never blocks: lines wait in a queue for a thread
//! that writes them (`queue`).

mod queue;

use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::Duration;

use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::config::Log;
use crate::printable::{is_escaped, printable};
use queue::Queue;

/// The variable that says more or less than `info`, as `tracing-subscriber` understands it. `human` and `json` are the
/// setting `log`, which says how lines are written, and no filter.
const FILTER_VARIABLE: &str = "FINGERPOST_LOG";

/// How long the end waits for a reader of the last lines. Ours: long for a reader, short for an operator.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// The queue of this process.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Logs from here on. A second call changes nothing. Lines wait until `write` is called.
pub fn start(log: Log) {
    let queue = QUEUE.get_or_init(|| Queue::to(io::stderr()));
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let filter = if matches!(&*filter, "human" | "json") { "" } else { &*filter };
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse_lossy(filter);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || queue).with_target(false);
    // A log on a disk that is full loses lines; saying so on the same disk would end us.
    let lines = lines.log_internal_errors(false);
    // Only the first subscriber counts, which is what we want.
    let _ = match log {
        Log::Human => {
            let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
            lines.fmt_fields(debug_fn(write_field).delimited(" ")).with_ansi(colours).try_init()
        }
        Log::Json => lines.json().flatten_event(true).with_writer(move || Escaping(queue)).try_init(),
    };
}

/// Starts the thread that writes the lines. It is to be called once the process has confined itself, because a thread
/// is confined by itself. Without a thread each line is written where it is logged.
pub fn write() {
    let Some(queue) = QUEUE.get() else { return };
    if let Err(error) = queue.start(|name, run| std::thread::Builder::new().name(name.into()).spawn(run).map(drop)) {
        tracing::warn!(%error, "no thread can be started for the log; a log that is not read will block the server");
    }
}

/// Waits for a moment until all lines are written. Returns whether they are.
pub fn flush() -> bool {
    write();
    QUEUE.get().is_none_or(|queue| queue.flush(FLUSH_MAX))
}

/// Lines that were lost: the log was not read in time, or could not be written.
pub fn dropped() -> u64 {
    QUEUE.get().map_or(0, Queue::dropped)
}

/// Lines of JSON, with escapes for what JSON lets stand and a terminal obeys. The subscriber writes each line whole.
struct Escaping(&'static Queue);

impl Write for Escaping {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.0;
        match std::str::from_utf8(line).map(json_escaped) {
            Ok(Some(escaped)) => queue.write_all(escaped.as_bytes())?,
            _ => queue.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line of JSON in which such characters stand as JSON escapes them (RFC 8259, 7); none where there are none. They are
/// all in strings, but for the end of the line.
fn json_escaped(line: &str) -> Option<String> {
    let is_meant = |one: char| one != '\n' && is_escaped(one);
    line.contains(is_meant).then(|| {
        let mut escaped = String::with_capacity(line.len() + 16);
        for one in line.chars() {
            match is_meant(one) {
                true => escaped.push_str(&format!("\\u{:04x}", u32::from(one))),
                false => escaped.push(one),
            }
        }
        escaped
    })
}

/// A field of a line for people: one line, whatever others wrote into a name or a reason.
fn write_field(to: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = printable(&value);
    match (field.name(), to.has_ansi_escapes()) {
        ("message", _) => to.write_str(&value),
        (name, false) => write!(to, "{name}={value}"),
        (name, true) => {
            let (name_style, equals) = (anstyle::Style::new().italic(), anstyle::Style::new().dimmed());
            write!(to, "{name_style}{name}{name_style:#}{equals}={equals:#}{value}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_with_nothing_that_a_terminal_obeys() {
        let text = "a\u{1b}\n\u{7f}\u{9b}\u{202e}\u{2028}\u{61c}é👩";
        let line = format!("{}\n", serde_json::json!({ "message": text }));
        let escaped = json_escaped(&line).expect("there is something");
        assert_eq!(escaped, "{\"message\":\"a\\u001b\\n\\u007f\\u009b\\u202e\\u2028\\u061cé👩\"}\n");
        let read: serde_json::Value = serde_json::from_str(&escaped).expect("JSON");
        assert_eq!(read["message"], text);
        assert_eq!(json_escaped("{\"message\":\"é\"}\n"), None);
    }
}
