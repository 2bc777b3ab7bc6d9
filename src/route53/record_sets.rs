//! A zone as `aws route53 list-resource-record-sets` dumps it, with `get-hosted-zone`'s objects beside if it is private.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::document::Document;
use super::octal;
use super::tree::{self, Node, Reader, Span, Table, Value};
use crate::model::fields;
use crate::model::record_set::{AliasTarget, Body, Location, Point, RecordSet, Routing};
use crate::model::zone::{Record, Visibility};
use crate::model::{Id, Limits, Vpc, ZoneData};
use crate::problem::{At, Problem, Problems};
use crate::wire::name::Name;
use crate::wire::rtype::Type;

/// Route 53 allows 4,000 characters in one value.
const VALUE_MAX: usize = 4000;
/// Route 53 allows 400 values in a record set.
const VALUES_MAX: usize = 400;
/// Route 53 allows 10,000 record sets in a zone, and more on request.
const RECORD_SETS_MAX: usize = 10_000;
/// RFC 2181, 8, and Route 53: a TTL has 31 bits.
const TTL_MAX: u32 = 2_147_483_647;
/// The types that Route 53 has.
const TYPES: [Type; 17] = [
    Type::SOA,
    Type::A,
    Type::TXT,
    Type::NS,
    Type::CNAME,
    Type::MX,
    Type::NAPTR,
    Type::PTR,
    Type::SRV,
    Type::SPF,
    Type::AAAA,
    Type::CAA,
    Type::DS,
    Type::TLSA,
    Type::SSHFP,
    Type::SVCB,
    Type::HTTPS,
];

/// What the name of a file ends in that holds `get-hosted-zone`'s dump.
pub const HOSTED_ZONE: &str = ".hosted-zone.json";
/// The name servers of each private zone (Developer Guide, "Working with private hosted zones").
const PRIVATE_SERVERS: [&str; 4] =
    ["ns-0.awsdns-00.com.", "ns-512.awsdns-00.net.", "ns-1024.awsdns-00.org.", "ns-1536.awsdns-00.co.uk."];

/// A dumped zone, and what it says of the VPCs that see it.
pub struct Dump {
    pub zone: ZoneData,
    /// With their region, without networks.
    pub vpcs: Vec<Vpc>,
}

/// Reads a dump. The zone's name is its `HostedZone`'s, or else `origin`, which the file's name gave.
/// None where the file says nothing of a zone; otherwise the problems tell whether it may be served.
pub fn read(
    origin: Option<Name>,
    file: Arc<str>,
    bytes: &[u8],
    limits: Limits,
    problems: &mut Problems,
) -> Option<Dump> {
    read_with(origin, file, bytes, None, limits, problems)
}

