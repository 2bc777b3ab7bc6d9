//! Health checks: `health-checks.toml`, and JSON as `aws route53 list-health-checks` dumps it.
//!
//! The TOML has Route 53's fields in snake case. A calculated check may also be said as logic:
//!
//! | instead of `child_health_checks` and `health_threshold` | healthy while                  |
//! |---------------------------------------------------------|--------------------------------|
//! | `all = ["a", "b"]`                                      | every one of them is           |
//! | `any = ["a", "b"]`                                      | one of them is                 |
//! | `at_least = 2`, `of = ["a", "b", "c"]`                  | as many of them are            |
//! | `not = "a"`                                             | it is not                      |
//!
//! `name`, `validate_certificate`, and the keys of a Prometheus query (`metric`), are ours and have no place in JSON.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::document::Document;
use super::tree::{self, Reader, Span, Table};
use crate::model::health_check::{Endpoint, HealthCheck, Kind, Protocol};
use crate::model::{Id, Limits};
use crate::problem::{At, Problems, nearest};

/// Route 53's ids of health checks have at most 64 characters.
const ID_MAX: usize = 64;
/// Route 53 allows 256 children in a calculated check.
const CHILDREN_MAX: usize = 256;
/// Route 53's thresholds of calculated checks go up to 256.
const HEALTH_THRESHOLD_MAX: u32 = 256;
/// Route 53 allows paths, names and search strings of 255 characters.
const TEXT_MAX: usize = 255;
/// Route 53's failure thresholds go up to 10.
const FAILURE_THRESHOLD_MAX: u32 = 10;
/// Ours, where Route 53's limits are lifted: more failures than this in a row nobody waits for.
const FAILURE_THRESHOLD_LAB_MAX: u32 = 1000;
/// Ours, where Route 53's limits are lifted: a day.
const INTERVAL_LAB_MAX: u32 = 86_400;
/// Where Route 53's checkers stand.
const REGIONS: [&str; 8] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
];
/// Route 53 wants checkers in three regions at least.
const REGIONS_MIN: usize = 3;
const TYPES: [&str; 8] = [
    "HTTP",
    "HTTPS",
    "HTTP_STR_MATCH",
    "HTTPS_STR_MATCH",
    "TCP",
    "CALCULATED",
    "CLOUDWATCH_METRIC",
    "RECOVERY_CONTROL",
];

/// How the two languages spell the fields.
struct Spelling {
    kind: &'static str,
    ip_address: &'static str,
    port: &'static str,
    resource_path: &'static str,
    domain_name: &'static str,
    search_string: &'static str,
    request_interval: &'static str,
    failure_threshold: &'static str,
    measure_latency: &'static str,
    inverted: &'static str,
    disabled: &'static str,
    health_threshold: &'static str,
    children: &'static str,
    enable_sni: &'static str,
    regions: &'static str,
    alarm: &'static str,
    alarm_region: &'static str,
    alarm_name: &'static str,
    insufficient_data: &'static str,
    routing_control: &'static str,
}

const JSON: Spelling = Spelling {
    kind: "Type",
    ip_address: "IPAddress",
    port: "Port",
    resource_path: "ResourcePath",
    domain_name: "FullyQualifiedDomainName",
    search_string: "SearchString",
    request_interval: "RequestInterval",
    failure_threshold: "FailureThreshold",
    measure_latency: "MeasureLatency",
    inverted: "Inverted",
    disabled: "Disabled",
    health_threshold: "HealthThreshold",
    children: "ChildHealthChecks",
    enable_sni: "EnableSNI",
    regions: "Regions",
    alarm: "AlarmIdentifier",
    alarm_region: "Region",
    alarm_name: "Name",
    insufficient_data: "InsufficientDataHealthStatus",
    routing_control: "RoutingControlArn",
};

const TOML: Spelling = Spelling {
    kind: "type",
    ip_address: "ip_address",
    port: "port",
    resource_path: "resource_path",
    domain_name: "fully_qualified_domain_name",
    search_string: "search_string",
    request_interval: "request_interval",
    failure_threshold: "failure_threshold",
    measure_latency: "measure_latency",
    inverted: "inverted",
    disabled: "disabled",
    health_threshold: "health_threshold",
    children: "child_health_checks",
    enable_sni: "enable_sni",
    regions: "regions",
    alarm: "alarm_identifier",
    alarm_region: "region",
    alarm_name: "name",
    insufficient_data: "insufficient_data_health_status",
    routing_control: "routing_control_arn",
};

