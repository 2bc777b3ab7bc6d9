//! All that touches the world: sockets, files, clocks, threads.
