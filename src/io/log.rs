//! Log lines, on stderr: for people, or one JSON object each.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// The variable that says more or less than `info`, as `tracing-subscriber` understands it. `human` and `json` are the
/// setting `log`, which says how lines are written, and no filter.
const FILTER_VARIABLE: &str = "FINGERPOST_LOG";

/// Logs from here on. A second call changes nothing.
pub fn start(log: Log) {
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let filter = if matches!(&*filter, "human" | "json") { "" } else { &*filter };
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse_lossy(filter);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // A log on a disk that is full loses lines; saying so on the same disk would end us.
    let lines = lines.log_internal_errors(false);
    // Only the first subscriber counts, which is what we want.
    let _ = match log {
        Log::Human => {
            let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
            lines.with_ansi(colours).try_init()
        }
        Log::Json => lines.json().flatten_event(true).try_init(),
    };
}