/// The keys that say a calculated check as logic.
const LOGIC: [&str; 5] = ["all", "any", "not", "at_least", "of"];

/// What people call a check. Ours: Route 53 keeps it in a tag.
const NAME: &str = "name";
/// Whether an endpoint's certificate must be valid.
const VALIDATE: &str = "validate_certificate";

impl Spelling {
    fn keys(&self) -> Vec<&'static str> {
        let Spelling { kind, inverted, disabled, .. } = self;
        [&[*kind, *inverted, *disabled], self.endpoint_keys().as_slice(), &self.other_keys()].concat()
    }

    fn endpoint_keys(&self) -> [&'static str; 10] {
        [
            self.ip_address,
            self.port,
            self.resource_path,
            self.domain_name,
            self.search_string,
            self.request_interval,
            self.failure_threshold,
            self.measure_latency,
            self.enable_sni,
            self.regions,
        ]
    }

    fn other_keys(&self) -> [&'static str; 5] {
        [self.health_threshold, self.children, self.alarm, self.insufficient_data, self.routing_control]
    }
}

pub fn read_toml(file: Arc<str>, bytes: &[u8], limits: Limits, problems: &mut Problems) -> BTreeMap<Id, HealthCheck> {
    let mut checks = BTreeMap::new();
    let document = match Document::new(file, bytes) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(*problem);
            return checks;
        }
    };
    let Some(node) = tree::read(&document, problems, super::toml::read, "TOML") else { return checks };
    let mut reader = Reader { document: &document, problems };
    let Some(top) = reader.table("the file", &node) else { return checks };
    top.only(&mut reader, "health-checks.toml", &["health_check"]);
    for (key, node) in top.table(&mut reader, "health_check").map_or(&[][..], |table| table.entries) {
        let check = reader.whole(|reader| {
            let table = reader.table(&key.text, node)?;
            table.only(
                reader,
                "a health check",
                &[TOML.keys().as_slice(), &LOGIC, &metric::KEYS, &[VALIDATE, NAME]].concat(),
            );
            let name = table.text(reader, NAME).filter(|name| !name.is_empty()).map(Box::from);
            let check = health_check(reader, &key.text, key.into(), table, &TOML, limits)?;
            Some(HealthCheck { name, ..check })
        });
        checks.extend(check.map(|check| (check.id.clone(), check)));
    }
    checks
}

pub fn read_json(file: Arc<str>, bytes: &[u8], limits: Limits, problems: &mut Problems) -> BTreeMap<Id, HealthCheck> {
    let mut checks: BTreeMap<Id, HealthCheck> = BTreeMap::new();
    let document = match Document::new(file, bytes) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(*problem);
            return checks;
        }
    };
    let Some(node) = tree::read(&document, problems, super::json::read, "JSON") else { return checks };
    let mut reader = Reader { document: &document, problems };
    let Some(top) = reader.table("the file", &node) else { return checks };
    let Some(all) = top.get("HealthChecks") else {
        reader.error(top, "the file has no HealthChecks", "", "dump it with aws route53 list-health-checks");
        return checks;
    };
    if let Some(token) = top.get("NextToken").or(top.get("NextMarker")) {
        reader.warning(token, "the list of health checks goes on", "", "dump it without --max-items");
    }
    for node in reader.list("HealthChecks", all) {
        let check = reader.whole(|reader| {
            let table = reader.table("a health check", node)?;
            let id = table.required(reader, "the health check", "Id", "blue-http");
            let Some(config) = table.get("HealthCheckConfig") else {
                reader.error(
                    table,
                    "the health check has no HealthCheckConfig",
                    "",
                    "dump it with aws route53 list-health-checks",
                );
                return None;
            };
            let config = reader.table("HealthCheckConfig", config)?;
            config.only(reader, "HealthCheckConfig", &JSON.keys());
            let span = table.get("Id").map_or(table.span, Span::from);
            health_check(reader, id?, span, config, &JSON, limits)
        });
        let Some(check) = check else { continue };
        if let Some(first) = checks.get(&check.id) {
            let what = format!("health check {:?} is said twice", check.id);
            let why = format!("it is said in line {} first", first.at.line);
            reader.error(node, what, why, "keep one of the two");
            continue;
        }
        checks.insert(check.id.clone(), check);
    }
    checks
}

