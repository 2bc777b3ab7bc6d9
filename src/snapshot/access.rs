//! Who may ask: the networks that are let in or kept out, by the server, by one of its listeners, by a zone.
//!
//! | a client                                   | is                                      |
//! |--------------------------------------------|-----------------------------------------|
//! | in networks that are named                 | let in or kept out, as the longest says |
//! | in none, while some are named to be let in | kept out                                |
//! | in none, while none is                     | let in                                  |
//!
//! A listener with rules of its own goes by these alone, any other by the server's. Whoever is let in there has to be
//! let in by the zone that answers, too. A client is its address: what EDNS Client Subnet says proves nothing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};

use crate::wire::name::Name;

/// IPv4 addresses among those of IPv6 (RFC 4291, 2.5.5.2), so that one table holds both.
const MAPPED: u128 = 0xffff << 32;
const MAPPED_LAST: u128 = MAPPED | 0xffff_ffff;

/// Everybody's rules. Where there are none, there is none of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    server: Option<Rules>,
    listeners: Vec<(SocketAddr, Rules)>,
    /// In the order of their names' bytes.
    zones: Vec<(Name, Rules)>,
}

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Server,
    /// By number.
    Listener(u32),
    Zone(u32),
}

/// What becomes of whoever is kept out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Treatment {
    /// REFUSED.
    #[default]
    Refused,
    /// Silence, and no connection.
    Dropped,
}

/// A client that is kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    pub by: Whose,
    pub treatment: Treatment,
}

/// Which networks are let in, and which are not.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub treatment: Treatment,
    /// Longest prefix first, for telling.
    networks: Vec<(IpNet, bool)>,
    /// The same for answering: where a range of addresses begins, and whether it is let in.
    ranges: Box<[(u128, bool)]>,
}

impl Rules {
    /// No network may be in both lists.
    pub fn new(allow: &[IpNet], deny: &[IpNet], treatment: Treatment) -> Rules {
        let named = |networks: &[IpNet], allowed| networks.iter().map(|&one| (plain(one), allowed)).collect::<Vec<_>>();
        let mut networks = named(allow, true);
        networks.extend(named(deny, false));
        networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        let others = allow.is_empty();
        Rules { treatment, ranges: ranges(&networks, others).into(), networks }
    }

    #[inline]
    pub fn let_in(&self, client: IpAddr) -> bool {
        let address = number(client);
        let after = self.ranges.partition_point(|&(first, _)| first <= address);
        self.ranges[after - 1].1
    }

    /// The longest network that a client is in.
    pub fn network_of(&self, client: IpAddr) -> Option<IpNet> {
        let client = client.to_canonical();
        self.networks.iter().map(|&(network, _)| network).find(|network| network.contains(&client))
    }
}

impl Access {
    pub fn new(server: Option<Rules>, listeners: Vec<(SocketAddr, Rules)>, zones: Vec<(Name, Rules)>) -> Access {
        let mut zones: Vec<_> = zones.into_iter().map(|(zone, rules)| (zone.to_lowercase(), rules)).collect();
        zones.sort_by(|(one, _), (other, _)| one.wire().cmp(other.wire()));
        Access { server, listeners, zones }
    }

    pub fn rules(&self, whose: Whose) -> Option<&Rules> {
        match whose {
            Whose::Server => self.server.as_ref(),
            Whose::Listener(number) => self.listeners.get(number as usize).map(|(_, rules)| rules),
            Whose::Zone(number) => self.zones.get(number as usize).map(|(_, rules)| rules),
        }
    }

    /// Where in the settings the rules stand.
    pub fn title(&self, whose: Whose) -> String {
        match whose {
            Whose::Server => "access".to_string(),
            Whose::Listener(number) => {
                let listener = self.listeners.get(number as usize).map(|(listener, _)| listener.to_string());
                format!("access.listener.\"{}\"", listener.unwrap_or_default())
            }
            Whose::Zone(number) => {
                let zone = self.zones.get(number as usize).map(|(zone, _)| zone.without_dot());
                format!("access.zone.\"{}\"", zone.unwrap_or_default())
            }
        }
    }

    /// Whether a client is kept out at the address that it asks.
    #[inline]
    pub fn at_door(&self, client: IpAddr, listener: Option<&SocketAddr>) -> Option<Denied> {
        let own = listener.and_then(|listener| self.listeners.iter().position(|(address, _)| address == listener));
        let whose = own.map_or(Whose::Server, |number| Whose::Listener(number as u32));
        self.judged(whose, client)
    }

