//! Help for tests: geographies from text, and databases made to order.

use std::sync::Arc;

use ipnet::IpNet;

use super::{CidrMap, GeoFile, Geography};
use crate::model::{CidrCollection, Id};
use crate::problem::{At, Problems};

fn files(files: &[(&str, &[u8])]) -> Vec<GeoFile> {
    files.iter().map(|(name, bytes)| GeoFile { name: Arc::from(*name), bytes: bytes.to_vec() }).collect()
}

pub fn build(named: &[(&str, &[u8])]) -> (Geography, Problems) {
    Geography::build(files(named))
}

/// Of `places.csv`, `latency.csv` and `regions.csv`; a file without text isn't there. None may have errors.
pub fn geography(places: &str, latency: &str, regions: &str) -> Geography {
    let named = [("places.csv", places), ("latency.csv", latency), ("regions.csv", regions)];
    let named: Vec<(&str, &[u8])> =
        named.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (*name, text.as_bytes())).collect();
    let (geography, problems) = build(&named);
    assert!(problems.errors() == 0, "{:?}", problems.iter().map(|problem| problem.to_string()).collect::<Vec<_>>());
    geography
}

/// With the latencies that are shipped.
pub fn shipped(places: &str) -> Geography {
    geography(places, include_str!("../../geo/latency.csv"), "")
}

pub fn cidr_map(locations: &[(&str, &[&str])]) -> CidrMap {
    let networks = |blocks: &[&str]| blocks.iter().map(|block| block.parse::<IpNet>().expect("a network")).collect();
    let locations = locations.iter().map(|(name, blocks)| (Id::from(*name), networks(blocks))).collect();
    let at = At { file: Arc::from("test"), line: 1, column: 1, length: 0 };
    CidrMap::new(&CidrCollection { name: Id::from("isps"), locations, at })
}

/// A value of a database.
#[derive(Clone, Debug)]
pub enum Value {
    Text(&'static str),
    Double(f64),
    Float(f32),
    Map(Vec<(&'static str, Value)>),
    Array(Vec<Value>),
}

impl Value {
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Value::Text(text) => {
                assert!(text.len() < 29);
                to.push(2 << 5 | text.len() as u8);
                to.extend(text.as_bytes());
            }
            Value::Double(number) => {
                to.push(3 << 5 | 8);
                to.extend(number.to_be_bytes());
            }
            Value::Float(number) => {
                to.extend([4, 15 - 7]);
                to.extend(number.to_be_bytes());
            }
            Value::Map(fields) => {
                to.push(7 << 5 | fields.len() as u8);
                for (key, value) in fields {
                    Value::Text(key).write(to);
                    value.write(to);
                }
            }
            Value::Array(values) => {
                to.extend([values.len() as u8, 11 - 7]);
                values.iter().for_each(|value| value.write(to));
            }
        }
    }
}

/// A database in the making: networks and what it says of them, longer networks after wider ones.
pub struct Writer {
    /// Bits of a record: 24, 28 or 32.
    pub record_size: u8,
    pub ip_version: u8,
    pub networks: Vec<(&'static str, Value)>,
}

/// One side of a node.
#[derive(Clone, Copy)]
enum Side {
    Nothing,
    Node(usize),
    Data(usize),
}

impl Writer {
    pub fn bytes(&self) -> Vec<u8> {
        let mut nodes = vec![[Side::Nothing; 2]];
        let mut data = Vec::new();
        for (network, value) in &self.networks {
            let network: IpNet = network.parse().expect("a network");
            let (bits, length) = match network {
                IpNet::V4(network) if self.ip_version == 6 => {
                    (u128::from(network.network().to_bits()), network.prefix_len() + 96)
                }
                IpNet::V4(network) => (u128::from(network.network().to_bits()) << 96, network.prefix_len()),
                IpNet::V6(network) => (network.network().to_bits(), network.prefix_len()),
            };
            let offset = data.len();
            value.write(&mut data);
            let mut node = 0;
            for depth in 0..length {
                let side = usize::from(bits >> (127 - depth) & 1 == 1);
                if depth + 1 == length {
                    nodes[node][side] = Side::Data(offset);
                } else if let Side::Node(next) = nodes[node][side] {
                    node = next;
                } else {
                    // What was said of the wider network holds for both halves of it.
                    nodes.push([nodes[node][side]; 2]);
                    nodes[node][side] = Side::Node(nodes.len() - 1);
                    node = nodes.len() - 1;
                }
            }
        }
        let number = |side: &Side| match *side {
            Side::Nothing => nodes.len(),
            Side::Node(node) => node,
            Side::Data(offset) => nodes.len() + 16 + offset,
        };
        let records: Vec<[usize; 2]> = nodes.iter().map(|[left, right]| [number(left), number(right)]).collect();
        database(self.record_size, self.ip_version, &records, &data)
    }
}

/// A database of these nodes, be they sound or not.
pub fn database(record_size: u8, ip_version: u8, nodes: &[[usize; 2]], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &[left, right] in nodes {
        match record_size {
            24 => {
                bytes.extend(&(left as u32).to_be_bytes()[1..]);
                bytes.extend(&(right as u32).to_be_bytes()[1..]);
            }
            28 => {
                bytes.extend(&(left as u32).to_be_bytes()[1..]);
                bytes.push((left >> 24 << 4 | right >> 24) as u8);
                bytes.extend(&(right as u32).to_be_bytes()[1..]);
            }
            _ => {
                bytes.extend((left as u32).to_be_bytes());
                bytes.extend((right as u32).to_be_bytes());
            }
        }
    }
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    let text = |bytes: &mut Vec<u8>, text: &'static str| Value::Text(text).write(bytes);
    let short = |bytes: &mut Vec<u8>, number: u16| {
        bytes.push(5 << 5 | 2);
        bytes.extend(number.to_be_bytes());
    };
    bytes.push(7 << 5 | 9);
    for (key, number) in [
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
        ("ip_version", u16::from(ip_version)),
        ("record_size", u16::from(record_size)),
    ] {
        text(&mut bytes, key);
        short(&mut bytes, number);
    }
    text(&mut bytes, "node_count");
    bytes.push(6 << 5 | 4);
    bytes.extend((nodes.len() as u32).to_be_bytes());
    text(&mut bytes, "build_epoch");
    bytes.extend([8, 9 - 7]);
    bytes.extend(1_u64.to_be_bytes());
    text(&mut bytes, "database_type");
    text(&mut bytes, "Test");
    text(&mut bytes, "languages");
    Value::Array(Vec::new()).write(&mut bytes);
    text(&mut bytes, "description");
    Value::Map(Vec::new()).write(&mut bytes);
    bytes
}

/// `{country: {iso_code}}` and more, as GeoIP2 City lays it out.
pub fn city(country: &'static str, subdivision: Option<&'static str>, at: Option<(f64, f64)>) -> Value {
    let coded = |code| Value::Map(vec![("iso_code", Value::Text(code))]);
    let mut fields = vec![("continent", Value::Map(vec![("code", Value::Text("XX"))])), ("country", coded(country))];
    if let Some((latitude, longitude)) = at {
        let location = vec![("latitude", Value::Double(latitude)), ("longitude", Value::Double(longitude))];
        fields.push(("location", Value::Map(location)));
    }
    fields.extend(subdivision.map(|code| ("subdivisions", Value::Array(vec![coded(code)]))));
    Value::Map(fields)
}

/// Fields side by side, as ip-location-db lays them out.
pub fn flat(fields: &[(&'static str, Value)]) -> Value {
    Value::Map(fields.to_vec())
}