fn health_check(
    reader: &mut Reader,
    id: &str,
    span: Span,
    table: Table,
    spelling: &Spelling,
    limits: Limits,
) -> Option<HealthCheck> {
    if id.is_empty() || (id.len() > ID_MAX && limits == Limits::Route53) {
        let why = format!("Route 53's ids have 1 to {ID_MAX} characters");
        reader.error(span, format!("{id:?} cannot be the id of a health check"), why, "choose another");
    }
    let at = reader.at(span);
    let mut inverted = table.boolean(reader, spelling.inverted).unwrap_or(false);
    let disabled = table.boolean(reader, spelling.disabled).unwrap_or(false);
    let logic = LOGIC.iter().any(|key| table.get(key).is_some());
    let word = match table.text(reader, spelling.kind) {
        Some(word) => word,
        None if logic => "CALCULATED",
        None if table.get(spelling.kind).is_some() => return None,
        None => {
            let remedy = format!("add {}, one of {}", spelling.kind, TYPES.join(", "));
            reader.error(span, format!("health check {id:?} has no {}", spelling.kind), "", remedy);
            return None;
        }
    };
    if !TYPES.contains(&word) {
        let remedy = match nearest(word, TYPES) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("write one of {}", TYPES.join(", ")),
        };
        let place = table.get(spelling.kind).map_or(span, Span::from);
        reader.error(place, format!("{word:?} is not a type of health check"), "", remedy);
        return None;
    }
    idle_keys(reader, table, spelling, word, logic);
    let kind = match word {
        "CALCULATED" if logic => {
            let (negated, kind) = said_as_logic(reader, table, span, spelling)?;
            inverted ^= negated;
            Some(kind)
        }
        "CALCULATED" => calculated(reader, table, span, spelling),
        "CLOUDWATCH_METRIC" => metric::metric(reader, table, span, spelling),
        "RECOVERY_CONTROL" => {
            let example = "arn:aws:route53-recovery-control::111122223333:controlpanel/p/routingcontrol/r";
            let arn = table.required(reader, "the health check", spelling.routing_control, example)?;
            Some(Kind::Switch { routing_control_arn: arn.to_string() })
        }
        _ => endpoint(reader, table, span, spelling, word, limits).map(Kind::Endpoint),
    }?;
    if let Kind::Calculated { children, .. } = &kind {
        check_children(reader, table, spelling, id, children, limits);
    }
    Some(HealthCheck { id: id.into(), name: None, kind, inverted, disabled, at: At { length: 0, ..at } })
}

/// Keys that say nothing for this type of check: said, but without effect.
fn idle_keys(reader: &mut Reader, table: Table, spelling: &Spelling, word: &str, logic: bool) {
    let theirs: &[&str] = match word {
        "CALCULATED" => &[spelling.health_threshold, spelling.children],
        "CLOUDWATCH_METRIC" => &[[spelling.alarm, spelling.insufficient_data].as_slice(), &metric::KEYS].concat(),
        "RECOVERY_CONTROL" => &[spelling.routing_control],
        "TCP" => &[
            spelling.ip_address,
            spelling.port,
            spelling.domain_name,
            spelling.request_interval,
            spelling.failure_threshold,
            spelling.measure_latency,
            spelling.regions,
            spelling.enable_sni,
        ],
        "HTTPS" | "HTTPS_STR_MATCH" => &[spelling.endpoint_keys().as_slice(), &[VALIDATE]].concat(),
        _ => &spelling.endpoint_keys(),
    };
    for (key, node) in table.entries {
        let text = key.text.as_ref();
        let known = [spelling.endpoint_keys().as_slice(), &spelling.other_keys(), &metric::KEYS, &[VALIDATE]].concat();
        if known.contains(&text) && !theirs.contains(&text) && !empty(node) {
            reader.warning(
                key,
                format!("{text} has no effect"),
                format!("the check is of type {word}"),
                "take it away",
            );
        }
        if logic && word != "CALCULATED" && LOGIC.contains(&text) {
            reader.error(
                key,
                format!("{text} belongs to a calculated check"),
                format!("the type is {word}"),
                "take one of them away",
            );
        }
    }
}

/// What AWS's own dumps say beside the type's fields: nothing, false, an empty list.
fn empty(node: &tree::Node) -> bool {
    match &node.value {
        tree::Value::Null | tree::Value::Bool(false) => true,
        tree::Value::List(items) => items.is_empty(),
        _ => false,
    }
}

