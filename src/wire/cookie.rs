//! DNS cookies (RFC 7873, 9018).
