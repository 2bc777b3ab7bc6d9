//! Any text as a comment with routing in it: nothing panics, what is wrong has its place in the comment, and what is
//! understood is written as a comment that is understood the same.

use fingerpost::model::record_set::{AliasTarget, Body, RecordSet};
use fingerpost::problem::At;
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::Type;
use fingerpost::zonefile::annotation::{self, Annotation, Said};

use super::seeds;

fn printed(annotation: &Annotation) -> String {
    let Annotation { routing, identifier, health_check } = annotation.clone();
    let target = AliasTarget { name: Name::root(), zone_id: "$self".into(), evaluate_target_health: false };
    let at = At { file: "".into(), line: 1, column: 1, length: 0 };
    let (name, rtype, body) = (Name::root(), Type::A, Body::Alias(target));
    annotation::print(&RecordSet { name, rtype, identifier, routing, health_check, body, at })
}

pub fn run(bytes: &[u8]) {
    let ours = annotation::is_annotation(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match annotation::parse(text) {
        Err(error) => {
            let inside = error.start + error.length <= text.len();
            assert!(inside, "{} bytes from {} on: {}", error.length, error.start, error.what);
            assert!(!error.what.is_empty());
        }
        Ok(Said::RecordSet(annotation)) if ours => {
            let again = printed(&annotation);
            // Simple and without a health check there is nothing to write.
            if !again.is_empty() {
                assert!(annotation::is_annotation(again.as_bytes()), "{again}");
                assert_eq!(annotation::parse(&again), Ok(Said::RecordSet(annotation)), "{again}");
            }
        }
        Ok(_) => {}
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let zones = seeds::zones();
    let lines = zones.iter().flat_map(|zone| zone.split(|&byte| byte == b'\n'));
    let comment = |line: &[u8]| {
        let at = line.windows(5).position(|window| window == b"; AWS")?;
        Some(line[at + 1..].to_vec())
    };
    let mut comments: Vec<Vec<u8>> = lines.filter_map(comment).collect();
    comments.sort();
    comments.dedup();
    comments
}
