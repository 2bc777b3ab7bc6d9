//! Routing in a zone file: the comment `; AWS key="value" …` that cli53 writes behind a record, read and written.
//!
//! | `routing`                | keys of its own                                                        |
//! |--------------------------|------------------------------------------------------------------------|
//! | (absent) or `SIMPLE`     | none, but `healthCheckId` may stand alone                              |
//! | `WEIGHTED`               | `weight`                                                               |
//! | `FAILOVER`               | `failover`: `PRIMARY` or `SECONDARY`                                   |
//! | `LATENCY`                | `region`                                                               |
//! | `GEOLOCATION`            | `continentCode`, or `countryCode` (`*`: default) and `subdivisionCode` |
//! | `GEOPROXIMITY`           | `awsRegion`, `localZoneGroup` or `coordinates`; `bias`                 |
//! | `CIDR`                   | `collection`, `location` (`*`: default)                                |
//! | `MULTIVALUE`             | none                                                                   |
//!
//! All but simple take an `identifier` as well, and any may take a `healthCheckId`.
//! A comment that begins with `AWS` and says nothing we understand is an error: read as a simple record, it would
//! send traffic where nobody wanted it.

use std::fmt::Write;

use crate::model::fields::{self, BadField};
use crate::model::record_set::{CidrLocation, Location, Point, RecordSet, Role, Routing};
use crate::model::{Id, Vpc};
use crate::problem::nearest;

/// What a comment says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// About the record in front of it.
    RecordSet(Annotation),
    /// About the zone: `AWS hostedzone …`.
    HostedZone { name: Option<String>, private: bool, vpcs: Vec<Id> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    pub routing: Routing,
    pub identifier: Option<Id>,
    pub health_check: Option<Id>,
}

/// Why a comment cannot be understood, and which of its bytes are to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationError {
    pub start: usize,
    pub length: usize,
    pub what: String,
    pub why: String,
    pub remedy: String,
}

const RECORD_KEYS: [&str; 15] = [
    "routing",
    "weight",
    "failover",
    "region",
    "continentCode",
    "countryCode",
    "subdivisionCode",
    "awsRegion",
    "localZoneGroup",
    "coordinates",
    "bias",
    "collection",
    "location",
    "identifier",
    "healthCheckId",
];
const ZONE_KEYS: [&str; 3] = ["name", "private", "vpcs"];
const ROUTINGS: [&str; 8] =
    ["WEIGHTED", "FAILOVER", "LATENCY", "GEOLOCATION", "GEOPROXIMITY", "CIDR", "MULTIVALUE", "SIMPLE"];

/// Whether a comment (what follows the semicolon) is meant for us.
pub fn is_annotation(comment: &[u8]) -> bool {
    match comment.trim_ascii_start().strip_prefix(b"AWS") {
        Some(rest) => rest.first().is_none_or(u8::is_ascii_whitespace),
        None => false,
    }
}

/// Reads a comment (what follows the semicolon) that [`is_annotation`].
pub fn parse(comment: &str) -> Result<Said, AnnotationError> {
    let mut fields = Fields::read(comment)?;
    let said = match fields.zone_word.take() {
        None => Said::RecordSet(record_set(&mut fields)?),
        Some(_) => hosted_zone(&mut fields)?,
    };
    match fields.all.first() {
        None => Ok(said),
        Some(field) => Err(fields.unexpected(field)),
    }
}