/// The same with the hosted zone's dump from a file beside it, by its name and bytes.
pub fn read_with(
    origin: Option<Name>,
    file: Arc<str>,
    bytes: &[u8],
    beside: Option<(Arc<str>, &[u8])>,
    limits: Limits,
    problems: &mut Problems,
) -> Option<Dump> {
    let document = Document::new(file.clone(), bytes).map_err(|problem| problems.push(*problem)).ok()?;
    let node = tree::read(&document, problems, super::json::read, "JSON")?;
    let mut reader = Reader { document: &document, problems };
    let reader = &mut reader;
    let top = reader.table("the file", &node)?;
    let hosted = top.table(reader, "HostedZone");
    let beside = match (beside, hosted) {
        (Some((beside, bytes)), None) => Some(hosted_zone(beside, bytes, reader.problems)?),
        (Some((beside, _)), Some(hosted)) => {
            let why = format!("so {beside} is not read");
            reader.warning(hosted, "this file has a HostedZone itself", why, "keep one of the two");
            None
        }
        (None, _) => None,
    };
    let named = hosted.and_then(|hosted| hosted.text(reader, "Name").map(|name| (hosted, name)));
    let origin = match named {
        Some((hosted, text)) => name(reader, hosted.get("Name").map_or(hosted.span, Span::from), text)?,
        None => match beside.as_ref().and_then(|beside| beside.name.clone()).or(origin) {
            Some(origin) => origin,
            None => {
                let remedy =
                    "name the file after the zone, as example.com.json, or put HostedZone beside ResourceRecordSets";
                reader.error(top, "nothing says which zone this is", "", remedy);
                return None;
            }
        },
    };
    if origin.is_wildcard() {
        let span = named.map_or(top.span, |(hosted, _)| hosted.get("Name").map_or(hosted.span, Span::from));
        let what = format!("the zone {origin} is named like a wildcard");
        let remedy = "put the wildcard's records into the zone above";
        reader.error(span, what, "Route 53 has no zone whose first label is *", remedy);
    }
    let mut zone = ZoneData::new(origin, file);
    let mut vpcs = visibility(reader, top, hosted, &mut zone);
    let said = hosted.is_some() || beside.is_some();
    if let Some(beside) = beside {
        (zone.visibility, vpcs) = (beside.visibility, beside.vpcs);
    }
    let Some(sets) = top.get("ResourceRecordSets") else {
        let remedy = "dump it with aws route53 list-resource-record-sets --hosted-zone-id …";
        if hosted.is_some() && zone.files[0].ends_with(HOSTED_ZONE) {
            let records = zone.files[0].rsplit('/').next().unwrap_or_default().replace(HOSTED_ZONE, ".json");
            let remedy = format!("{remedy} > {records}");
            let what = format!("the hosted zone {} is here without its records", zone.origin);
            reader.warning(top, what, format!("there is no {records} beside it, so it is not served"), remedy);
            return None;
        }
        reader.error(top, "the file has no ResourceRecordSets", "", remedy);
        return Some(Dump { zone, vpcs });
    };
    let goes_on =
        top.get("IsTruncated").filter(|node| matches!(node.value, Value::Bool(true))).or(top.get("NextToken"));
    if let Some(node) = goes_on {
        reader.error(
            node,
            "the dump stops before the zone's end",
            "names would be missing",
            "dump it without --max-items",
        );
    }
    let sets = reader.list("ResourceRecordSets", sets);
    if let (true, Limits::Route53, Some(node)) = (sets.len() > RECORD_SETS_MAX, limits, sets.get(RECORD_SETS_MAX)) {
        let why = format!("Route 53 allows {RECORD_SETS_MAX}, and more on request");
        reader.warning(node, format!("the zone has {} record sets", sets.len()), why, "");
    }
    for node in sets {
        let read = reader.whole(|reader| record_set(reader, node, limits));
        let Some(Read { set, lines }) = read else { continue };
        if set.rtype == Type::NS && set.name.is_wildcard() {
            let what = format!("the wildcard {} has NS records", set.name);
            reader.error(node, what, "Route 53 refuses a wildcard of type NS", "delegate each name by itself");
            continue;
        }
        if !set.name.is_under(&zone.origin) {
            let what = format!("{} lies outside the zone {}", set.name, zone.origin);
            reader.error(node, what, "", "move it to its own zone, or correct the name");
            continue;
        }
        match set {
            RecordSet {
                routing: Routing::Simple,
                health_check: None,
                identifier: None,
                body: Body::Values { ttl, rdata },
                ..
            } => {
                for (rdata, line) in rdata.iter().zip(lines) {
                    let record = Record { owner: set.name.wire(), rtype: set.rtype, ttl, rdata, file: 0, line };
                    if zone.records.push(record).is_err() {
                        reader.error(node, "the zone is too large", "its data takes more than 4 GiB", "split the zone");
                        return Some(Dump { zone, vpcs });
                    }
                }
            }
            set => zone.record_sets.push(set),
        }
    }
    if !said && zone.visibility == Visibility::Public {
        private_servers(&zone, reader.problems);
    }
    Some(Dump { zone, vpcs })
}

/// What `aws route53 get-hosted-zone` tells of a zone.
struct HostedZone {
    name: Option<Name>,
    visibility: Visibility,
    vpcs: Vec<Vpc>,
}

/// Reads the dump of a hosted zone that lies in a file of its own.
fn hosted_zone(file: Arc<str>, bytes: &[u8], problems: &mut Problems) -> Option<HostedZone> {
    let document = Document::new(file.clone(), bytes).map_err(|problem| problems.push(*problem)).ok()?;
    let node = tree::read(&document, problems, super::json::read, "JSON")?;
    let mut reader = Reader { document: &document, problems };
    let reader = &mut reader;
    let top = reader.table("the file", &node)?;
    let Some(hosted) = top.table(reader, "HostedZone") else {
        let why = "it tells whether the zone is private";
        reader.error(top, "the file has no HostedZone", why, "dump it with aws route53 get-hosted-zone --id …");
        return None;
    };
    let name = match hosted.text(reader, "Name") {
        Some(text) => Some(name(reader, hosted.get("Name").map_or(hosted.span, Span::from), text)?),
        None => None,
    };
    let mut zone = ZoneData::new(name.clone().unwrap_or_else(Name::root), file);
    let vpcs = visibility(reader, top, Some(hosted), &mut zone);
    Some(HostedZone { name, visibility: zone.visibility, vpcs })
}

