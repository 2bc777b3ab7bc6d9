//! The model and the verdicts, frozen for answering.

pub mod settings;

pub use settings::Settings;
