//! Health: probe results in, verdicts out.

pub mod finding;
pub mod tracker;
pub mod verdicts;
