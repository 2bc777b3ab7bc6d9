//! Where clients are: from an address to a place, and from a place to what is near it.

pub mod cidr_map;
pub mod geography;
pub mod latency;
pub mod place;
pub mod region;
mod table;

pub use cidr_map::CidrMap;
pub use geography::{Geography, Source};
pub use place::{Code, Coordinates, Place, PlaceId, Spot};
pub use region::{Region, RegionId};