/// Warns of a zone that is served to everybody and has the name servers of private zones.
fn private_servers(zone: &ZoneData, problems: &mut Problems) {
    let is_private = |rdata: &[u8]| {
        let server = Name::from_wire(rdata).map(|name| name.to_lowercase().to_string());
        server.is_ok_and(|server| PRIVATE_SERVERS.contains(&&*server))
    };
    let apex = |record: &Record<'_>| record.rtype == Type::NS && record.owner.eq_ignore_ascii_case(zone.origin.wire());
    let mut servers = zone.records.iter().filter(apex);
    let Some(first) = servers.next().filter(|first| is_private(first.rdata)) else { return };
    if !servers.all(|server| is_private(server.rdata)) {
        return;
    }
    let file = zone.files[0].rsplit('/').next().unwrap_or_default();
    let beside = format!("{}{HOSTED_ZONE}", file.strip_suffix(".json").unwrap_or(file));
    let what = format!("the zone {} has the name servers that every private zone has", zone.origin);
    let why = "a dump of records does not tell whether its zone is private, so this one is served to everybody";
    let remedy = format!("dump its hosted zone as well: aws route53 get-hosted-zone --id … > {beside}");
    problems.push(Problem::warning(zone.at(&first), what, why, remedy).code("private-zone-served-to-all"));
}

fn visibility(reader: &mut Reader, top: Table, hosted: Option<Table>, zone: &mut ZoneData) -> Vec<Vpc> {
    let config = hosted.and_then(|hosted| hosted.table(reader, "Config"));
    let private = config.and_then(|config| config.boolean(reader, "PrivateZone"));
    let mut vpcs = Vec::new();
    for node in top.list(reader, "VPCs").unwrap_or_default() {
        let Some(table) = reader.table("a VPC", node) else { continue };
        table.only(reader, "a VPC", &["VPCRegion", "VPCId"]);
        let region = table.text(reader, "VPCRegion").map(Id::from);
        let Some(id) = table.required(reader, "the VPC", "VPCId", "vpc-1") else { continue };
        if !Vpc::is_id(id) {
            let what = format!("{id:?} is no VPC's id");
            reader.error(node, what, "an id is one word", "write it as AWS does: vpc-1a2b3c4d");
        }
        vpcs.push(Vpc { id: id.into(), region, networks: Vec::new(), at: reader.at(node) });
    }
    match (private, vpcs.is_empty()) {
        (Some(true), true) => {
            let span = hosted.map_or(top.span, Span::from);
            reader.error(
                span,
                "a private zone without VPCs is seen by nobody",
                "",
                "put get-hosted-zone's VPCs beside HostedZone",
            );
        }
        (Some(false), false) => {
            let span = top.get("VPCs").map_or(top.span, Span::from);
            reader.error(
                span,
                "only a private zone belongs to VPCs",
                "",
                "set PrivateZone to true, or take the VPCs away",
            );
        }
        (_, false) => zone.visibility = Visibility::Private(vpcs.iter().map(|vpc| vpc.id.clone()).collect()),
        (_, true) => {}
    }
    vpcs
}

/// A record set, and the line of each of its values.
struct Read {
    set: RecordSet,
    lines: Vec<u32>,
}

const KEYS: [&str; 15] = [
    "Name",
    "Type",
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "TTL",
    "ResourceRecords",
    "AliasTarget",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
    "CidrRoutingConfig",
    "GeoProximityLocation",
];

