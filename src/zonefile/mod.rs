//! Front door: zone files to the model.
