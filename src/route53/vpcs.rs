//! `vpcs.toml`: which client networks are which VPC, and where.
//!
//! ```toml
//! [vpc.vpc-1]
//! region = "eu-west-1"
//! networks = ["10.1.0.0/16"]
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Document;
use super::tree::{self, Reader};
use crate::model::{Id, Vpc};
use crate::problem::Problems;

pub fn read_toml(file: Arc<str>, bytes: &[u8], problems: &mut Problems) -> BTreeMap<Id, Vpc> {
    let document = match Document::new(file, bytes) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(*problem);
            return BTreeMap::new();
        }
    };
    let mut vpcs = BTreeMap::new();
    let Some(node) = tree::read(&document, problems, super::toml::read, "TOML") else { return vpcs };
    let mut reader = Reader { document: &document, problems };
    let Some(top) = reader.table("the file", &node) else { return vpcs };
    top.only(&mut reader, "vpcs.toml", &["vpc"]);
    let Some(all) = top.table(&mut reader, "vpc") else { return vpcs };
    for (key, node) in all.entries {
        let vpc = reader.whole(|reader| {
            let table = reader.table(&key.text, node)?;
            table.only(reader, "a VPC", &["region", "networks"]);
            let region = table.get("region").and_then(|_| table.required(reader, "the VPC", "region", "eu-west-1"));
            let networks = table.texts(reader, "networks").unwrap_or_default();
            let networks =
                networks.into_iter().filter_map(|(node, text)| super::cidr_collections::network(reader, node, text));
            Some(Vpc {
                id: key.text.as_ref().into(),
                region: region.map(Id::from),
                networks: networks.collect(),
                at: reader.at(key),
            })
        });
        if let Some(vpc) = vpc {
            vpcs.insert(vpc.id.clone(), vpc);
        }
    }
    vpcs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_and_networks_are_read() {
        let mut problems = Problems::default();
        let text = "[vpc.vpc-1]\nregion = \"eu-west-1\"\nnetworks = [\"10.1.2.0/16\", \"fd00::/8\"]\n[vpc.vpc-2]\n";
        let vpcs = read_toml("vpcs.toml".into(), text.as_bytes(), &mut problems);
        let vpc = &vpcs["vpc-1"];
        assert_eq!(vpc.region.as_deref(), Some("eu-west-1"));
        assert_eq!(vpc.networks, ["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        assert_eq!((vpcs["vpc-2"].region.as_deref(), problems.errors(), problems.warnings()), (None, 0, 1));
    }

    #[test]
    fn problems_name_their_place() {
        for (text, place, said) in [
            ("[vpx.a]\n", "1:2", "did you mean \"vpc\"?"),
            ("[vpc.a]\nregoin = \"x\"\n", "2:1", "did you mean \"region\"?"),
            ("[vpc.a]\nregion = 7\n", "2:10", "write a text"),
            ("[vpc.a]\nnetworks = [\"10.0.0.0/33\"]\n", "2:13", "is not a network"),
            ("[vpc.a\n", "1:7", "not TOML"),
        ] {
            let mut problems = Problems::default();
            read_toml("v".into(), text.as_bytes(), &mut problems);
            let all: Vec<String> = problems.iter().map(|problem| problem.to_string()).collect();
            assert!(all.iter().any(|one| one.starts_with(&format!("v:{place}: ")) && one.contains(said)), "{all:?}");
        }
    }
}