fn record_set(reader: &mut Reader, node: &Node, limits: Limits) -> Option<Read> {
    let table = reader.table("a record set", node)?;
    table.only(reader, "a record set", &KEYS);
    let what = "the record set";
    let owner = table.required(reader, what, "Name", "www.example.com.");
    let owner = owner.and_then(|text| name(reader, table.get("Name").map_or(table.span, Span::from), text));
    let rtype = table.required(reader, what, "Type", "A").and_then(|text| rtype(reader, table, text, limits));
    let body = match (table.get("AliasTarget"), values_of(reader, table)) {
        (Some(alias), None) => {
            if let Some(ttl) = table.get("TTL") {
                reader.error(ttl, "an alias has no TTL", "it has its target's", "take the TTL away");
            }
            alias_target(reader, alias).map(|alias| (Body::Alias(alias), Vec::new()))
        }
        (None, Some(nodes)) => {
            let ttl = table.within(reader, "TTL", 0, TTL_MAX, "");
            if table.get("TTL").is_none() {
                reader.error(table, "the record set has no TTL", "", "add one, as \"TTL\": 60");
            }
            rtype
                .and_then(|rtype| values(reader, rtype, nodes, limits))
                .zip(ttl)
                .map(|((rdata, lines), ttl)| (Body::Values { ttl, rdata }, lines))
        }
        (Some(alias), Some(_)) => {
            let why = "a record set has the one or the other";
            reader.error(alias, "AliasTarget stands beside ResourceRecords", why, "take one of them away");
            None
        }
        (None, None) => {
            match table.get("TrafficPolicyInstanceId") {
                Some(node) => {
                    let why = "the dump holds none of the records that the traffic policy makes";
                    reader.warning(node, "this name is not served", why, "write its record sets out, or take it away");
                }
                None => reader.error(
                    table,
                    "the record set has neither ResourceRecords nor AliasTarget",
                    "",
                    "add one of them",
                ),
            }
            return None;
        }
    };
    let routing = routing(reader, table);
    let identifier = table.text(reader, "SetIdentifier").filter(|text| !text.is_empty()).map(Id::from);
    let place = table.get("SetIdentifier").map_or(table.span, Span::from);
    match (&routing, &identifier) {
        (Some(Routing::Simple), Some(_)) => {
            let why = "none of Weight, Region, GeoLocation, Failover, MultiValueAnswer, CidrRoutingConfig and GeoProximityLocation is there";
            reader.error(
                place,
                "a simple record set has a SetIdentifier",
                why,
                "add the routing, or take the identifier away",
            );
        }
        (Some(Routing::Simple), None) | (None, _) | (Some(_), Some(_)) => {}
        (Some(routing), None) => {
            let what = format!("a record set with {} routing has no SetIdentifier", routing.word());
            reader.error(place, what, "", "add one, unique among those of its name and type");
        }
    }
    let health_check = table.text(reader, "HealthCheckId").filter(|text| !text.is_empty()).map(Id::from);
    let (body, lines) = body?;
    let at = At { length: 0, ..reader.at(table) };
    let set = RecordSet { name: owner?, rtype: rtype?, identifier, routing: routing?, health_check, body, at };
    Some(Read { set, lines })
}

fn name(reader: &mut Reader, span: Span, text: &str) -> Option<Name> {
    match octal::name(text) {
        // Route 53 keeps names in lower case.
        Ok(name) => Some(name.to_lowercase()),
        Err(why) => {
            reader.error(span, "the name cannot be used", why, "write escapes as \\052, other alphabets in Punycode");
            None
        }
    }
}

fn rtype(reader: &mut Reader, table: Table, text: &str, limits: Limits) -> Option<Type> {
    let found = Type::parse(text).filter(|rtype| !rtype.is_meta());
    let known = found.filter(|rtype| limits == Limits::None || TYPES.contains(rtype));
    if known.is_none() {
        let span = table.get("Type").map_or(table.span, Span::from);
        let remedy = format!("write one of {}", TYPES.map(|rtype| rtype.to_string()).join(", "));
        reader.error(span, format!("{text:?} is not a type of Route 53's"), "", remedy);
    }
    known
}

/// `ResourceRecords`, an empty list counting as none.
fn values_of<'n>(reader: &mut Reader, table: Table<'n>) -> Option<&'n [Node<'n>]> {
    table.list(reader, "ResourceRecords").filter(|values| !values.is_empty())
}

type Values = (Vec<Box<[u8]>>, Vec<u32>);

