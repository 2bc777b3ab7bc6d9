//! Front door: zone files to the model.

pub mod annotation;
