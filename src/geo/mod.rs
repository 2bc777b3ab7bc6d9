//! Geography: a client's address to the place it stands in.
