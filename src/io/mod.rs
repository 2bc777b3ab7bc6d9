//! All that touches the world: sockets, files, clocks, threads, randomness. Nothing outside this folder does.

pub mod accept;
pub mod admin_client;
pub mod announce;
pub mod bind;
pub mod admin;
pub mod clock;
pub mod confine;
pub mod crowd;
pub mod daemon;
pub mod doors;
pub mod folder;
pub mod framed;
pub mod geo;
pub mod hands;
pub mod health;
pub mod live;
pub mod load;
pub mod log;
pub mod probe;
pub mod proxy;
pub mod repeated;
pub mod responder;
pub mod routing_tests;
pub mod service;
pub mod settings;
pub mod state;
pub mod sys;
pub mod tcp;
pub mod terminal;
pub mod turns;
pub mod udp;
pub mod upstream;
pub mod watch;

pub use responder::Responder;
