//! Steps as people and programs read them: a stable word, what the step is about, and a sentence.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::answer::CHAIN_MAX;
use crate::geo::geography::Source;
use crate::geo::place::{Place, text as code};
use crate::model::health_check::HealthCheck;
use crate::snapshot::Snapshot;
use crate::snapshot::access::Treatment;
use crate::why::{ClientRule, Step, TtlRule, Unhealthy};

/// A step, told. The words never change; fields may join.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub step: String,
    pub text: String,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// One fall of the dice: a number below `sides`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    pub roll: u32,
    pub sides: u32,
}

impl Told {
    /// The member that a step is about, for a column of its own.
    pub fn member(&self) -> Option<&str> {
        self.fields.get("member").and_then(Value::as_str)
    }
}

/// A health check with its name, if it has one.
fn label(snapshot: &Snapshot, id: &str) -> String {
    snapshot.shared.health_checks.get(id).map_or_else(|| id.to_string(), HealthCheck::label)
}

/// `rolls` is how the dice fell for a choice.
pub fn told(step: &Step, snapshot: &Snapshot, seed: u64, rolls: &[Roll]) -> Told {
    let (word, text, fields) = match step {
        Step::Client { network, source, rule, vpc } => {
            let by = match rule {
                ClientRule::ClientSubnet => "by EDNS Client Subnet",
                ClientRule::Source => "by its address",
                ClientRule::SourceNotBelieved => "by its address, as its EDNS Client Subnet is not believed",
            };
            let shown = if network.prefix_len() == network.max_prefix_len() {
                network.addr().to_string()
            } else {
                network.to_string()
            };
            let vpc_text = vpc.as_ref().map(|vpc| format!(", in VPC {vpc}")).unwrap_or_default();
            let rule = match rule {
                ClientRule::ClientSubnet => "client-subnet",
                ClientRule::Source => "source",
                ClientRule::SourceNotBelieved => "source-not-believed",
            };
            let fields = json!({ "network": network, "source": source, "rule": rule, "vpc": vpc });
            ("client", format!("{shown} {by}{vpc_text}"), fields)
        }
        Step::Place { place, source } => {
            ("place", place_text(place, source, snapshot), place_fields(place, source, snapshot))
        }
        Step::Zone { name, file, private } => {
            let kind = if *private { ", private" } else { "" };
            let fields = json!({ "zone": name.to_string(), "file": &**file, "private": private });
            ("zone", format!("{name} of {file}{kind}"), fields)
        }
        Step::Denied { source, rules, network, treatment } => {
            let because = match network {
                Some(network) => format!("{source} is in {network}, which {rules} denies"),
                None => format!("{source} is in no network that {rules} allows"),
            };
            let dropped = *treatment == Treatment::Dropped;
            let what = if dropped { ": it gets no reply" } else { "" };
            let denied = if dropped { "drop" } else { "refuse" };
            let fields = json!({ "source": source, "rules": rules, "network": network, "denied": denied });
            ("denied", format!("{because}{what}"), fields)
        }
        Step::NoZone => ("no-zone", "no zone here has the name".to_string(), json!({})),
        Step::NotLoaded { zone, file } => {
            let fields = json!({ "zone": zone.to_string(), "file": &**file });
            ("not-loaded", format!("{zone} is not loaded: {file} has errors"), fields)
        }
        Step::Cut { name } => {
            let text = format!("{name} and what is below it is for its own name servers");
            ("cut", text, json!({ "name": name.to_string() }))
        }
        Step::Wildcard { name, wildcard } => {
            let fields = json!({ "name": name.to_string(), "wildcard": wildcard.to_string() });
            ("wildcard", format!("{wildcard} stands for {name}, which doesn't exist"), fields)
        }
        Step::Cname { name, target } => {
            ("cname", format!("{name} is another name of {target}"), name_and_target(name, target))
        }
        Step::Dname { name, target } => {
            ("dname", format!("what is below {name} is below {target}"), name_and_target(name, target))
        }
        Step::LeavesHere { name } => {
            ("leaves", format!("{name} is in no zone here: the client asks on"), json!({ "name": name.to_string() }))
        }
        Step::ChainEnds { name, .. } => {
            let text = format!("{name} is not followed: it was there before, or more than {CHAIN_MAX} names were");
            ("chain-ends", text, json!({ "name": name.to_string() }))
        }
        Step::Group { name, rtype, policy, members } => {
            let plural = if *members == 1 { "" } else { "s" };
            let text = format!("{name} {rtype}, {policy}, {members} member{plural}");
            let fields =
                json!({ "name": name.to_string(), "type": rtype.to_string(), "policy": policy, "members": members });
            ("group", text, fields)
        }
        Step::Out { member, because: Unhealthy::Check { check, since, reason } } => {
            let fields = json!({
                "member": member, "check": check, "since_ms": since.0, "reason": reason.to_string(),
            });
            let shown = label(snapshot, check);
            ("out", format!("{shown} unhealthy since {since}: {reason}"), fields)
        }
        Step::Out { member, because: Unhealthy::Target { target, checks } } => {
            let named: Vec<Value> =
                checks.iter().map(|(check, since)| json!({ "check": check, "since_ms": since.0 })).collect();
            let shown: Vec<String> =
                checks.iter().map(|(check, since)| format!("{} since {since}", label(snapshot, check))).collect();
            let because = if shown.is_empty() { String::new() } else { format!(": {}", shown.join(", ")) };
            let fields = json!({ "member": member, "target": target.to_string(), "checks": named });
            ("out", format!("{target} has nothing healthy{because}"), fields)
        }
        Step::NobodyHealthy => ("nobody-healthy", "so everybody is taken to be".to_string(), json!({})),
        Step::Choose { members, reason, otherwise } => {
            let mut text = reason.main().to_string();
            for Roll { roll, sides } in rolls {
                _ = write!(text, ", the dice showed {roll} of {sides}");
            }
            if !rolls.is_empty() {
                _ = write!(text, " (seed {seed})");
            }
            _ = write!(text, "{}", reason.caveats());
            let mut fields = json!({ "members": members, "reason": reason.to_string() });
            if let [member] = members.as_slice() {
                fields["member"] = json!(member);
            } else {
                text = format!("{}: {text}", members.join(", "));
            }
            if !rolls.is_empty() {
                fields["dice"] = json!(rolls);
                fields["seed"] = json!(seed);
            }
            if let Some(other) = otherwise {
                fields["by_the_other_formula"] = json!(other);
                _ = write!(text, "; the other bias formula chooses {other}");
            }
            ("choose", text, fields)
        }
        Step::NobodyChosen { reason } => ("nobody-chosen", reason.to_string(), json!({ "reason": reason.to_string() })),
        Step::Alias { member, target, evaluate_target_health } => {
            let health = if *evaluate_target_health { " and evaluates its health" } else { ", whatever its health" };
            let fields = json!({
                "member": member, "target": target.to_string(), "evaluate_target_health": evaluate_target_health,
            });
            ("alias", format!("leads to {target}{health}"), fields)
        }
        Step::AliasWithoutTarget { target } => {
            let fields = json!({ "target": target.to_string() });
            ("no-target", format!("{target} has no records of this type"), fields)
        }
        Step::Upstream { target } => {
            let text = format!("{target} is in no zone here: what a resolver says of it is the answer");
            ("upstream", text, json!({ "target": target.to_string() }))
        }
        Step::StandIn { target, pattern } => {
            let text = format!("{target} is in no zone here: the stand-in {pattern} of the settings is the answer");
            ("stand-in", text, json!({ "target": target.to_string(), "pattern": &**pattern }))
        }
        Step::TooManyAliases { levels } => {
            ("too-deep", format!("no more than {levels} levels of alias are followed"), json!({ "levels": levels }))
        }
        Step::NoData { name, rtype } => {
            let fields = json!({ "name": name.to_string(), "type": rtype.to_string() });
            ("no-data", format!("{name} has no answer of type {rtype}"), fields)
        }
        Step::NoName { name } => ("no-name", format!("{name} doesn't exist"), json!({ "name": name.to_string() })),
        Step::Ttl { name, rtype, seconds, rule } => {
            let (rule, text) = match rule {
                TtlRule::Own => ("own", "its own"),
                TtlRule::Target => ("target", "the alias target's"),
                TtlRule::Smallest => ("smallest", "the smallest of those that answer together"),
                TtlRule::Stale => ("stale", "as what a resolver gave has outlived its own"),
                TtlRule::Upstream => ("upstream", "as nobody here knows the target's"),
                TtlRule::Negative => ("negative", "the SOA's, or its last field where that is smaller"),
            };
            let fields = json!({
                "name": name.to_string(), "type": rtype.to_string(), "seconds": seconds, "rule": rule,
            });
            ("ttl", format!("{seconds} s, {text}"), fields)
        }
        Step::Scope { network } => {
            let text = match network.prefix_len() {
                0 => "everybody fares alike".to_string(),
                _ => format!("all of {network} fares alike"),
            };
            ("scope", text, json!({ "network": network, "prefix": network.prefix_len() }))
        }
        Step::Done { rcode } => ("answer", rcode.to_string(), json!({ "rcode": rcode.to_string() })),
    };
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Told { step: word.to_string(), text, fields }
}