fn record_set(fields: &mut Fields) -> Result<Annotation, AnnotationError> {
    if let Some(field) = fields.all.iter().find(|field| !RECORD_KEYS.contains(&field.key)) {
        return Err(field.unknown(&RECORD_KEYS));
    }
    let routing = match fields.take("routing") {
        Some(field) => {
            let word = field.value.to_ascii_uppercase();
            fields.routing = ROUTINGS.iter().copied().find(|known| *known == word).ok_or_else(|| {
                let meant = nearest(&word, ROUTINGS);
                field.wrong(BadField::new(
                    format!("{:?} is not a routing policy", field.value),
                    match meant {
                        Some(meant) => format!("did you mean {meant:?}?"),
                        None => format!("write one of {}", ROUTINGS.join(", ")),
                    },
                ))
            })?;
            fields.routing
        }
        None => "SIMPLE",
    };
    let routing = match routing {
        "WEIGHTED" => Routing::Weighted { weight: fields.need("weight", "70", fields::weight)? },
        "FAILOVER" => Routing::Failover(fields.need("failover", "PRIMARY", fields::role)?),
        "LATENCY" => Routing::Latency { region: fields.need("region", "eu-west-1", fields::not_empty)? },
        "GEOLOCATION" => Routing::Geolocation(location(fields)?),
        "GEOPROXIMITY" => Routing::Geoproximity {
            point: point(fields)?,
            bias: fields.take("bias").map_or(Ok(0), |field| field.read(fields::bias))?,
        },
        "CIDR" => Routing::IpBased {
            collection: fields.need("collection", "isps", fields::not_empty)?,
            location: fields
                .need("location", "kt", |text| fields::not_empty(text).map(|_| fields::cidr_location(text)))?,
        },
        "MULTIVALUE" => Routing::Multivalue,
        _ => Routing::Simple,
    };
    let health_check = fields.take("healthCheckId").map(|field| field.read(fields::not_empty)).transpose()?;
    let identifier = match routing {
        // Left in place, `identifier` is reported as a key that a simple record cannot have.
        Routing::Simple => None,
        _ => Some(fields.need("identifier", "blue", fields::not_empty)?),
    };
    if fields.all.is_empty() && routing == Routing::Simple && health_check.is_none() && fields.routing.is_empty() {
        return Err(fields.whole(
            "the comment begins with AWS and says nothing",
            "add routing=\"…\" with its keys, or begin the comment with another word",
        ));
    }
    Ok(Annotation { routing, identifier, health_check })
}

fn location(fields: &mut Fields) -> Result<Location, AnnotationError> {
    let [continent, country, subdivision] =
        ["continentCode", "countryCode", "subdivisionCode"].map(|key| fields.take(key));
    let text = |field: &Option<Field>| field.as_ref().map(|field| field.value.clone());
    let codes = [text(&continent), text(&country), text(&subdivision)];
    fields::location(codes[0].as_deref(), codes[1].as_deref(), codes[2].as_deref()).map_err(|bad| {
        match continent.or(subdivision.filter(|_| country.is_none())).or(country) {
            Some(field) => field.wrong(bad),
            None => fields.whole(
                "routing=\"GEOLOCATION\" names no place",
                "add continentCode, countryCode, or countryCode=\"*\" for the default",
            ),
        }
    })
}

fn point(fields: &mut Fields) -> Result<Point, AnnotationError> {
    let mut points = ["awsRegion", "localZoneGroup", "coordinates"]
        .into_iter()
        .filter_map(|key| fields.take(key))
        .collect::<Vec<_>>();
    if let [_, second, ..] = points.as_slice() {
        return Err(second.wrong(BadField::new(
            "a geoproximity record stands at one place",
            "keep one of awsRegion, localZoneGroup and coordinates",
        )));
    }
    let Some(field) = points.pop() else {
        return Err(fields.whole(
            "routing=\"GEOPROXIMITY\" names no place",
            "add awsRegion=\"eu-west-1\", localZoneGroup=\"us-east-1-bue-1\" or coordinates=\"35.68,139.69\"",
        ));
    };
    field.read(|text| match field.key {
        "awsRegion" => fields::not_empty(text).map(Point::Region),
        "localZoneGroup" => fields::not_empty(text).map(Point::LocalZone),
        _ => {
            let (latitude, longitude) = text.split_once(',').ok_or_else(|| {
                BadField::new(format!("{text:?} is not a latitude and a longitude"), "write them as \"35.68,139.69\"")
            })?;
            Ok(Point::Coordinates {
                latitude: fields::latitude(latitude.trim())?,
                longitude: fields::longitude(longitude.trim())?,
            })
        }
    })
}

fn hosted_zone(fields: &mut Fields) -> Result<Said, AnnotationError> {
    if let Some(field) = fields.all.iter().find(|field| !ZONE_KEYS.contains(&field.key)) {
        return Err(field.unknown(&ZONE_KEYS));
    }
    let name = fields.take("name").map(|field| field.read(fields::not_empty)).transpose()?.map(String::from);
    let private = match fields.take("private") {
        None => false,
        Some(field) => field.read(|text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(BadField::new(format!("{text:?} is neither true nor false"), "write true or false")),
        })?,
    };
    let vpcs: Vec<Id> = match fields.take("vpcs") {
        None => Vec::new(),
        Some(field) if !private => {
            return Err(field.wrong(BadField::new("only a private zone belongs to VPCs", "add private=true")));
        }
        Some(field) => {
            let ids = field.value.split([' ', ',']).filter(|word| !word.is_empty());
            if let Some(other) = ids.clone().find(|word| !Vpc::is_id(word)) {
                let what = format!("{other:?} is no VPC's id");
                return Err(field.wrong(BadField::new(what, "write it as AWS does: vpc-1a2b3c4d")));
            }
            ids.map(Id::from).collect()
        }
    };
    if private && vpcs.is_empty() {
        return Err(fields.whole("a private zone without VPCs is seen by nobody", "add vpcs=\"vpc-1 vpc-2\""));
    }
    Ok(Said::HostedZone { name, private, vpcs })
}

