//! CIDR collections: `cidr-collections.toml`, and JSON that holds what `aws route53 list-cidr-blocks` prints.
//!
//! ```toml
//! [cidr_collection.isps]
//! kt = ["203.0.113.0/24", "2001:db8:100::/48"]
//! ```
//! ```json
//! {"isps": {"CidrBlocks": [{"CidrBlock": "203.0.113.0/24", "LocationName": "kt"}]}}
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::document::Document;
use super::tree::{self, Key, Node, Reader, Value};
use crate::model::{CidrCollection, Id, Limits};
use crate::problem::Problems;

/// Route 53 takes IPv4 blocks up to /24.
const V4_LENGTH_MAX: u8 = 24;
/// Route 53 takes IPv6 blocks up to /48.
const V6_LENGTH_MAX: u8 = 48;
/// Route 53 allows 1,000 blocks in a collection.
const BLOCKS_MAX: usize = 1000;
/// Route 53's names of collections have at most 64 characters.
const COLLECTION_NAME_MAX: usize = 64;
/// Route 53's names of locations have at most 16 characters.
const LOCATION_NAME_MAX: usize = 16;

/// A block as it was said: for which location, and where.
struct Said<'n> {
    location: &'n str,
    location_node: tree::Span,
    block: &'n str,
    node: &'n Node<'n>,
}

pub fn read_toml(
    file: Arc<str>,
    bytes: &[u8],
    limits: Limits,
    problems: &mut Problems,
) -> BTreeMap<Id, CidrCollection> {
    read(file, bytes, problems, super::toml::read, "TOML", |reader, node, collections| {
        let top = reader.table("the file", node)?;
        top.only(reader, "cidr-collections.toml", &["cidr_collection"]);
        for (key, node) in top.table(reader, "cidr_collection")?.entries {
            let Some(table) = reader.table(&key.text, node) else { continue };
            let mut said = Vec::new();
            for (location, node) in table.entries {
                let blocks = reader.list(&location.text, node);
                let blocks = blocks.iter().filter_map(|node| Some((node, reader.text("a block", node)?)));
                said.extend(blocks.map(|(node, block)| Said {
                    location: &location.text,
                    location_node: location.into(),
                    block,
                    node,
                }));
            }
            collections.extend(collection(reader, key, said, limits));
        }
        Some(())
    })
}

pub fn read_json(
    file: Arc<str>,
    bytes: &[u8],
    limits: Limits,
    problems: &mut Problems,
) -> BTreeMap<Id, CidrCollection> {
    read(file, bytes, problems, super::json::read, "JSON", |reader, node, collections| {
        let top = reader.table("the file", node)?;
        for (key, node) in top.entries {
            let blocks = match (&node.value, key.text.as_ref()) {
                (Value::List(_), "CidrBlocks" | "CidrLocations" | "CidrCollections") => {
                    reader.error(
                        key,
                        format!("{} stands outside a collection", key.text),
                        "what the AWS CLI prints does not name its collection",
                        "put it inside {\"the collection's id\": …}",
                    );
                    continue;
                }
                (Value::List(blocks), _) => blocks.as_slice(),
                _ => match reader.table(&key.text, node) {
                    Some(table) => {
                        if let Some(token) = table.get("NextToken") {
                            reader.warning(token, "the list of blocks goes on", "", "dump it without --max-items");
                        }
                        table.only(
                            reader,
                            "a CIDR collection",
                            &["CidrBlocks", "NextToken", "Id", "Name", "Arn", "Version"],
                        );
                        table.list(reader, "CidrBlocks").unwrap_or_default()
                    }
                    None => continue,
                },
            };
            let said = blocks.iter().filter_map(|node| {
                let table = reader.table("a block", node)?;
                table.only(reader, "a block", &["CidrBlock", "LocationName"]);
                let block = table.required(reader, "the block", "CidrBlock", "203.0.113.0/24");
                let location = table.required(reader, "the block", "LocationName", "kt");
                let location_node = table.get("LocationName").map_or(table.span, tree::Span::from);
                Some(Said { location: location?, location_node, block: block?, node: table.get("CidrBlock")? })
            });
            let said = said.collect();
            collections.extend(collection(reader, key, said, limits));
        }
        Some(())
    })
}

