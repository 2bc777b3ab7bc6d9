//! The data plane: who asks what, and what is the answer.
