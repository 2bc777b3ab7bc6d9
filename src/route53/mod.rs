//! Front door: what the AWS CLI dumps, and the TOML files that say the same, to the model.
//!
//! JSON and TOML are read into one tree that knows its places in the file; everything else works on the tree.

pub mod cidr_collections;
pub mod document;
pub mod health_checks;
pub mod json;
pub mod octal;
pub mod record_sets;
pub mod toml;
pub mod tree;
pub mod vpcs;
