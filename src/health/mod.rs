//! Health: probe results in, verdicts out.

pub mod verdicts;