fn name_and_target(name: &crate::wire::name::Name, target: &crate::wire::name::Name) -> Value {
    json!({ "name": name.to_string(), "target": target.to_string() })
}

fn place_text(place: &Place, source: &Source, snapshot: &Snapshot) -> String {
    let mut parts = Vec::new();
    match (place.country, place.subdivision, place.continent) {
        (Some(country), Some(subdivision), _) => parts.push(format!("{}-{}", code(&country), code(&subdivision))),
        (Some(country), None, _) => parts.push(code(&country).to_string()),
        (None, ..) => {}
    }
    parts.extend(place.continent.map(|continent| format!("continent {}", code(&continent))));
    parts.extend(place.coordinates.map(|at| format!("{:.2},{:.2}", at.latitude(), at.longitude())));
    if let (Some(region), false) = (place.region, matches!(source, Source::Region(_))) {
        parts.extend(snapshot.geography.region(region).map(|region| format!("region {}", region.name)));
    }
    let place = if parts.is_empty() { "unknown".to_string() } else { parts.join(", ") };
    match source {
        Source::Nobody => format!("{place}: no file says where this is"),
        Source::Row { file, line } => format!("{place}, by {file}:{line}"),
        Source::Database { file, first, last } => format!("{place}, by {file} for {first} to {last}"),
        Source::Region(region) => format!("{place}, by the VPC's region {region}"),
    }
}

fn place_fields(place: &Place, source: &Source, snapshot: &Snapshot) -> Value {
    let region = place.region.and_then(|region| snapshot.geography.region(region));
    let source = match source {
        Source::Nobody => json!({}),
        Source::Row { file, line } => json!({ "file": &**file, "line": line }),
        Source::Database { file, first, last } => json!({ "file": &**file, "first": first, "last": last }),
        Source::Region(region) => json!({ "region": region }),
    };
    json!({
        "continent": place.continent.as_ref().map(code),
        "country": place.country.as_ref().map(code),
        "subdivision": place.subdivision.as_ref().map(code),
        "latitude": place.coordinates.map(|at| at.latitude()),
        "longitude": place.coordinates.map(|at| at.longitude()),
        "region": region.map(|region| &*region.name),
        "source": source,
    })
}
