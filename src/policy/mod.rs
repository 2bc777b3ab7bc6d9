//! Routing policies: candidates in, a choice out.
