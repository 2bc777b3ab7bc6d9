//! Stand-ins for names outside: fixed addresses that a lab answers in place of what a resolver would say.
//!
//! | the target of an alias                  | answered                                    |
//! |-----------------------------------------|---------------------------------------------|
//! | a name of a zone here                   | by that zone                                |
//! | matches the pattern of a stand-in       | the stand-in's addresses of the type        |
//! | … which has none of the type            | NODATA                                      |
//! | any other name                          | what a resolver said of it                  |

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Snapshot;
use super::upstream::{Outside, Said, Standing, Upstream};
use crate::glob;
use crate::wire::name::Name;
use crate::wire::rtype::Type;

/// The TTL of a stand-in's addresses in seconds: that of Elastic Load Balancing.
pub const TTL: u32 = 60;

/// Ours: each name outside is compared with all patterns when zones are loaded.
pub const PATTERNS_MAX: usize = 1000;

/// Ours: no load balancer has as many.
pub const ADDRESSES_MAX: usize = 100;

/// A pattern, and the addresses that stand in for the names it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// In lower case and without the final dot; `*` matches any letters, dots included.
    pub pattern: Box<str>,
    pub addresses: Vec<IpAddr>,
}

/// All stand-ins, the most specific first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandIns(Vec<StandIn>);

impl StandIns {
    pub fn new(mut all: Vec<StandIn>) -> StandIns {
        // A whole name is the most specific, then the pattern with the most letters.
        let letters = |one: &StandIn| one.pattern.bytes().filter(|&byte| byte != b'*').count();
        all.sort_by(|one, other| {
            let key = |one: &StandIn| (one.pattern.contains('*'), Reverse(letters(one)));
            key(one).cmp(&key(other)).then_with(|| one.pattern.cmp(&other.pattern))
        });
        StandIns(all)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The stand-in for a name outside, if there is one.
    pub fn of(&self, outside: &Outside) -> Option<&StandIn> {
        if self.is_empty() {
            return None;
        }
        self.of_name(&outside.name)
    }

    /// The stand-in for a name, of whatever type.
    pub fn of_name(&self, name: &Name) -> Option<&StandIn> {
        let name = name.without_dot().to_ascii_lowercase();
        self.0.iter().find(|one| matches(one.pattern.as_bytes(), name.as_bytes()))
    }
}

impl StandIn {
    fn said(&self, outside: &Outside) -> Said {
        let data: Vec<Vec<u8>> = self.addresses.iter().filter_map(|address| data(address, outside.rtype)).collect();
        if data.is_empty() { Said::nothing() } else { Said::records(outside, TTL, &data) }
    }
}

fn data(address: &IpAddr, rtype: Type) -> Option<Vec<u8>> {
    match address {
        IpAddr::V4(address) if rtype == Type::A => Some(address.octets().to_vec()),
        IpAddr::V6(address) if rtype == Type::AAAA => Some(address.octets().to_vec()),
        _ => None,
    }
}

/// Whether a pattern with `*` for any bytes is all of a text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    glob::matches(pattern, text, b'*', None)
}

impl Snapshot {
    /// The same with the stand-ins of its settings among what is known of names outside, and no others.
    pub(super) fn with_stand_ins(self) -> Snapshot {
        let stand_ins = &self.settings.stand_ins;
        if stand_ins.is_empty() && !self.upstream.has_stand_ins() {
            return self;
        }
        let said = |outside: Outside| stand_ins.of(&outside).map(|one| one.said(&outside)).map(|said| (outside, said));
        let own: BTreeMap<Outside, Said> = self.upstream_targets().all.into_iter().filter_map(said).collect();
        let heard: Vec<_> = self.upstream.heard_of().filter(|(outside, ..)| !own.contains_key(outside)).collect();
        let own = own.into_iter().map(|(outside, said)| (outside, Arc::new(said), Standing::StandIn));
        let upstream = Arc::new(Upstream::new(self.key, own.chain(heard)));
        Snapshot { upstream, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::Name;

    fn outside(name: &str) -> Outside {
        Outside { name: Arc::new(Name::parse_absolute(name).unwrap()), rtype: Type::A }
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let patterns =
            ["*", "*.elb.amazonaws.com", "*.us-east-1.elb.amazonaws.com", "a.us-east-1.elb.amazonaws.com", "d*.net"];
        let stand_in =
            |pattern: &&str| StandIn { pattern: (*pattern).into(), addresses: vec!["192.0.2.1".parse().unwrap()] };
        let all = StandIns::new(patterns.iter().map(stand_in).collect());
        for (name, pattern) in [
            ("a.us-east-1.elb.amazonaws.com", "a.us-east-1.elb.amazonaws.com"),
            ("b.us-east-1.elb.amazonaws.com", "*.us-east-1.elb.amazonaws.com"),
            ("b.eu-west-1.elb.amazonaws.com", "*.elb.amazonaws.com"),
            ("elb.amazonaws.com", "*"),
            ("d111.cloudfront.net", "d*.net"),
            ("other.net", "*"),
        ] {
            assert_eq!(all.of(&outside(name)).map(|one| &*one.pattern), Some(pattern), "{name}");
        }
        assert_eq!(StandIns::default().of(&outside("a.example")), None);
    }

    #[test]
    fn a_star_matches_any_letters() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "b", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("*ab*ab", "aabaab", true),
            ("*ab*ab", "aab", false),
            ("**", "x", true),
            ("*.a.b", "a.b", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
