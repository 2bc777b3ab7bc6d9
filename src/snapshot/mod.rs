//! The model and the verdicts, frozen for answering.

mod build;
pub mod denial;
mod draft;
pub mod group;
pub mod image;
mod meaning;
pub mod settings;

pub use build::build;
pub use image::ZoneImage;
pub use settings::Settings;
