//! Answers, written as packets.