    /// Whether a client is kept out of the zone of this name (in wire form and lower case).
    #[inline]
    pub fn at_zone(&self, client: IpAddr, origin: &[u8]) -> Option<Denied> {
        let number = self.zones.binary_search_by(|(zone, _)| zone.wire().cmp(origin)).ok()?;
        self.judged(Whose::Zone(number as u32), client)
    }

    fn judged(&self, by: Whose, client: IpAddr) -> Option<Denied> {
        let rules = self.rules(by)?;
        (!rules.let_in(client)).then_some(Denied { by, treatment: rules.treatment })
    }
}

/// An IPv4 network that is written as IPv6 is an IPv4 network.
fn plain(network: IpNet) -> IpNet {
    match network.network() {
        IpAddr::V6(address) if network.prefix_len() >= 96 => match address.to_ipv4_mapped() {
            Some(address) => Ipv4Net::new(address, network.prefix_len() - 96).map_or(network, IpNet::V4),
            None => network,
        },
        _ => network.trunc(),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => MAPPED | u128::from(address.to_bits()),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address),
    }
}

/// Cuts all addresses into ranges in each of which the longest network is the same. `others` are those in none.
fn ranges(networks: &[(IpNet, bool)], others: bool) -> Vec<(u128, bool)> {
    // A network of IPv6 addresses holds no IPv4 address, however wide it is.
    let mut spans = vec![(MAPPED, MAPPED_LAST, others)];
    for &(network, allowed) in networks.iter().rev() {
        spans.push((number(network.network()), number(network.broadcast()), allowed));
    }
    // Wider ones before those within them; the sort keeps the order of equals.
    spans.sort_by_key(|&(first, last, _)| (first, std::cmp::Reverse(last)));
    let mut cut = vec![(0, others)];
    let mut within = vec![(u128::MAX, others)];
    for (first, last, allowed) in spans {
        leave(&mut within, &mut cut, |end| end < first);
        begin(&mut cut, first, allowed);
        within.push((last, allowed));
    }
    leave(&mut within, &mut cut, |end| end < u128::MAX);
    cut
}

/// Leaves the networks that have ended; behind each goes on what is around it.
fn leave(within: &mut Vec<(u128, bool)>, cut: &mut Vec<(u128, bool)>, has_ended: impl Fn(u128) -> bool) {
    while let [.., (_, around), (end, _)] = *within.as_slice()
        && has_ended(end)
    {
        begin(cut, end + 1, around);
        within.pop();
    }
}