fn endpoint(
    reader: &mut Reader,
    table: Table,
    span: Span,
    spelling: &Spelling,
    word: &str,
    limits: Limits,
) -> Option<Endpoint> {
    let protocol = match word {
        "TCP" => Protocol::Tcp,
        "HTTP" | "HTTP_STR_MATCH" => Protocol::Http,
        _ => Protocol::Https,
    };
    let ip_address = match table.text(reader, spelling.ip_address) {
        None | Some("") => None,
        Some(text) => {
            let address = text.parse::<IpAddr>().ok();
            if let (None, Some(node)) = (address, table.get(spelling.ip_address)) {
                reader.error(
                    node,
                    format!("{text:?} is not an address"),
                    "",
                    "write one, as 192.0.2.1, or name the endpoint with a domain name",
                );
            }
            address
        }
    };
    let domain_name = table.text(reader, spelling.domain_name).filter(|text| !text.is_empty());
    if domain_name.is_none() && table.get(spelling.ip_address).is_none() {
        let remedy = format!("add {} or {}", spelling.ip_address, spelling.domain_name);
        reader.error(span, "the health check has no endpoint", "", remedy);
    }
    if let (Protocol::Tcp, Some(_), Some(node)) = (protocol, ip_address, table.get(spelling.domain_name)) {
        let why = "Route 53 allows a TCP check with an address no name";
        reader.error(node, format!("{} cannot stand here", spelling.domain_name), why, "take one of the two away");
    }
    let port = match (table.within(reader, spelling.port, 1, 65535, ""), protocol) {
        (Some(port), _) => port as u16,
        (None, Protocol::Http) => 80,
        (None, Protocol::Https) => 443,
        (None, Protocol::Tcp) => {
            if table.get(spelling.port).is_none() {
                reader.error(span, "a TCP check has no default port", "", format!("add {}", spelling.port));
            }
            return None;
        }
    };
    let path = table.text(reader, spelling.resource_path).unwrap_or_default();
    let search = table.text(reader, spelling.search_string);
    match (word.ends_with("_STR_MATCH"), search) {
        (true, None | Some("")) => {
            let what = format!("a check of type {word} has no {}", spelling.search_string);
            reader.error(
                span,
                what,
                "",
                format!("add {}, or make the type {}", spelling.search_string, &word[..word.len() - 10]),
            );
        }
        (false, Some(text)) if !text.is_empty() && protocol != Protocol::Tcp => {
            let what = format!("a check of type {word} looks for no text");
            let place = table.get(spelling.search_string).map_or(span, Span::from);
            reader.error(
                place,
                what,
                "",
                format!("make the type {word}_STR_MATCH, or take {} away", spelling.search_string),
            );
        }
        _ => {}
    }
    if limits == Limits::Route53 {
        for key in [spelling.resource_path, spelling.domain_name, spelling.search_string] {
            if let Some(node) = table
                .get(key)
                .filter(|node| matches!(&node.value, tree::Value::Text(text) if text.chars().count() > TEXT_MAX))
            {
                let why = format!("Route 53 allows {TEXT_MAX} characters");
                reader.error(node, format!("{key} is too long"), why, "shorten it, or set limits = \"none\"");
            }
        }
    }
    Some(Endpoint {
        protocol,
        ip_address,
        fully_qualified_domain_name: domain_name.map(String::from),
        port,
        resource_path: if path.starts_with('/') { path.to_string() } else { format!("/{path}") },
        search_string: search.filter(|text| !text.is_empty() && word.ends_with("_STR_MATCH")).map(String::from),
        enable_sni: table.boolean(reader, spelling.enable_sni).unwrap_or(protocol == Protocol::Https),
        validate_certificate: table.boolean(reader, VALIDATE),
        measure_latency: table.boolean(reader, spelling.measure_latency).unwrap_or(false),
        request_interval: interval(reader, table, spelling, limits),
        failure_threshold: match limits {
            Limits::Route53 => {
                table.within(reader, spelling.failure_threshold, 1, FAILURE_THRESHOLD_MAX, "as Route 53 allows")
            }
            Limits::None => table.within(reader, spelling.failure_threshold, 1, FAILURE_THRESHOLD_LAB_MAX, ""),
        }
        .unwrap_or(3),
        regions: regions(reader, table, spelling, limits),
    })
}

fn interval(reader: &mut Reader, table: Table, spelling: &Spelling, limits: Limits) -> u32 {
    let interval = table.within(reader, spelling.request_interval, 1, INTERVAL_LAB_MAX, "").unwrap_or(30);
    if let (Limits::Route53, false, Some(node)) =
        (limits, [10, 30].contains(&interval), table.get(spelling.request_interval))
    {
        let what = format!("{} is {interval}", spelling.request_interval);
        reader.error(node, what, "Route 53 offers 10 and 30 seconds", "write 10 or 30, or set limits = \"none\"");
    }
    interval
}

