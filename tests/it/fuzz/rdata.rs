//! Any bytes as record data of any type: what is valid is shown as a text that reads back to the same bytes, what is not
//! valid is refused in either form, and any text is read to valid data or refused.

use fingerpost::wire::name::Name;
use fingerpost::wire::rdata::{RDATA_MAX, is_valid, parse, show};
use fingerpost::wire::rtype::Type;

use super::seeds;

pub fn run(bytes: &[u8]) {
    let Some((&[form, high, low], rest)) = bytes.split_first_chunk() else { return };
    let rtype = Type(u16::from_be_bytes([high, low]));
    if rest.len() > RDATA_MAX {
        return;
    }
    let root = Name::root();
    let read = |text: &str| parse(rtype, text, &root).ok();
    let data = match (form & 1, std::str::from_utf8(rest)) {
        (0, _) => rest.to_vec(),
        (_, Ok(text)) => match read(text) {
            Some(data) => {
                assert!(is_valid(rtype, &data), "{rtype} {text:?} is read as {data:02x?}, which is not valid");
                data
            }
            None => return,
        },
        (_, Err(_)) => return,
    };
    let shown = show(rtype, &data);
    assert!(!shown.contains('\n'), "{rtype} {data:02x?} is shown as {shown:?}");
    let opaque = format!("\\# {} {}", data.len(), crate::random_zones::hex(&data));
    if is_valid(rtype, &data) {
        assert_eq!(read(&shown).as_ref(), Some(&data), "{rtype} {shown}");
        assert_eq!(read(&opaque).as_ref(), Some(&data), "{rtype} {opaque}");
    } else {
        assert!(shown.trim_end().eq_ignore_ascii_case(opaque.trim_end()), "{rtype} {shown} is not as RFC 3597 has it");
        assert_eq!(read(&opaque), None, "{rtype} {opaque}");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let text = seeds::files("tests/zones", "zone").concat();
    let (zone, _) = crate::server::load("example.", &String::from_utf8_lossy(&text));
    let records = zone.records.iter().flat_map(|record| {
        let rtype = record.rtype.0.to_be_bytes();
        let shown = show(record.rtype, record.rdata);
        [[&[0], &rtype[..], record.rdata].concat(), [&[1], &rtype[..], shown.as_bytes()].concat()]
    });
    records.collect()
}