/// The annotation of a record set as cli53 orders its keys; empty for a simple one without a health check.
pub fn print(set: &RecordSet) -> String {
    let mut text = String::from("AWS");
    if set.routing != Routing::Simple {
        let word = match &set.routing {
            Routing::IpBased { .. } => "CIDR".to_string(),
            routing => routing.word().to_ascii_uppercase(),
        };
        say(&mut text, "routing", &word);
    }
    match &set.routing {
        Routing::Simple | Routing::Multivalue => {}
        Routing::Weighted { weight } => {
            let _ = write!(text, " weight={weight}");
        }
        Routing::Failover(Role::Primary) => say(&mut text, "failover", "PRIMARY"),
        Routing::Failover(Role::Secondary) => say(&mut text, "failover", "SECONDARY"),
        Routing::Latency { region } => say(&mut text, "region", region),
        Routing::Geolocation(location) => match location {
            Location::Default => say(&mut text, "countryCode", "*"),
            Location::Continent(code) => say(&mut text, "continentCode", &String::from_utf8_lossy(code)),
            Location::Country(code) => say(&mut text, "countryCode", &String::from_utf8_lossy(code)),
            Location::Subdivision { country, subdivision } => {
                say(&mut text, "countryCode", &String::from_utf8_lossy(country));
                say(&mut text, "subdivisionCode", &String::from_utf8_lossy(subdivision));
            }
        },
        Routing::Geoproximity { point, bias } => {
            match point {
                Point::Region(region) => say(&mut text, "awsRegion", region),
                Point::LocalZone(group) => say(&mut text, "localZoneGroup", group),
                Point::Coordinates { latitude, longitude } => {
                    say(&mut text, "coordinates", &format!("{latitude},{longitude}"))
                }
            }
            if *bias != 0 {
                let _ = write!(text, " bias={bias}");
            }
        }
        Routing::IpBased { collection, location } => {
            say(&mut text, "collection", collection);
            match location {
                CidrLocation::Default => say(&mut text, "location", "*"),
                CidrLocation::Named(name) => say(&mut text, "location", name),
            }
        }
    }
    for (key, value) in [("healthCheckId", &set.health_check), ("identifier", &set.identifier)] {
        if let Some(value) = value {
            say(&mut text, key, value);
        }
    }
    if text == "AWS" { String::new() } else { text }
}

fn say(text: &mut String, key: &str, value: &str) {
    let _ = write!(text, " {key}=\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            control if control.is_ascii_control() => {
                let _ = write!(text, "\\{:03}", u32::from(control));
            }
            plain => text.push(plain),
        }
    }
    text.push('"');
}

/// One `key=value`, and where it stands in the comment.
#[derive(Clone, Debug)]
struct Field<'a> {
    key: &'a str,
    value: String,
    start: usize,
    length: usize,
}

impl Field<'_> {
    fn read<T>(&self, read: impl FnOnce(&str) -> Result<T, BadField>) -> Result<T, AnnotationError> {
        read(&self.value).map_err(|bad| self.wrong(bad))
    }

    fn wrong(&self, bad: BadField) -> AnnotationError {
        AnnotationError {
            start: self.start,
            length: self.length,
            what: format!("{} in the AWS comment cannot be used", self.key),
            why: bad.why,
            remedy: bad.remedy,
        }
    }

    fn unknown(&self, known: &[&'static str]) -> AnnotationError {
        AnnotationError {
            start: self.start,
            length: self.key.len(),
            what: format!("{:?} is not a key of an AWS comment", self.key),
            why: String::new(),
            remedy: match nearest(self.key, known.iter().copied()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("the keys are {}", known.join(", ")),
            },
        }
    }
}

/// What is still to be understood of a comment.
struct Fields<'a> {
    all: Vec<Field<'a>>,
    /// Where the word `hostedzone` stands.
    zone_word: Option<usize>,
    routing: &'static str,
    length: usize,
}

