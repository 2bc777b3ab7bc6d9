//! A query, read from a packet.
