//! EDNS options: what a query's OPT record says, and the OPT record of a reply.