impl<'a> Fields<'a> {
    fn read(comment: &'a str) -> Result<Fields<'a>, AnnotationError> {
        let length = comment.trim_end().len();
        let mut fields = Fields { all: Vec::new(), zone_word: None, routing: "", length };
        let mut scan = Scan { text: comment, at: comment.find("AWS").map_or(0, |at| at + 3) };
        while let Some(start) = scan.next_word() {
            if scan.take_word("hostedzone") && fields.all.is_empty() && fields.zone_word.is_none() {
                fields.zone_word = Some(start);
                continue;
            }
            let mut field = scan.field(start)?;
            // cli53 reads the first spelling and writes the second.
            if field.key == "subdivisonCode" {
                field.key = "subdivisionCode";
            }
            if fields.all.iter().any(|other| other.key == field.key) {
                return Err(field.wrong(BadField::new("it is said twice", "keep one of the two")));
            }
            fields.all.push(field);
        }
        Ok(fields)
    }

    fn take(&mut self, key: &str) -> Option<Field<'a>> {
        let at = self.all.iter().position(|field| field.key == key)?;
        Some(self.all.remove(at))
    }

    fn need<T>(
        &mut self,
        key: &str,
        example: &str,
        read: impl FnOnce(&str) -> Result<T, BadField>,
    ) -> Result<T, AnnotationError> {
        match self.take(key) {
            Some(field) => field.read(read),
            None => Err(self.whole(
                format!("routing=\"{}\" has no {key}", self.routing),
                match example.parse::<u8>() {
                    Ok(_) => format!("add {key}={example}, say"),
                    Err(_) => format!("add {key}=\"{example}\", say"),
                },
            )),
        }
    }

    /// A key that is known, but not to this policy.
    fn unexpected(&self, field: &Field) -> AnnotationError {
        let policy = match field.key {
            "weight" => "WEIGHTED",
            "failover" => "FAILOVER",
            "region" => "LATENCY",
            "continentCode" | "countryCode" | "subdivisionCode" => "GEOLOCATION",
            "awsRegion" | "localZoneGroup" | "coordinates" | "bias" => "GEOPROXIMITY",
            "collection" | "location" => "CIDR",
            _ => "",
        };
        let (why, remedy) = match (self.routing, policy) {
            ("" | "SIMPLE", "") => ("a simple record has none".to_string(), "add routing=\"…\"".to_string()),
            ("" | "SIMPLE", policy) => {
                (format!("it belongs to routing=\"{policy}\""), format!("add routing=\"{policy}\""))
            }
            (routing, policy) => (
                format!("it belongs to routing=\"{policy}\", and this is routing=\"{routing}\""),
                "take it away, or change the routing".to_string(),
            ),
        };
        field.wrong(BadField::new(why, remedy))
    }

    fn whole(&self, what: impl Into<String>, remedy: impl Into<String>) -> AnnotationError {
        AnnotationError { start: 0, length: self.length, what: what.into(), why: String::new(), remedy: remedy.into() }
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next_word(&mut self) -> Option<usize> {
        self.at = self.text.len() - self.rest().trim_start().len();
        (!self.rest().is_empty()).then_some(self.at)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.rest().strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn field(&mut self, start: usize) -> Result<Field<'a>, AnnotationError> {
        let rest = self.rest();
        let key = &rest[..rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len())];
        self.at += key.len();
        let Some(value) = self.rest().strip_prefix('=') else {
            return Err(self.broken(
                start,
                format!("{key:?} in the AWS comment has no value"),
                "write key=\"value\" without spaces around the =, or begin the comment with another word than AWS",
            ));
        };
        self.at += 1;
        let value = if value.starts_with('"') { self.quoted(start)? } else { self.bare(start)? };
        if !self.rest().is_empty() && !self.rest().starts_with(char::is_whitespace) {
            return Err(self.broken(
                start,
                format!("something follows the value of {key} in the AWS comment"),
                "put a space behind the closing quote",
            ));
        }
        Ok(Field { key, value, start, length: self.at - start })
    }

    fn bare(&mut self, start: usize) -> Result<String, AnnotationError> {
        let rest = self.rest();
        let value = &rest[..rest.find(|c: char| c == '"' || c.is_whitespace()).unwrap_or(rest.len())];
        self.at += value.len();
        if value.is_empty() {
            return Err(self.broken(start, "a key in the AWS comment has no value".into(), "write key=\"value\""));
        }
        Ok(value.to_string())
    }