fn regions(reader: &mut Reader, table: Table, spelling: &Spelling, limits: Limits) -> Vec<String> {
    let regions = table.texts(reader, spelling.regions).unwrap_or_default();
    if limits == Limits::Route53 {
        for (node, region) in &regions {
            if !REGIONS.contains(region) {
                let remedy = match nearest(region, REGIONS) {
                    Some(meant) => format!("did you mean {meant:?}?"),
                    None => format!("write some of {}", REGIONS.join(", ")),
                };
                reader.error(*node, format!("{region:?} is not a region of Route 53's checkers"), "", remedy);
            }
        }
        if let (1..REGIONS_MIN, Some(node)) = (regions.len(), table.get(spelling.regions)) {
            let why = format!("Route 53 wants {REGIONS_MIN} at least");
            reader.error(node, "there are too few regions", why, "name more, or none for all");
        }
    }
    regions.into_iter().map(|(_, region)| region.to_string()).collect()
}

fn calculated(reader: &mut Reader, table: Table, span: Span, spelling: &Spelling) -> Option<Kind> {
    let children = table.texts(reader, spelling.children).unwrap_or_default();
    if table.get(spelling.health_threshold).is_none() {
        let what = format!("a calculated check has no {}", spelling.health_threshold);
        reader.error(span, what, "", "say how many of its children must be healthy");
        return None;
    }
    let threshold = table.within(reader, spelling.health_threshold, 0, HEALTH_THRESHOLD_MAX, "as Route 53 allows")?;
    Some(Kind::Calculated { children: children.into_iter().map(|(_, id)| id.into()).collect(), threshold })
}

/// Reads `all`, `any`, `not`, or `at_least` with `of`; the flag says whether the result is turned round.
fn said_as_logic(reader: &mut Reader, table: Table, span: Span, spelling: &Spelling) -> Option<(bool, Kind)> {
    let said = ["all", "any", "not", "of"].into_iter().filter(|key| table.get(key).is_some()).collect::<Vec<_>>();
    let also = [spelling.children, spelling.health_threshold].into_iter().find(|key| table.get(key).is_some());
    let [key] = said.as_slice() else {
        let what = if said.is_empty() {
            "at_least has no of".to_string()
        } else {
            format!("{} stand together", said.join(" and "))
        };
        reader.error(span, what, "", "say one of all, any, not, or at_least with of");
        return None;
    };
    if let Some(node) = also.and_then(|also| table.get(also)) {
        reader.error(node, format!("{key} stands beside Route 53's own fields"), "", "keep one of the two forms");
    }
    if *key == "not" {
        let child = table.required(reader, "the health check", "not", "blue-http")?;
        return Some((true, Kind::Calculated { children: vec![child.into()], threshold: 1 }));
    }
    let children = table.texts(reader, key)?;
    if let (true, Some(node)) = (children.is_empty(), table.get(key)) {
        reader.error(node, format!("{key} names no health check"), "", "name some");
    }
    let count = children.len() as u32;
    let threshold = match (*key, table.get("at_least")) {
        ("of", None) => {
            reader.error(span, "of has no at_least", "", "say how many must be healthy: at_least = 2");
            return None;
        }
        ("of", Some(_)) => table.within(reader, "at_least", 0, HEALTH_THRESHOLD_MAX, "")?,
        (_, Some(node)) => {
            reader.error(node, format!("at_least cannot stand with {key}"), "", "write at_least with of");
            return None;
        }
        ("all", None) => count,
        (_, None) => 1,
    };
    Some((false, Kind::Calculated { children: children.into_iter().map(|(_, id)| id.into()).collect(), threshold }))
}

fn check_children(reader: &mut Reader, table: Table, spelling: &Spelling, id: &str, children: &[Id], limits: Limits) {
    let place = [spelling.children, "all", "any", "of", "not"].into_iter().find_map(|key| table.get(key));
    let place = place.map_or(table.span, Span::from);
    if children.len() > CHILDREN_MAX && limits == Limits::Route53 {
        let what = format!("{id:?} has {} children", children.len());
        reader.error(place, what, format!("Route 53 allows {CHILDREN_MAX}"), "split it, or set limits = \"none\"");
    }
    let mut seen = std::collections::BTreeSet::new();
    for child in children {
        if !seen.insert(child) {
            reader.error(place, format!("{id:?} names {child:?} twice"), "it would count twice", "keep one of the two");
        }
    }
}

mod metric;
#[cfg(test)]
mod tests;
