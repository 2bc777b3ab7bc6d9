//! Routing in a zone file: comments behind records and before them, `AWS ALIAS` lines, and the record sets they make.

use super::annotation::{self, Annotation, AnnotationError, Said};
use super::reader::Reader;
use super::source::Source;
use crate::model::Id;
use crate::model::record_set::{AliasTarget, Body, RecordSet, Routing};
use crate::model::zone::Visibility;
use crate::wire::name::Name;
use crate::wire::rdata::entry::Entry;
use crate::wire::rdata::fields::{Fault, Fields, Outcome};
use crate::wire::rtype::Type;

/// What makes lines one record set: name, type and identifier.
pub type GroupKey = (Name, Type, Option<Id>);

/// Where a comment stands in the text.
pub type Place = (usize, usize);

impl Reader<'_> {
    fn said(&self, text: &[u8], (start, end): Place) -> Outcome<Option<Said>> {
        let comment = text.get(start..end).unwrap_or_default();
        if !annotation::is_annotation(comment) {
            return Ok(None);
        }
        let Ok(comment) = std::str::from_utf8(comment) else {
            return Err(Fault::new(start, end, "this comment is not UTF-8 text").remedy("save the file as UTF-8"));
        };
        annotation::parse(comment).map(Some).map_err(|error| {
            let AnnotationError { start: from, length, what, why, remedy } = error;
            Fault::new(start + from, start + from + length, what).why(why).remedy(remedy)
        })
    }

    pub fn annotation_said(&mut self, text: &[u8], entry: &Entry) -> Outcome<Option<(Annotation, Place)>> {
        let mut found = None;
        for &place in &entry.annotations {
            match self.said(text, place)? {
                None => {}
                Some(Said::RecordSet(annotation)) if found.is_none() => found = Some((annotation, place)),
                Some(Said::RecordSet(_)) => {
                    return Err(
                        Fault::new(place.0, place.1, "the record has two AWS comments").remedy("keep one of them")
                    );
                }
                Some(Said::HostedZone { .. }) => {
                    return Err(Fault::new(place.0, place.1, "AWS hostedzone stands behind a record")
                        .remedy("put it on a line of its own before the first record"));
                }
            }
        }
        Ok(found)
    }

    /// A comment on a line of its own: about the zone, or misplaced.
    pub fn lone_comment(&mut self, source: &mut Source<'_>, entry: &Entry) -> Outcome<()> {
        for &place in &entry.annotations {
            let fault = |what: &str| Fault::new(place.0, place.1, what);
            match self.said(source.text, place)? {
                None => {}
                Some(Said::RecordSet(_)) => {
                    return Err(fault("this AWS comment stands behind no record")
                        .remedy("put it at the end of the record it is about"));
                }
                Some(Said::HostedZone { name, private, vpcs }) => {
                    if !self.zone.records.is_empty() || !self.zone.record_sets.is_empty() {
                        return Err(fault("AWS hostedzone comes too late")
                            .why("records stand before it")
                            .remedy("put it before the first record"));
                    }
                    if std::mem::replace(&mut self.introduced, true) {
                        return Err(fault("AWS hostedzone is said twice").remedy("keep one of them"));
                    }
                    if let Some(text) = name {
                        let name = Name::parse_absolute(&text)
                            .map_err(|error| fault(&format!("{text:?} is not a zone's name")).why(error.to_string()))?;
                        if source.origin.eq_ignore_ascii_case(self.zone.origin.wire()) {
                            source.origin = name.wire().to_vec();
                        }
                        self.zone.origin = name;
                    }
                    if private {
                        self.zone.visibility = Visibility::Private(vpcs);
                    }
                }
            }
        }
        Ok(())
    }

    /// `name [TTL] AWS ALIAS type target zone-id true|false`, the part behind `ALIAS`. The TTL is the target's.
    pub fn alias(
        &mut self,
        source: &Source<'_>,
        mut fields: Fields<'_>,
        _ttl: Option<u32>,
        annotation: Option<(Annotation, Place)>,
    ) -> Outcome<()> {
        const FORM: &str = "write: name AWS ALIAS A target $self false";
        let with_form = |fault: Box<Fault>| fault.remedy(FORM);
        let field = fields.required("the alias's type").map_err(with_form)?;
        let rtype = field.text().and_then(Type::parse).ok_or_else(|| field.is_not("a record type").remedy(FORM))?;
        let mut target = Vec::new();
        let field = fields.required("the alias's target").map_err(with_form)?;
        field.name_into(fields.origin, &mut target)?;
        let target = Name::from_wire(&target).map_err(|error| field.fault(error.to_string()))?;
        let field = fields.required("the target's hosted zone").map_err(with_form)?;
        let zone_id = field.text().filter(|text| AliasTarget::is_zone_id(text));
        let zone_id = zone_id.ok_or_else(|| field.is_not("a hosted zone id").remedy(FORM))?;
        let field = fields.required("whether to evaluate the target's health").map_err(with_form)?;
        let evaluate_target_health = match field.bytes.to_ascii_lowercase().as_slice() {
            b"true" => true,
            b"false" => false,
            _ => {
                return Err(field
                    .is_not("true or false")
                    .why("it says whether to evaluate the target's health")
                    .remedy("write true or false"));
            }
        };
        fields.finish().map_err(with_form)?;
        let (annotation, place) =
            annotation.map_or_else(|| (simple(), entry_place(source)), |(annotation, place)| (annotation, place));
        let body = Body::Alias(AliasTarget { name: target, zone_id: zone_id.into(), evaluate_target_health });
        self.add(source, &source.owner, rtype, annotation, body, place)
    }

    /// One value of a steered record set.
    #[allow(clippy::too_many_arguments)]
    pub fn value(
        &mut self,
        source: &Source<'_>,
        owner: &[u8],
        ttl: u32,
        rtype: Type,
        rdata: &[u8],
        annotation: Annotation,
        place: Place,
    ) -> Outcome<()> {
        let body = Body::Values { ttl, rdata: vec![rdata.into()] };
        self.add(source, owner, rtype, annotation, body, place)
    }

    /// A new record set, or one more value of one that has begun.
    fn add(
        &mut self,
        source: &Source<'_>,
        owner: &[u8],
        rtype: Type,
        annotation: Annotation,
        body: Body,
        (start, end): Place,
    ) -> Outcome<()> {
        let fault = |what: String| Fault::new(start, end, what);
        let name = Name::from_wire(owner).map_err(|error| fault(error.to_string()))?;
        let Annotation { routing, identifier, health_check } = annotation;
        let key = (name.clone(), rtype, identifier.clone());
        let shown = match &identifier {
            Some(identifier) => format!("{name} {rtype} \"{identifier}\""),
            None => format!("{name} {rtype}"),
        };
        let Some(&index) = self.groups.get(&key) else {
            self.groups.insert(key, self.zone.record_sets.len());
            let at = source.at();
            self.zone.record_sets.push(RecordSet { name, rtype, identifier, routing, health_check, body, at });
            return Ok(());
        };
        let Some(set) = self.zone.record_sets.get_mut(index) else { return Ok(()) };
        let before = format!("it began in line {} of {}", set.at.line, set.at.file);
        if set.routing != routing || set.health_check != health_check {
            return Err(fault(format!("the lines of record set {shown} disagree about its routing"))
                .why(before)
                .remedy("give them the same AWS comment, or different identifiers"));
        }
        match (&mut set.body, body) {
            (Body::Values { ttl, rdata }, Body::Values { ttl: other, rdata: more }) => {
                if *ttl != other {
                    let least = (*ttl).min(other);
                    self.warnings.push(
                        *fault(format!("record set {shown} has the TTLs {ttl} and {other}, so it has {least}"))
                            .why(before)
                            .remedy("give its lines one TTL"),
                    );
                    *ttl = least;
                }
                rdata.extend(more);
                Ok(())
            }
            _ => Err(fault(format!("record set {shown} has more than its one alias target"))
                .why(before)
                .remedy("keep one line, or give them different identifiers")),
        }
    }
}

fn simple() -> Annotation {
    Annotation { routing: Routing::Simple, identifier: None, health_check: None }
}

/// The entry itself, where it has no comment to point at.
fn entry_place(source: &Source<'_>) -> Place {
    (source.start, crate::wire::rdata::entry::line_end(source.text, source.start))
}