fn values(reader: &mut Reader, rtype: Type, nodes: &[Node], limits: Limits) -> Option<Values> {
    if nodes.len() > 1 && matches!(rtype, Type::CNAME | Type::SOA) {
        reader.error(&nodes[1], format!("a record set of type {rtype} has one value only"), "", "keep one of them");
    }
    if let (Some(node), Limits::Route53) = (nodes.get(VALUES_MAX), limits) {
        let why = format!("Route 53 allows {VALUES_MAX}");
        reader.error(
            node,
            format!("the record set has {} values", nodes.len()),
            why,
            "take some away, or set limits = \"none\"",
        );
    }
    let mut seen = BTreeSet::new();
    let mut rdata: Vec<Box<[u8]>> = Vec::with_capacity(nodes.len());
    let mut lines = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some(table) = reader.table("a value", node) else { continue };
        table.only(reader, "a value", &["Value"]);
        let Some(text) = table.required(reader, "the record", "Value", "192.0.2.1") else { continue };
        let node = table.get("Value")?;
        if text.chars().count() > VALUE_MAX && limits == Limits::Route53 {
            let why = format!("Route 53 allows {VALUE_MAX} characters");
            reader.error(node, "the value is too long", why, "shorten it, or set limits = \"none\"");
        }
        match value(rtype, text) {
            Ok(wire) if !seen.insert(wire.clone()) => {
                reader.error(
                    node,
                    format!("{text:?} is said twice"),
                    "a record set holds each value once",
                    "keep one of the two",
                );
            }
            Ok(wire) => {
                rdata.push(wire);
                lines.push(reader.at(node).line);
            }
            Err((why, remedy)) => {
                reader.error(node, format!("the value is not the data of a record of type {rtype}"), why, remedy)
            }
        }
    }
    Some((rdata, lines))
}

/// One value in wire form: master-file form, but with octal escapes, and names whole without their final dot.
fn value(rtype: Type, text: &str) -> Result<Box<[u8]>, (String, String)> {
    let text = text.trim();
    let Some(decimal) = octal::to_decimal(text) else {
        return Err(("a backslash is followed by digits that are not octal, up to \\377".into(), "write \\ooo".into()));
    };
    if let Some(character) = bare(&decimal) {
        let remedy = "put the text in quotes, with \\\" for a quote inside it";
        return Err((format!("{character:?} stands outside quotes"), remedy.into()));
    }
    if matches!(rtype, Type::TXT | Type::SPF) && !decimal.starts_with('"') {
        return Err(("a text must be in quotes".into(), "write \"\\\"…\\\"\"".into()));
    }
    crate::wire::rdata::parse(rtype, &decimal, &Name::root()).map(Vec::into_boxed_slice).map_err(|fault| {
        let why = if fault.why.is_empty() { fault.what } else { format!("{}: {}", fault.what, fault.why) };
        (why, fault.remedy)
    })
}

/// A character outside quotes that means something in a master file and nothing in a value.
fn bare(text: &str) -> Option<char> {
    let (mut quoted, mut escaped) = (false, false);
    text.chars().find(|&character| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ';' | '(' | ')' | '\n' | '\r' if !quoted => return true,
            _ => {}
        }
        false
    })
}

fn alias_target(reader: &mut Reader, node: &Node) -> Option<AliasTarget> {
    let table = reader.table("AliasTarget", node)?;
    table.only(reader, "AliasTarget", &["HostedZoneId", "DNSName", "EvaluateTargetHealth"]);
    let what = "the alias target";
    let zone_id = table.required(reader, what, "HostedZoneId", "Z2FDTNDATAQYW2");
    if let (Some(node), Some(text)) = (table.get("HostedZoneId"), zone_id)
        && !AliasTarget::is_zone_id(text)
    {
        reader.error(node, format!("{text:?} is no hosted zone's id"), "", "write one as AWS gives it: Z2FDTNDATAQYW2");
    }
    let target = table.required(reader, what, "DNSName", "www.example.com.");
    let target = target.and_then(|text| name(reader, table.get("DNSName").map_or(table.span, Span::from), text));
    let evaluate = table.boolean(reader, "EvaluateTargetHealth");
    if table.get("EvaluateTargetHealth").is_none() {
        reader.error(
            table,
            "the alias target has no EvaluateTargetHealth",
            "",
            "add \"EvaluateTargetHealth\": true, or false",
        );
    }
    Some(AliasTarget { name: target?, zone_id: zone_id?.into(), evaluate_target_health: evaluate? })
}

