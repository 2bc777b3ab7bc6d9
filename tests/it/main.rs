//! What proves the server right, in one binary.

mod agreement;
mod allocations;
mod denial;
mod doors;
mod doors_hostile;
mod doors_proxy;
mod doors_same;
mod doors_swap;
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
