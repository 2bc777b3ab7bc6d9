//! A zone as a master file that reads back to the same zone, routing included.

use std::fmt::Write;

use super::annotation;
use crate::model::ZoneData;
use crate::model::record_set::Body;
use crate::model::zone::Visibility;
use crate::wire::name::Shown;
use crate::wire::rdata;

pub fn print(zone: &ZoneData) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_zone(zone, &mut out);
    out
}

fn write_zone(zone: &ZoneData, out: &mut String) -> std::fmt::Result {
    if let Visibility::Private(vpcs) = &zone.visibility {
        let name = zone.origin.without_dot();
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        writeln!(out, "; AWS hostedzone name=\"{name}\" private=true vpcs=\"{}\"", vpcs.join(" "))?;
    }
    writeln!(out, "$ORIGIN {}", zone.origin)?;
    for record in zone.records.iter() {
        let data = rdata::show(record.rtype, record.rdata);
        writeln!(out, "{} {} IN {} {data}", Shown(record.owner), record.ttl, record.rtype)?;
    }
    for set in &zone.record_sets {
        let comment = match annotation::print(set) {
            text if text.is_empty() && matches!(set.body, Body::Alias(_)) => String::new(),
            // Without the comment it would read back as a plain record.
            text if text.is_empty() => " ; AWS routing=\"SIMPLE\"".to_string(),
            text => format!(" ; {text}"),
        };
        match &set.body {
            Body::Alias(target) => {
                let (name, rtype, alias) = (&set.name, set.rtype, &target.name);
                let evaluate = target.evaluate_target_health;
                writeln!(out, "{name} AWS ALIAS {rtype} {alias} {} {evaluate}{comment}", target.zone_id)?;
            }
            Body::Values { ttl, rdata } => {
                for data in rdata {
                    let data = rdata::show(set.rtype, data);
                    writeln!(out, "{} {ttl} IN {} {data}{comment}", set.name, set.rtype)?;
                }
            }
        }
    }
    Ok(())
}
