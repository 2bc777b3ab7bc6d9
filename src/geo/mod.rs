//! Where clients are: from an address to a place, and from a place to what is near it.

pub mod place;
pub mod region;
pub mod countries;
pub mod csv;
mod table;
pub mod latency;
mod rows;
mod database;
mod mmdb;
mod ranges;
pub mod geography;
mod summary;
mod build;
pub mod cidr_map;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use build::GeoFile;
pub use cidr_map::CidrMap;
pub use geography::{DatabaseFile, Geography, Source};
pub use place::{Code, Coordinates, Place, PlaceId, Spot};
pub use region::{Region, RegionId};
