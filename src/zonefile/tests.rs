//! Zone files in, models and problems out.

use std::collections::BTreeMap;

use super::*;
use crate::model::record_set::{AliasTarget, Body, Routing};
use crate::model::zone::Visibility;
use crate::wire::name::Shown;
use crate::wire::rdata;

/// Files to include, by path.
struct Files(BTreeMap<&'static str, &'static str>);

impl Includes for Files {
    fn read(&self, path: &str, _from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        let text = self.0.get(path).ok_or("there is no such file")?;
        Ok((path.into(), text.as_bytes().to_vec()))
    }
}

fn read_with(text: &[u8], files: &[(&'static str, &'static str)]) -> (ZoneData, Problems) {
    let mut problems = Problems::default();
    let files = Files(files.iter().copied().collect());
    let origin = Name::parse("example.com.", None).unwrap();
    let zone = parse(&origin, "example.com.zone".into(), text, &files, &mut problems);
    (zone, problems)
}

fn lines(zone: &ZoneData) -> Vec<String> {
    zone.records
        .iter()
        .map(|record| {
            format!(
                "{} {} {} {}",
                Shown(record.owner),
                record.ttl,
                record.rtype,
                rdata::show(record.rtype, record.rdata)
            )
        })
        .collect()
}

/// The records of a zone without problems.
fn records(text: &str) -> Vec<String> {
    let (zone, problems) = read_with(text.as_bytes(), &[]);
    assert!(problems.is_empty(), "{text}\n{}", listed(&problems).join("\n"));
    lines(&zone)
}

fn listed(problems: &Problems) -> Vec<String> {
    problems.iter().map(|problem| problem.to_string()).collect()
}

#[test]
fn records_take_their_fields_in_any_lawful_form() {
    let text = "\u{feff}$ORIGIN example.com.\r\n$TTL 1h30m ; default\r\n\
        @ IN SOA ns1 host\\.master ( 1 ; serial\r\n 2h 15m\r\n\t2w 300 )\r\n\
        \tNS ns1\n\
        www 60 IN A 192.0.2.1\n\
        www IN 61 A 192.0.2.2\n\
        www 62 A 192.0.2.3\n\
        \n   ; nothing\n\
        \x20 in aaaa 2001:DB8::1\n\
        t TXT plain \"quoted ; ( \\\" x\" \\065\\;\\\"b \"\" (\n \"next\"\n)\n\
        \\097.b*c MX 10 @\n\
        $ORIGIN sub\n\
        a CNAME b ; end\n\
        r TYPE1 \\# 4 c0000201\n\
        r TYPE731 \\# 3 ab cd EF\n\
        last.example.com. A 192.0.2.9";
    assert_eq!(
        records(text),
        [
            "example.com. 5400 SOA ns1.example.com. host\\.master.example.com. 1 7200 900 1209600 300",
            "example.com. 5400 NS ns1.example.com.",
            "www.example.com. 60 A 192.0.2.1",
            "www.example.com. 61 A 192.0.2.2",
            "www.example.com. 62 A 192.0.2.3",
            "www.example.com. 5400 AAAA 2001:db8::1",
            "t.example.com. 5400 TXT \"plain\" \"quoted ; ( \\\" x\" \"A;\\\"b\" \"\" \"next\"",
            "a.b*c.example.com. 5400 MX 10 example.com.",
            "a.sub.example.com. 5400 CNAME b.sub.example.com.",
            "r.sub.example.com. 5400 A 192.0.2.1",
            "r.sub.example.com. 5400 TYPE731 \\# 3 ABCDEF",
            "last.example.com. 5400 A 192.0.2.9",
        ]
    );
}
