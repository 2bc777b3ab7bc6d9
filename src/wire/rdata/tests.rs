//! Every type, from text to bytes and back.
