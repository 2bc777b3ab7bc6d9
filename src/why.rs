//! The steps behind an answer.
