//! Names of health checks: `health-check-tags.json`, as `aws route53 list-tags-for-resources --resource-type healthcheck` dumps
//! it. Route 53's console keeps the name of a health check in its `Name` tag.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Document;
use super::tree::{self, Reader};
use crate::model::Id;
use crate::model::health_check::HealthCheck;
use crate::problem::{Problems, nearest};

/// The tag that holds the name.
const NAME: &str = "Name";

/// The type of resource that the tags are of.
const HEALTH_CHECK: &str = "healthcheck";

/// Gives health checks the names that the file has for them. A name in `health-checks.toml` stands.
pub fn read(file: Arc<str>, bytes: &[u8], checks: &mut BTreeMap<Id, HealthCheck>, problems: &mut Problems) {
    let document = match Document::new(file, bytes) {
        Ok(document) => document,
        Err(problem) => return problems.push(*problem),
    };
    let Some(node) = tree::read(&document, problems, super::json::read, "JSON") else { return };
    let mut reader = Reader { document: &document, problems };
    let Some(top) = reader.table("the file", &node) else { return };
    let Some(sets) = top.get("ResourceTagSets") else {
        let remedy = "dump it with aws route53 list-tags-for-resources --resource-type healthcheck";
        return reader.error(top, "the file has no ResourceTagSets", "", remedy);
    };
    for node in reader.list("ResourceTagSets", sets) {
        let Some(table) = reader.table("a set of tags", node) else { continue };
        if table.text(&mut reader, "ResourceType").is_some_and(|kind| kind != HEALTH_CHECK) {
            continue;
        }
        let Some(id) =
            table.required(&mut reader, "the set of tags", "ResourceId", "abcdef11-2222-3333-4444-555555fedcba")
        else {
            continue;
        };
        let mut name = None;
        for node in table.list(&mut reader, "Tags").unwrap_or_default() {
            let Some(tag) = reader.table("a tag", node) else { continue };
            if tag.text(&mut reader, "Key") == Some(NAME) {
                name = tag.text(&mut reader, "Value").filter(|name| !name.is_empty());
            }
        }
        let Some(name) = name else { continue };
        match checks.get_mut(id) {
            Some(check) => _ = check.name.get_or_insert_with(|| name.into()),
            None => {
                let remedy = match nearest(id, checks.keys().map(|id| &**id)) {
                    Some(meant) => format!("did you mean {meant:?}?"),
                    None => "dump health-checks.json too".to_string(),
                };
                let what = format!("no file defines health check {id:?}");
                reader.warning(table, what, "its tags name nothing", remedy);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Limits;
    use crate::route53::health_checks;

    const CHECKS: &str = "[health_check.a]\ntype = 'TCP'\nip_address = '::1'\nport = 53\nname = 'from the file'\n\
                          [health_check.b]\ntype = 'TCP'\nip_address = '::1'\nport = 53\n";

    /// The names of checks `a` and `b`, and the problems.
    fn named(tags: &str) -> (Vec<Option<String>>, Vec<String>) {
        let mut problems = Problems::default();
        let mut checks = health_checks::read_toml("c".into(), CHECKS.as_bytes(), Limits::Route53, &mut problems);
        read("t".into(), tags.as_bytes(), &mut checks, &mut problems);
        let names = checks.values().map(|check| check.name.as_deref().map(str::to_string)).collect();
        (names, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_name_tag_names_a_check() {
        let set = |kind: &str, id: &str, key: &str, value: &str| {
            format!(
                r#"{{"ResourceType": "{kind}", "ResourceId": "{id}", "Tags": [{{"Key": "team", "Value": "x"}},
                {{"Key": "{key}", "Value": "{value}"}}]}}"#
            )
        };
        let file = |sets: &[String]| format!(r#"{{"ResourceTagSets": [{}]}}"#, sets.join(","));
        let from_file = || Some("from the file".to_string());
        for (sets, b) in [
            (vec![set("healthcheck", "b", "Name", "Orders")], Some("Orders")),
            (vec![set("healthcheck", "b", "name", "Orders")], None),
            (vec![set("hostedzone", "b", "Name", "Orders")], None),
            (vec![set("healthcheck", "b", "Name", "")], None),
            (vec![set("healthcheck", "a", "Name", "Other"), set("healthcheck", "b", "Name", "Orders")], Some("Orders")),
        ] {
            let (names, problems) = named(&file(&sets));
            assert_eq!(names, [from_file(), b.map(str::to_string)], "{sets:?}");
            assert_eq!(problems, [""; 0]);
        }
    }

    #[test]
    fn what_names_nothing_is_reported() {
        let (_, problems) = named("{}");
        assert!(problems[0].starts_with("t:1:1: error: the file has no ResourceTagSets"), "{problems:?}");
        let (_, problems) = named(
            r#"{"ResourceTagSets": [{"ResourceType": "healthcheck", "ResourceId": "zz",
                "Tags": [{"Key": "Name", "Value": "x"}]}]}"#,
        );
        assert!(problems[0].contains("warning: no file defines health check \"zz\""), "{problems:?}");
    }
}