fn begin(cut: &mut Vec<(u128, bool)>, first: u128, allowed: bool) {
    while cut.last().is_some_and(|&(begun, _)| begun == first) {
        cut.pop();
    }
    if cut.last().is_none_or(|&(_, before)| before != allowed) {
        cut.push((first, allowed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Dice, Seeded};

    fn networks(text: &str) -> Vec<IpNet> {
        text.split_whitespace().map(|one| one.parse().unwrap()).collect()
    }

    fn rules(allow: &str, deny: &str) -> Rules {
        Rules::new(&networks(allow), &networks(deny), Treatment::Refused)
    }

    #[test]
    fn the_longest_network_decides() {
        let inside = rules("192.0.2.0/24 2001:db8::/32", "192.0.2.64/26 2001:db8:1::/48");
        let outside = rules("192.0.2.65/32", "192.0.2.64/26");
        let but_some = rules("", "192.0.2.0/24 ::/0");
        for (rules, client, let_in) in [
            (&inside, "192.0.2.1", true),
            (&inside, "192.0.2.63", true),
            (&inside, "192.0.2.64", false),
            (&inside, "192.0.2.127", false),
            (&inside, "192.0.2.128", true),
            (&inside, "192.0.3.0", false),
            (&inside, "2001:db8::1", true),
            (&inside, "2001:db8:1:ffff::", false),
            (&inside, "2001:db8:2::", true),
            (&inside, "::ffff:192.0.2.1", true),
            (&inside, "::ffff:192.0.2.64", false),
            (&inside, "::192.0.2.1", false),
            (&outside, "192.0.2.65", true),
            (&outside, "192.0.2.66", false),
            (&outside, "198.51.100.1", false),
            (&but_some, "192.0.2.1", false),
            (&but_some, "198.51.100.1", true),
            (&but_some, "2001:db8::1", false),
            (&but_some, "::ffff:198.51.100.1", true),
            (&but_some, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
        ] {
            assert_eq!(rules.let_in(client.parse().unwrap()), let_in, "{client} {:?}", rules.networks);
        }
    }

    #[test]
    fn a_network_of_mapped_addresses_is_one_of_ipv4() {
        let rules = rules("::ffff:192.0.2.0/120", "");
        assert!(rules.let_in("192.0.2.9".parse().unwrap()));
        assert!(!rules.let_in("192.0.3.9".parse().unwrap()));
        assert_eq!(rules.network_of("::ffff:192.0.2.9".parse().unwrap()), Some("192.0.2.0/24".parse().unwrap()));
    }

    /// As the table at the top says it, network by network.
    fn plainly(networks: &[(IpNet, bool)], others: bool, client: IpAddr) -> bool {
        let within = networks.iter().filter(|(network, _)| network.contains(&client));
        within.max_by_key(|(network, _)| network.prefix_len()).map_or(others, |&(_, allowed)| allowed)
    }

    /// Few different bits, so that networks lie within and beside each other.
    fn any_network(dice: &mut Seeded) -> IpNet {
        let (bits, length) = (dice.roll(256), dice.roll(11) as u8);
        let address: IpAddr = match dice.roll(2) {
            0 => Ipv6Addr::from_bits(u128::from(bits) << 120).into(),
            _ => std::net::Ipv4Addr::from_bits(bits << 24).into(),
        };
        IpNet::new(address, length).unwrap().trunc()
    }

    #[test]
    fn ranges_say_what_networks_say() {
        let mut dice = Seeded::new(3);
        for _ in 0..500 {
            let mut named: Vec<IpNet> = (0..8).map(|_| any_network(&mut dice)).collect();
            named.sort();
            named.dedup();
            let mut edges: Vec<IpAddr> = named.iter().flat_map(|one| [one.network(), one.broadcast()]).collect();
            edges.extend((0..64).map(|_| any_network(&mut dice).network()));
            named.sort_by_cached_key(|_| dice.roll(1000));
            let (allow, deny) = named.split_at(dice.roll(named.len() as u32 + 1) as usize);
            let rules = Rules::new(allow, deny, Treatment::Refused);
            for client in edges {
                let expected = plainly(&rules.networks, allow.is_empty(), client);
                assert_eq!(rules.let_in(client), expected, "{client}, allow {allow:?}, deny {deny:?}");
            }
        }
    }

    #[test]
    fn a_listener_with_rules_of_its_own_goes_by_them_alone() {
        let listener: SocketAddr = "192.0.2.53:53".parse().unwrap();
        let own = Rules::new(&networks("198.51.100.0/24"), &[], Treatment::Dropped);
        let access = Access::new(Some(rules("", "198.51.100.0/24")), vec![(listener, own)], Vec::new());
        let denied = |client: &str, at: Option<&SocketAddr>| access.at_door(client.parse().unwrap(), at);
        let other = "192.0.2.53:853".parse().unwrap();
        let by_server = Some(Denied { by: Whose::Server, treatment: Treatment::Refused });
        assert_eq!(denied("198.51.100.7", Some(&listener)), None);
        assert_eq!(denied("198.51.100.7", Some(&other)), by_server);
        assert_eq!(denied("198.51.100.7", None), by_server);
        let by_listener = Some(Denied { by: Whose::Listener(0), treatment: Treatment::Dropped });
        assert_eq!(denied("203.0.113.7", Some(&listener)), by_listener);
        assert_eq!(denied("203.0.113.7", Some(&other)), None);
        assert_eq!(access.title(Whose::Listener(0)), "access.listener.\"192.0.2.53:53\"");
    }

    #[test]
    fn rules_are_for_the_zone_of_their_name() {
        let name = |text: &str| Name::parse_absolute(text).unwrap();
        let zones = ["example.org", "example", "a.example", "."].map(|zone| (name(zone), rules("", "192.0.2.0/24")));
        let access = Access::new(None, Vec::new(), zones.to_vec());
        for (zone, is_denied) in [("example", true), ("a.example", true), ("b.example", false), (".", true)] {
            let denied = access.at_zone("192.0.2.1".parse().unwrap(), name(zone).wire());
            assert_eq!(denied.is_some(), is_denied, "{zone}");
            assert_eq!(access.at_zone("192.0.3.1".parse().unwrap(), name(zone).wire()), None, "{zone}");
        }
        assert_eq!(access.at_door("192.0.2.1".parse().unwrap(), None), None);
    }
}
