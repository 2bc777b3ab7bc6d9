//! Any bytes, read as a query: nothing panics, what is read hangs together, and hickory-proto reads no other question.

use fingerpost::wire::hash::HashKey;
use fingerpost::wire::name::{LABELS_MAX, Name, parent};
use fingerpost::wire::query::{HEADER, Query, Read};
use hickory_proto::op::Message;

use super::seeds;

pub fn run(packet: &[u8]) {
    let mut query = Query::new();
    let read = query.read(packet);
    if read == Read::Silence {
        return;
    }
    assert!(query.question_end >= HEADER && query.question_end <= packet.len());
    // What is echoed is the name that was read, in the case it was asked in.
    if query.question_end > HEADER {
        let echoed = &packet[HEADER..query.question_end - 4];
        assert!(echoed.eq_ignore_ascii_case(query.name.wire()));
        assert!(Name::from_wire(echoed).is_ok());
    }
    let key = HashKey::new([1, 2, 3, 4]);
    let mut hashes = [0; LABELS_MAX + 2];
    query.name.hashes(&key, &mut hashes);
    let mut rest = query.name.wire();
    for (skip, hash) in hashes.iter().enumerate().take(query.name.labels() + 1) {
        assert_eq!(query.name.suffix(skip), rest);
        assert_eq!(key.of(rest), *hash);
        rest = parent(rest).unwrap_or(&[0]);
    }
    assert_eq!(rest, [0]);
    if read == Read::Query
        && let Ok(message) = Message::from_vec(packet)
    {
        assert_eq!(message.queries.len(), 1);
        assert_eq!(u16::from(message.queries[0].query_type()), query.rtype.0);
        assert_eq!(message.queries[0].name().iter().count(), query.name.labels());
        assert_eq!(message.edns.is_some(), query.edns.is_some());
    }
    // A used query reads a packet as a fresh one does.
    let mut used = query.clone();
    assert_eq!(used.read(packet), read);
    assert_eq!((used.name.wire(), &used.edns), (query.name.wire(), &query.edns));
}

pub fn seeds() -> Vec<Vec<u8>> {
    seeds::golden().into_iter().map(|case| case.packet).collect()
}
