//! Flags, then one of the commands.

fn main() {}
