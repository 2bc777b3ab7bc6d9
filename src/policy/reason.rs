//! Why a policy chose whom it chose: data for `explain`, and a sentence of it.

use std::fmt;

use ipnet::IpNet;

use super::latency::Because;
use super::{BiasFormula, Member};
use crate::geo::place::text;
use crate::model::Id;
use crate::model::record_set::{CidrLocation, Location, Role};

#[derive(Clone, PartialEq, Debug)]
pub enum Reason {
    Simple,
    Weighted {
        weight: u8,
        /// The weights of all the draw was among.
        total: u32,
        among: usize,
        last_resort: bool,
    },
    Failover {
        role: Role,
        last_resort: bool,
    },
    Latency {
        region: Id,
        because: Because,
        /// Whether the client's coordinates are known; else it counts as standing at `STANDS_IN`.
        placed: bool,
        last_resort: bool,
    },
    Geolocation {
        location: Location,
        /// Smaller regions that the client is in, whose records are unhealthy.
        passed_over: Vec<Location>,
        last_resort: bool,
    },
    Geoproximity {
        /// `None` where the geography doesn't know the member's region.
        kilometres: Option<f64>,
        bias: i8,
        biased: Option<f64>,
        formula: BiasFormula,
        /// Whom the other formula would have chosen, where that is somebody else.
        by_the_other_formula: Option<Member>,
        /// Whether the client's coordinates are known; else it counts as standing at `STANDS_IN`.
        placed: bool,
        last_resort: bool,
    },
    IpBased {
        location: CidrLocation,
        /// The block that the client is in; none for the default record.
        block: Option<IpNet>,
        last_resort: bool,
    },
    Multivalue {
        chosen: usize,
        among: usize,
        last_resort: bool,
    },
    /// No record is for this client, and there is no default.
    Nobody,
}

impl Reason {
    /// Nobody who could answer is healthy, so everybody is taken to be.
    pub fn is_last_resort(&self) -> bool {
        match self {
            Reason::Simple | Reason::Nobody => false,
            Reason::Weighted { last_resort, .. }
            | Reason::Failover { last_resort, .. }
            | Reason::Latency { last_resort, .. }
            | Reason::Geolocation { last_resort, .. }
            | Reason::Geoproximity { last_resort, .. }
            | Reason::IpBased { last_resort, .. }
            | Reason::Multivalue { last_resort, .. } => *last_resort,
        }
    }
}

/// What chose, and then what else there is to know.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.main(), self.caveats())
    }
}

impl Reason {
    /// What chose.
    pub fn main(&self) -> impl fmt::Display {
        Main(self)
    }

    /// What else there is to know of it, each behind a semicolon.
    pub fn caveats(&self) -> impl fmt::Display {
        Caveats(self)
    }
}

struct Main<'a>(&'a Reason);

impl fmt::Display for Main<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reason::Simple => f.write_str("the only record"),
            Reason::Nobody => f.write_str("no record is for this client"),
            Reason::Weighted { among: 1, .. } => f.write_str("the only candidate"),
            Reason::Weighted { total: 0, among, .. } => write!(f, "drawn from {among} standbys, all alike"),
            Reason::Weighted { weight, total, among, .. } => {
                write!(f, "drawn from {among}, weight {weight} of {total}")
            }
            Reason::Failover { role: Role::Primary, .. } => f.write_str("the primary"),
            Reason::Failover { role: Role::Secondary, .. } => f.write_str("the secondary"),
            Reason::Latency { region, because, .. } => latency(f, region, because),
            Reason::Geolocation { location, passed_over, .. } => {
                write!(f, "for {}", Shown(location))?;
                passed_over.iter().try_for_each(|smaller| write!(f, ", as {} is unhealthy", Shown(smaller)))
            }
            Reason::Geoproximity { kilometres: Some(actual), bias: 0, .. } => write!(f, "nearest, {actual:.0} km"),
            Reason::Geoproximity { kilometres: Some(actual), bias, biased: Some(biased), .. } => {
                write!(f, "nearest, {actual:.0} km with bias {bias:+} counts as {biased:.0} km")
            }
            Reason::Geoproximity { .. } => f.write_str("its region is unknown here, and nobody is nearer"),
            Reason::IpBased { location: CidrLocation::Default, .. } => f.write_str("the default location *"),
            Reason::IpBased { location: CidrLocation::Named(name), block, .. } => {
                write!(f, "location {name}")?;
                block.map_or(Ok(()), |block| write!(f, ", block {block}"))
            }
            Reason::Multivalue { chosen, among: 1, .. } if *chosen == 1 => f.write_str("the only candidate"),
            Reason::Multivalue { chosen, among, .. } if chosen == among => write!(f, "all {among} together"),
            Reason::Multivalue { chosen, among, .. } => write!(f, "{chosen} drawn from {among}"),
        }
    }
}

struct Caveats<'a>(&'a Reason);

impl fmt::Display for Caveats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Reason::Latency { placed: false, because: Because::Lowest(_), .. }
        | Reason::Geoproximity { placed: false, .. } = self.0
        {
            f.write_str("; the client's whereabouts are unknown and count as N. Virginia")?;
        }
        match self.0 {
            // Others of the group may be healthy; they are for other clients.
            Reason::Geolocation { last_resort: true, .. } | Reason::IpBased { last_resort: true, .. } => {
                f.write_str("; the last resort, as no record for this client is healthy")
            }
            reason if reason.is_last_resort() => f.write_str("; the last resort"),
            _ => Ok(()),
        }
    }
}

fn latency(f: &mut fmt::Formatter<'_>, region: &str, because: &Because) -> fmt::Result {
    match because {
        Because::Lowest(latency) => {
            write!(f, "{region} has the lowest latency, {:.0} ms ", latency.milliseconds)?;
            match &latency.measured {
                Some(row) => write!(f, "by {}:{}", row.file, row.line),
                None => f.write_str("estimated from the distance"),
            }
        }
        Because::China => write!(f, "{region} answers clients in China"),
        Because::SameRegion => write!(f, "the VPC is in {region}"),
        Because::Nearest { kilometres } => write!(f, "{region} is nearest to the VPC's region, {kilometres:.0} km"),
        Because::UnknownRegion => write!(f, "{region} is unknown here, and no other region is nearer"),
    }
}

/// A location as operators write it: `US-CA`, `US`, `continent NA`, `the default`.
pub struct Shown<'a>(pub &'a Location);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Location::Default => f.write_str("everybody else (the default)"),
            Location::Continent(code) => write!(f, "continent {}", text(code)),
            Location::Country(code) => write!(f, "country {}", text(code)),
            Location::Subdivision { country, subdivision } => write!(f, "{}-{}", text(country), text(subdivision)),
        }
    }
}