fn read(
    file: Arc<str>,
    bytes: &[u8],
    problems: &mut Problems,
    language: impl for<'a> FnOnce(&'a str) -> Result<Node<'a>, tree::Broken>,
    name: &str,
    each: impl FnOnce(&mut Reader, &Node, &mut BTreeMap<Id, CidrCollection>) -> Option<()>,
) -> BTreeMap<Id, CidrCollection> {
    let mut collections = BTreeMap::new();
    match Document::new(file, bytes) {
        Err(problem) => problems.push(*problem),
        Ok(document) => {
            if let Some(node) = tree::read(&document, problems, language, name) {
                each(&mut Reader { document: &document, problems }, &node, &mut collections);
            }
        }
    }
    collections
}

fn collection(reader: &mut Reader, key: &Key, said: Vec<Said>, limits: Limits) -> Option<(Id, CidrCollection)> {
    reader.whole(|reader| {
        name(reader, "collection", &key.text, key.into(), COLLECTION_NAME_MAX, limits);
        if said.len() > BLOCKS_MAX && limits == Limits::Route53 {
            reader.error(
                key,
                format!("collection {:?} has {} blocks", key.text, said.len()),
                format!("Route 53 allows {BLOCKS_MAX}"),
                "take some away, or set limits = \"none\"",
            );
        }
        let mut locations: BTreeMap<Id, Vec<IpNet>> = BTreeMap::new();
        let mut seen: BTreeMap<IpNet, &str> = BTreeMap::new();
        let mut named = "";
        for Said { location, location_node, block, node } in said {
            if named != location {
                name(reader, "location", location, location_node, LOCATION_NAME_MAX, limits);
                named = location;
            }
            let Some(network) = network(reader, node, block) else { continue };
            in_bounds(reader, node, network, limits);
            match seen.insert(network, location) {
                None => locations.entry(location.into()).or_default().push(network),
                Some(other) if other == location => {
                    reader.warning(
                        node,
                        format!("block {network} stands twice in location {location:?}"),
                        "",
                        "keep one of the two",
                    );
                }
                Some(other) => reader.error(
                    node,
                    format!("block {network} stands in location {other:?} as well as in {location:?}"),
                    "a client can be in one of them only",
                    "keep it in one location",
                ),
            }
        }
        let id: Id = key.text.as_ref().into();
        Some((id.clone(), CidrCollection { name: id, locations, at: reader.at(key) }))
    })
}

fn name(reader: &mut Reader, what: &str, text: &str, span: tree::Span, most: usize, limits: Limits) {
    if text == "*" && what == "location" {
        let remedy = "take it away: a record with location \"*\" needs no blocks";
        reader.error(span, "a location cannot be named *", "* stands for clients in no block", remedy);
    } else if text.is_empty() {
        reader.error(span, format!("the {what} has no name"), "", "name it");
    } else if limits == Limits::Route53
        && !(text.len() <= most && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)))
    {
        reader.error(
            span,
            format!("{text:?} cannot name a {what}"),
            format!("Route 53 allows up to {most} letters, digits, - and _"),
            "choose another name, or set limits = \"none\"",
        );
    }
}

/// A network; a bare address is the network of itself. Host bits are masked, with a warning.
pub fn network(reader: &mut Reader, node: &Node, text: &str) -> Option<IpNet> {
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(network) = parsed else {
        reader.error(
            node,
            format!("{text:?} is not a network"),
            "",
            "write an address and a length, as 203.0.113.0/24",
        );
        return None;
    };
    let masked = network.trunc();
    if masked != network {
        reader.warning(
            node,
            format!("{text} has bits set behind its length"),
            format!("it is read as {masked}"),
            format!("write {masked}"),
        );
    }
    Some(masked)
}

