//! Bytes in, bytes out: parse, answer, encode.
