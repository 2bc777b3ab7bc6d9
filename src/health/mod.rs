//! Health: probe results in, verdicts out.

pub mod alarm;
pub mod checker;
pub mod finding;
pub mod tracker;
pub mod verdicts;
