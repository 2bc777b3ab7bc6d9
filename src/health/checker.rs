//! Who asks endpoints: this server, under one name or several.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Id;

/// The checker that there is when nobody names any.
pub const LOCAL: &str = "local";

/// Checkers of one server. Each asks every endpoint; ours.
pub const LOCAL_CHECKERS_MAX: usize = 16;

/// One checker of this server: it counts its own results, as one of Route 53's does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checker {
    pub name: Id,
    /// Where it asks from. Endpoints of a family without an address here are asked from wherever the system chooses.
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
}

impl Checker {
    pub fn local() -> Checker {
        Checker { name: LOCAL.into(), ipv4: None, ipv6: None }
    }

    /// The address from which it asks an endpoint at this one.
    pub fn source(&self, endpoint: IpAddr) -> Option<IpAddr> {
        match endpoint {
            IpAddr::V4(_) => self.ipv4.map(IpAddr::V4),
            IpAddr::V6(_) => self.ipv6.map(IpAddr::V6),
        }
    }

    pub fn sources(&self) -> impl Iterator<Item = IpAddr> {
        self.ipv4.map(IpAddr::V4).into_iter().chain(self.ipv6.map(IpAddr::V6))
    }
}
