//! The blocks of one CIDR collection, flat: one map, however many groups use it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::table::{Table, flatten};
use crate::model::{CidrCollection, Id};

/// A location of one collection, by number: in the order of names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CidrLocationId(pub u32);

impl CidrLocationId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A block, and the location it is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    pub network: IpNet,
    pub location: CidrLocationId,
    /// The next wider block around it: a number and 1, or 0.
    around: u32,
}

#[derive(Debug)]
pub struct CidrMap {
    name: Id,
    locations: Vec<Id>,
    blocks: Vec<Block>,
    /// Numbers of blocks and 1; 0 is outside of all.
    v4: Table<u32>,
    v6: Table<u128>,
}

impl CidrMap {
    pub fn new(collection: &CidrCollection) -> CidrMap {
        let mut blocks: Vec<Block> = (0..)
            .zip(collection.locations.values())
            .flat_map(|(location, networks)| {
                let location = CidrLocationId(location);
                networks.iter().map(move |network| Block { network: network.trunc(), location, around: 0 })
            })
            .collect();
        // Wider blocks stand before those inside them.
        blocks.sort_by_key(|block| (block.network.network(), block.network.prefix_len()));
        let mut open: Vec<usize> = Vec::new();
        for number in 0..blocks.len() {
            let network = blocks[number].network;
            while open.last().is_some_and(|&around| !blocks[around].network.contains(&network)) {
                open.pop();
            }
            blocks[number].around = open.last().map_or(0, |&around| around as u32 + 1);
            open.push(number);
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (number, block) in (1..).zip(&blocks) {
            match block.network {
                IpNet::V4(network) => v4.push((network.network().to_bits(), network.prefix_len(), number)),
                IpNet::V6(network) => v6.push((network.network().to_bits(), network.prefix_len(), number)),
            }
        }
        CidrMap {
            name: collection.name.clone(),
            locations: collection.locations.keys().cloned().collect(),
            blocks,
            v4: Table::new(flatten(v4, 0)),
            v6: Table::new(flatten(v6, 0)),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn location_named(&self, name: &str) -> Option<CidrLocationId> {
        let found = self.locations.binary_search_by(|location| (**location).cmp(name)).ok()?;
        u32::try_from(found).ok().map(CidrLocationId)
    }

    pub fn location(&self, location: CidrLocationId) -> Option<&str> {
        self.locations.get(location.index()).map(|name| &**name)
    }

    pub fn locations(&self) -> usize {
        self.locations.len()
    }

    /// The blocks that hold all of a network, the most specific first. A block longer than the network doesn't.
    pub fn around(&self, network: IpNet) -> impl Iterator<Item = &Block> {
        let length = network.prefix_len();
        self.chain(self.innermost(network.network())).skip_while(move |block| block.network.prefix_len() > length)
    }

    /// The length of the widest network around an address whose every address is in blocks that are the same, as
    /// `same` sees them (the most specific first).
    pub fn scope(&self, address: IpAddr, mut same: impl FnMut(&mut dyn Iterator<Item = &Block>) -> bool) -> u8 {
        let same = |number| same(&mut self.chain(number));
        match address {
            IpAddr::V4(address) => self.v4.scope(address.to_bits(), same),
            IpAddr::V6(address) => self.v6.scope(address.to_bits(), same),
        }
    }

    /// The blocks that hold an address, the most specific first.
    pub fn holding(&self, address: IpAddr) -> impl Iterator<Item = &Block> {
        self.chain(self.innermost(address))
    }

    fn innermost(&self, address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(address) => self.v4.number(self.v4.find(address.to_bits())),
            IpAddr::V6(address) => self.v6.number(self.v6.find(address.to_bits())),
        }
    }

    fn chain(&self, number: u32) -> impl Iterator<Item = &Block> {
        let block = |number: u32| self.blocks.get(number.checked_sub(1)? as usize);
        std::iter::successors(block(number), move |inner| block(inner.around))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::testing::cidr_map;

    fn names(map: &CidrMap, network: &str) -> String {
        let names: Vec<_> =
            map.around(network.parse().unwrap()).filter_map(|block| map.location(block.location)).collect();
        names.join(" ")
    }

    /// Route 53: IP-based routing, rules 3 and 4.
    #[test]
    fn a_network_matches_the_blocks_that_hold_all_of_it() {
        let map = cidr_map(&[
            ("a", &["192.0.2.0/24", "2001:db8::/32"]),
            ("b", &["192.0.0.0/16", "2001:db8:0:1234::/48"]),
            ("c", &["192.0.2.128/25"]),
        ]);
        for (network, expected) in [
            ("192.0.2.1/32", "a b"),
            ("192.0.2.0/24", "a b"),
            ("192.0.2.200/32", "c a b"),
            ("192.0.2.128/25", "c a b"),
            ("192.0.2.0/23", "b"),
            ("192.0.3.0/24", "b"),
            ("192.0.0.0/15", ""),
            ("198.51.100.1/32", ""),
            ("2001:db8:0:1234::/64", "b a"),
            ("2001:db8:1::1/128", "a"),
            ("2001:db8::/40", "a"),
            ("2001:db8::/31", ""),
        ] {
            assert_eq!(names(&map, network), expected, "{network}");
        }
    }
}
