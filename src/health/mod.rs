//! Health: probe results in, verdicts out.
