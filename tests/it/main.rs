//! What proves the server right, in one binary.

mod tidy;
