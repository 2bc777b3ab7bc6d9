//! What proves the server right, in one binary.

mod sockets;
mod tidy;
