//! What proves the server right, in one binary.

mod agreement;
mod allocations;
mod denial;
mod folders;
mod fuzz;
mod limits;
mod message;
mod packets;
mod random_zones;
mod reference;
mod scenarios;
mod server;
mod settings;
mod sha1;
mod signed;
mod simulation;
mod sockets;
mod telling;
mod text;
mod tidy;
