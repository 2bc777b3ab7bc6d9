//! The model and the verdicts, frozen for answering.
