//! Any bytes, read as a PROXY header: nothing panics, what is read lies inside, and no piece of it is another header.

use fingerpost::wire::proxy::{HEAD, LENGTH_MAX, length, read};

pub fn run(bytes: &[u8]) {
    let Some(header) = read(bytes) else { return };
    assert!((HEAD..=LENGTH_MAX.min(bytes.len())).contains(&header.length));
    assert_eq!(bytes.first_chunk().and_then(length), Some(header.length));
    // What the client says behind it changes nothing, and no piece of it will do.
    assert_eq!(read(&bytes[..header.length]), Some(header));
    assert_eq!(read(&bytes[..header.length - 1]), None);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |head: [u8; 4], rest: &[u8]| [&b"\r\n\r\n\0\r\nQUIT\n"[..], &head, rest].concat();
    vec![
        seed([0x21, 0x11, 0, 12], b"\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x34\0\x35query"),
        seed([0x21, 0x11, 0, 16], b"\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x34\0\x35\x04\0\x01\0"),
        seed([0x21, 0x22, 0, 36], &[1; 36]),
        seed([0x21, 0x31, 0, 216], &[1; 216]),
        seed([0x20, 0, 0, 0], b""),
    ]
}