fn in_bounds(reader: &mut Reader, node: &Node, network: IpNet, limits: Limits) {
    let most = match network {
        IpNet::V4(_) => V4_LENGTH_MAX,
        IpNet::V6(_) => V6_LENGTH_MAX,
    };
    if network.prefix_len() == 0 {
        reader.error(
            node,
            format!("block {network} holds every address"),
            "Route 53 allows lengths from 1",
            "take it away, and give the record for everybody else location \"*\"",
        );
    } else if network.prefix_len() > most && limits == Limits::Route53 {
        reader.error(
            node,
            format!("block {network} is too small"),
            format!("Route 53 allows lengths up to /{most}"),
            format!("write a /{most}, or set limits = \"none\""),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(collections: &BTreeMap<Id, CidrCollection>) -> String {
        let mut text = String::new();
        for collection in collections.values() {
            for (location, blocks) in &collection.locations {
                text += &format!("{} {location} {blocks:?}; ", collection.name);
            }
        }
        text
    }

    #[test]
    fn both_files_say_the_same() {
        let toml =
            "[cidr_collection.isps]\nkt = [\"203.0.113.0/24\", \"2001:db8:100::/48\"]\nskt = [\"198.51.100.7/22\"]\n";
        let json = r#"{"isps": {"CidrBlocks": [{"CidrBlock": "203.0.113.0/24", "LocationName": "kt"},
            {"CidrBlock": "2001:db8:100::/48", "LocationName": "kt"}, {"CidrBlock": "198.51.100.7/22", "LocationName": "skt"}]}}"#;
        let raw = r#"{"isps": [{"CidrBlock": "203.0.113.0/24", "LocationName": "kt"},
            {"CidrBlock": "2001:db8:100::/48", "LocationName": "kt"}, {"CidrBlock": "198.51.100.7/22", "LocationName": "skt"}]}"#;
        for text in [json, raw] {
            let mut problems = Problems::default();
            let from_toml = read_toml("t".into(), toml.as_bytes(), Limits::Route53, &mut problems);
            let from_json = read_json("j".into(), text.as_bytes(), Limits::Route53, &mut problems);
            assert_eq!(shown(&from_toml), "isps kt [203.0.113.0/24, 2001:db8:100::/48]; isps skt [198.51.100.0/22]; ");
            assert_eq!(shown(&from_json), shown(&from_toml));
            assert_eq!((problems.errors(), problems.warnings()), (0, 2), "host bits are masked with a warning");
        }
    }

    #[test]
    fn problems_name_their_place() {
        for (text, limits, place, said) in [
            ("kt = [\"0.0.0.0/0\"]", Limits::None, "2:7", "every address"),
            ("kt = [\"10.0.0.0/25\"]", Limits::Route53, "2:7", "up to /24"),
            ("kt = [\"2001:db8::/49\"]", Limits::Route53, "2:7", "up to /48"),
            ("kt = [\"10.0.0.0/8\"]\nx = [\"10.0.0.0/8\"]", Limits::None, "3:6", "one location"),
            ("kt = [\"ten\"]", Limits::None, "2:7", "not a network"),
            ("\"*\" = [\"10.0.0.0/8\"]", Limits::None, "2:1", "named *"),
            ("kt = \"10.0.0.0/8\"", Limits::None, "2:6", "write a list"),
            ("a-name-of-17-char = [\"10.0.0.0/8\"]", Limits::Route53, "2:1", "up to 16"),
        ] {
            let mut problems = Problems::default();
            let text = format!("[cidr_collection.isps]\n{text}\n");
            read_toml("c".into(), text.as_bytes(), limits, &mut problems);
            let all: Vec<String> = problems.iter().map(|problem| problem.to_string()).collect();
            assert!(all.iter().any(|one| one.starts_with(&format!("c:{place}: ")) && one.contains(said)), "{all:?}");
        }
    }

    /// route53.md 2.6.11.
    #[test]
    fn a_collection_has_a_thousand_blocks() {
        for (blocks, limits, errors) in
            [(1000, Limits::Route53, 0), (1001, Limits::Route53, 1), (1001, Limits::None, 0)]
        {
            let networks: Vec<String> = (0..blocks).map(|at| format!("\"10.{}.{}.0/24\"", at >> 8, at & 255)).collect();
            let text = format!("[cidr_collection.isps]\nkt = [{}]\n", networks.join(", "));
            let mut problems = Problems::default();
            read_toml("c".into(), text.as_bytes(), limits, &mut problems);
            assert_eq!(problems.errors(), errors, "{blocks} blocks, {limits:?}");
        }
    }

    #[test]
    fn small_blocks_are_for_those_who_lift_the_limits() {
        let mut problems = Problems::default();
        let text = b"[cidr_collection.isps]\nkt = [\"10.0.0.1\", \"10.0.0.128/25\"]\n";
        let collections = read_toml("c".into(), text, Limits::None, &mut problems);
        assert_eq!((shown(&collections).as_str(), problems.errors()), ("isps kt [10.0.0.1/32, 10.0.0.128/25]; ", 0));
    }
}