    fn quoted(&mut self, start: usize) -> Result<String, AnnotationError> {
        self.at += 1;
        let mut value = String::new();
        loop {
            let rest = self.rest();
            let mut characters = rest.chars();
            let Some(character) = characters.next() else {
                return Err(self.broken(
                    start,
                    "a quote in the AWS comment is not closed".into(),
                    "add the closing \"",
                ));
            };
            self.at += character.len_utf8();
            match character {
                '"' => return Ok(value),
                '\\' => {
                    let escaped = crate::wire::name::unescape(characters.as_str().as_bytes());
                    match (escaped, characters.next()) {
                        (Some((byte, 3)), _) if byte.is_ascii() => {
                            value.push(char::from(byte));
                            self.at += 3;
                        }
                        (Some((_, 1)), Some(next)) => {
                            value.push(next);
                            self.at += next.len_utf8();
                        }
                        _ => {
                            return Err(self.broken(
                                start,
                                "a backslash in the AWS comment stands for no character".into(),
                                "write \\\\ for a backslash, \\\" for a quote, \\DDD for another ASCII character",
                            ));
                        }
                    }
                }
                other => value.push(other),
            }
        }
    }

    fn broken(&self, start: usize, what: String, remedy: &str) -> AnnotationError {
        let length = self.at.saturating_sub(start).max(1);
        AnnotationError { start, length, what, why: String::new(), remedy: remedy.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record_set::Body;
    use crate::problem::At;
    use crate::wire::name::Name;
    use crate::wire::rtype::Type;

    fn printed(comment: &str) -> String {
        let Ok(Said::RecordSet(Annotation { routing, identifier, health_check })) = parse(comment) else {
            panic!("{comment}: {:?}", parse(comment));
        };
        print(&RecordSet {
            name: Name::root(),
            rtype: Type::A,
            identifier,
            routing,
            health_check,
            body: Body::Values { ttl: 60, rdata: Vec::new() },
            at: At { file: "".into(), line: 1, column: 1, length: 0 },
        })
    }

    #[test]
    fn every_policy_reads_and_writes_back() {
        for comment in [
            r#"AWS routing="WEIGHTED" weight=70 healthCheckId="blue-http" identifier="blue""#,
            r#"AWS routing="WEIGHTED" weight=0 identifier="One""#,
            r#"AWS routing="FAILOVER" failover="PRIMARY" healthCheckId="6bb57c41" identifier="failover-Primary""#,
            r#"AWS routing="FAILOVER" failover="SECONDARY" identifier="failover-Secondary""#,
            r#"AWS routing="LATENCY" region="us-west-1" identifier="USWest1""#,
            r#"AWS routing="GEOLOCATION" continentCode="AF" identifier="Africa""#,
            r#"AWS routing="GEOLOCATION" countryCode="*" identifier="rest""#,
            r#"AWS routing="GEOLOCATION" countryCode="US" subdivisionCode="CA" identifier="california""#,
            r#"AWS routing="GEOPROXIMITY" awsRegion="eu-west-1" bias=20 identifier="dublin""#,
            r#"AWS routing="GEOPROXIMITY" localZoneGroup="us-east-1-bue-1" bias=-99 identifier="lz""#,
            r#"AWS routing="GEOPROXIMITY" coordinates="35.68,139.69" identifier="tokyo""#,
            r#"AWS routing="CIDR" collection="isps" location="kt" identifier="kt""#,
            r#"AWS routing="CIDR" collection="isps" location="*" identifier="rest""#,
            r#"AWS routing="MULTIVALUE" identifier="a \"b\" \\ c\010""#,
            r#"AWS healthCheckId="blue-http""#,
        ] {
            assert_eq!(printed(comment), comment);
        }
        for (comment, same) in [
            (
                r#" AWS identifier=ca	routing=GEOLOCATION countryCode=us subdivisonCode=ca  "#,
                r#"AWS routing="GEOLOCATION" countryCode="US" subdivisionCode="CA" identifier="ca""#,
            ),
            (
                r#"AWS routing="weighted" weight="7" identifier="x""#,
                r#"AWS routing="WEIGHTED" weight=7 identifier="x""#,
            ),
            (r#"AWS routing="SIMPLE""#, ""),
        ] {
            assert_eq!(printed(comment), same);
        }
    }

    #[test]
    fn zones_say_who_sees_them() {
        let zone = |name: Option<&str>, private, vpcs: &[&str]| {
            Ok(Said::HostedZone {
                name: name.map(String::from),
                private,
                vpcs: vpcs.iter().map(|&id| id.into()).collect(),
            })
        };
        for (comment, said) in [
            (
                r#"AWS hostedzone name="corp.example" private=true vpcs="vpc-1 vpc-2""#,
                zone(Some("corp.example"), true, &["vpc-1", "vpc-2"]),
            ),
            (r#"AWS hostedzone private="true" vpcs="vpc-1,vpc-2""#, zone(None, true, &["vpc-1", "vpc-2"])),
            (r#"AWS hostedzone name="corp.example""#, zone(Some("corp.example"), false, &[])),
        ] {
            assert_eq!(parse(comment), said, "{comment}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_at_its_place() {
        for (comment, blamed, said) in [
            ("AWS", "AWS", "says nothing"),
            ("AWS is great", "is", "no value"),
            (r#"AWS routing="WEIGHTD" weight=1 identifier="a""#, r#"routing="WEIGHTD""#, "did you mean \"WEIGHTED\""),
            (r#"AWS routing="WEIGHTED" wieght=1 identifier="a""#, "wieght", "did you mean \"weight\""),
            (r#"AWS routing="WEIGHTED" weight=256 identifier="a""#, "weight=256", "0 to 255"),
            (r#"AWS routing="WEIGHTED" identifier="a""#, r#"AWS routing="WEIGHTED" identifier="a""#, "has no weight"),
            (r#"AWS routing="WEIGHTED" weight=1"#, r#"AWS routing="WEIGHTED" weight=1"#, "has no identifier"),
            (r#"AWS weight=1 identifier="a""#, "weight=1", "add routing=\"WEIGHTED\""),
            (r#"AWS routing="LATENCY" region="r" weight=1 identifier="a""#, "weight=1", "routing=\"LATENCY\""),
            (r#"AWS healthCheckId="a" identifier="a""#, r#"identifier="a""#, "a simple record has none"),
            (r#"AWS healthCheckId="a" healthCheckId="b""#, r#"healthCheckId="b""#, "said twice"),
            (r#"AWS healthCheckId="""#, r#"healthCheckId="""#, "empty"),
            (r#"AWS healthCheckId="a"#, r#"healthCheckId="a"#, "not closed"),
            (r#"AWS healthCheckId="a"b"#, r#"healthCheckId="a""#, "follows"),
            (r#"AWS healthCheckId = "a""#, "healthCheckId", "without spaces"),
            (r#"AWS healthCheckId="\300""#, r#"healthCheckId="\"#, "backslash"),
            (r#"AWS routing="GEOLOCATION" identifier="a""#, r#"AWS routing="GEOLOCATION" identifier="a""#, "no place"),
            (r#"AWS routing="GEOLOCATION" continentCode="XX" identifier="a""#, r#"continentCode="XX""#, "AF, AN"),
            (
                r#"AWS routing="GEOPROXIMITY" awsRegion="a" coordinates="1,2" identifier="a""#,
                r#"coordinates="1,2""#,
                "one place",
            ),
            (r#"AWS routing="GEOPROXIMITY" coordinates="1" identifier="a""#, r#"coordinates="1""#, "longitude"),
            (r#"AWS hostedzone private=true"#, "AWS hostedzone private=true", "nobody"),
            (r#"AWS hostedzone vpcs="v""#, r#"vpcs="v""#, "private=true"),
            ("AWS hostedzone private=true vpcs=\"vpc-1 v\tpc\"", "vpcs=\"vpc-1 v\tpc\"", "no VPC's id"),
            (r#"AWS hostedzone nam="v""#, "nam", "did you mean \"name\""),
        ] {
            let error = parse(comment).unwrap_err();
            let AnnotationError { start, length, what, why, remedy } = &error;
            assert_eq!(&comment[*start..*start + *length], blamed, "{error:?}");
            assert!(format!("{what}, {why}, {remedy}").contains(said), "{error:?}");
        }
    }

    #[test]
    fn only_the_word_aws_makes_an_annotation() {
        for (comment, ours) in [
            (" AWS routing", true),
            ("AWS", true),
            ("\tAWS\tx=1", true),
            (" AWSOME", false),
            (" aws", false),
            ("", false),
        ] {
            assert_eq!(is_annotation(comment.as_bytes()), ours, "{comment}");
        }
    }
}
