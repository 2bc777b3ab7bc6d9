//! The files that are looked at.

#[path = "../../../src/io/clock.rs"]
pub mod clock;
#[path = "../../../src/io/repeated.rs"]
pub mod repeated;
#[path = "../../../src/io/responder.rs"]
pub mod responder;
#[path = "../../../src/io/sys.rs"]
pub mod sys;
#[path = "../../../src/io/udp.rs"]
pub mod udp;

pub use responder::Responder;