fn routing(reader: &mut Reader, table: Table) -> Option<Routing> {
    let multivalue = table.boolean(reader, "MultiValueAnswer");
    let markers = ["Weight", "Region", "GeoLocation", "Failover", "CidrRoutingConfig", "GeoProximityLocation"];
    let mut said: Vec<&str> = markers.into_iter().filter(|key| table.get(key).is_some()).collect();
    said.extend(multivalue.filter(|&said| said).map(|_| "MultiValueAnswer"));
    if let [first, second, ..] = said.as_slice() {
        let span = table.get(second).map_or(table.span, Span::from);
        reader.error(
            span,
            format!("{second} stands beside {first}"),
            "a record set follows one policy",
            "keep one of them",
        );
        return None;
    }
    Some(match said.first().copied() {
        Some("Weight") => Routing::Weighted { weight: table.number(reader, "Weight", fields::weight)? },
        Some("Region") => {
            Routing::Latency { region: table.required(reader, "the record set", "Region", "eu-west-1")?.into() }
        }
        Some("GeoLocation") => Routing::Geolocation(geolocation(reader, table)?),
        Some("Failover") => {
            let span = table.get("Failover").map_or(table.span, Span::from);
            let text = table.text(reader, "Failover")?;
            Routing::Failover(reader.field("Failover", span, fields::role(text))?)
        }
        Some("CidrRoutingConfig") => {
            let table = table.table(reader, "CidrRoutingConfig")?;
            table.only(reader, "CidrRoutingConfig", &["CollectionId", "LocationName"]);
            let collection = table.required(reader, "CidrRoutingConfig", "CollectionId", "isps");
            let location = table.required(reader, "CidrRoutingConfig", "LocationName", "kt");
            Routing::IpBased { collection: collection?.into(), location: fields::cidr_location(location?) }
        }
        Some("GeoProximityLocation") => geoproximity(reader, table)?,
        Some("MultiValueAnswer") => Routing::Multivalue,
        _ => Routing::Simple,
    })
}

fn geolocation(reader: &mut Reader, table: Table) -> Option<Location> {
    let table = table.table(reader, "GeoLocation")?;
    let keys = ["ContinentCode", "CountryCode", "SubdivisionCode"];
    table.only(reader, "GeoLocation", &keys);
    let [continent, country, subdivision] = keys.map(|key| table.text(reader, key));
    reader.field("GeoLocation", table, fields::location(continent, country, subdivision))
}

fn geoproximity(reader: &mut Reader, table: Table) -> Option<Routing> {
    let table = table.table(reader, "GeoProximityLocation")?;
    table.only(reader, "GeoProximityLocation", &["AWSRegion", "LocalZoneGroup", "Coordinates", "Bias"]);
    let bias = match table.get("Bias") {
        Some(_) => table.number(reader, "Bias", fields::bias),
        None => Some(0),
    };
    let what = "GeoProximityLocation";
    let point = match ["AWSRegion", "LocalZoneGroup", "Coordinates"].map(|key| table.get(key)) {
        [Some(_), None, None] => {
            table.required(reader, what, "AWSRegion", "eu-west-1").map(|text| Point::Region(text.into()))
        }
        [None, Some(_), None] => {
            table.required(reader, what, "LocalZoneGroup", "us-east-1-bue-1").map(|text| Point::LocalZone(text.into()))
        }
        [None, None, Some(node)] => {
            let table = reader.table("Coordinates", node)?;
            table.only(reader, "Coordinates", &["Latitude", "Longitude"]);
            let latitude = table.required(reader, "Coordinates", "Latitude", "35.68");
            let longitude = table.required(reader, "Coordinates", "Longitude", "139.69");
            let latitude = latitude.and_then(|text| reader.field("Latitude", table, fields::latitude(text)));
            let longitude = longitude.and_then(|text| reader.field("Longitude", table, fields::longitude(text)));
            latitude.zip(longitude).map(|(latitude, longitude)| Point::Coordinates { latitude, longitude })
        }
        [None, None, None] => {
            reader.error(
                table,
                "GeoProximityLocation names no place",
                "",
                "add AWSRegion, LocalZoneGroup or Coordinates",
            );
            None
        }
        _ => {
            let why = "a geoproximity record stands at one place";
            reader.error(
                table,
                "GeoProximityLocation names several places",
                why,
                "keep one of AWSRegion, LocalZoneGroup and Coordinates",
            );
            None
        }
    };
    Some(Routing::Geoproximity { point: point?, bias: bias? })
}

#[cfg(test)]
mod tests;
