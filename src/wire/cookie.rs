//! DNS cookies (RFC 7873), with the server cookies of RFC 9018, which all servers of an anycast address can share.
//!
//! A server cookie is a version, three reserved bytes, the time it was made, and a SipHash-2-4 over those, the client's
//! cookie and the client's address. Whoever sends a good one back receives at the address it claims to have.
//!
//! | a server cookie                             | counts as                                  |
//! |---------------------------------------------|--------------------------------------------|
//! | of another length, version or hash          | bad                                        |
//! | over an hour old, or over 5 minutes ahead   | bad                                        |
//! | over half an hour old                       | good, and a new one goes with the reply    |
//! | made with the secret before this one        | good, and a new one goes with the reply    |
//! | else                                        | good                                       |

use std::net::IpAddr;

use siphasher::sip::SipHasher;

/// RFC 9018, 4.1: the version that this is.
const VERSION: u8 = 1;
/// A server cookie of that version.
const SERVER: usize = 16;
/// What is hashed: the client's cookie, half of the server's, and an address.
const HASHED_MAX: usize = 8 + 8 + 16;

// RFC 9018, 4.3, in seconds.
const AGE_MAX: i32 = 60 * 60;
const AGE_RENEW: i32 = 30 * 60;
const AHEAD_MAX: i32 = 5 * 60;

/// The keys of the server cookies. After a change of keys, cookies made with the one before still hold (RFC 9018, 5).
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    pub current: [u8; 16],
    pub previous: Option<[u8; 16]>,
}

/// What a server cookie is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checked {
    Good,
    /// Good, but the reply should bring a new one.
    GoodButOld,
    Bad,
}

impl Secrets {
    /// Both cookies, as a reply's option holds them. Time is Unix time, of which 32 bits are used.
    pub fn make(&self, client: [u8; 8], address: IpAddr, unix_time: u32) -> [u8; 24] {
        let [a, b, c, d] = unix_time.to_be_bytes();
        let stamp = [VERSION, 0, 0, 0, a, b, c, d];
        let mut cookie = [0; 24];
        let (to_client, to_server) = cookie.split_at_mut(8);
        let (to_stamp, to_hash) = to_server.split_at_mut(8);
        to_client.copy_from_slice(&client);
        to_stamp.copy_from_slice(&stamp);
        to_hash.copy_from_slice(&hash(&self.current, client, stamp, address).to_le_bytes());
        cookie
    }

    /// Checks a server cookie that came with this client cookie, from this address.
    pub fn check(&self, client: [u8; 8], server: &[u8], address: IpAddr, unix_time: u32) -> Checked {
        let Ok(server) = <[u8; SERVER]>::try_from(server) else { return Checked::Bad };
        let [version, r0, r1, r2, a, b, c, d, given @ ..] = server;
        if version != VERSION {
            return Checked::Bad;
        }
        // Times are serial numbers (RFC 1982), so this works beyond 2106.
        let age = unix_time.wrapping_sub(u32::from_be_bytes([a, b, c, d])) as i32;
        if !(-AHEAD_MAX..=AGE_MAX).contains(&age) {
            return Checked::Bad;
        }
        let stamp = [version, r0, r1, r2, a, b, c, d];
        let given = u64::from_le_bytes(given);
        // Hashes are compared as whole words, which takes the same time wherever they differ.
        if given == hash(&self.current, client, stamp, address) {
            return if age > AGE_RENEW { Checked::GoodButOld } else { Checked::Good };
        }
        match &self.previous {
            Some(previous) if given == hash(previous, client, stamp, address) => Checked::GoodButOld,
            _ => Checked::Bad,
        }
    }
}

/// Secrets stay out of logs.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// RFC 9018, 4.4. An IPv4 client is one on an IPv6 socket too.
fn hash(secret: &[u8; 16], client: [u8; 8], stamp: [u8; 8], address: IpAddr) -> u64 {
    let mut hashed = [0; HASHED_MAX];
    let (to_client, rest) = hashed.split_at_mut(8);
    let (to_stamp, to_address) = rest.split_at_mut(8);
    to_client.copy_from_slice(&client);
    to_stamp.copy_from_slice(&stamp);
    let length = match address.to_canonical() {
        IpAddr::V4(address) => {
            to_address[..4].copy_from_slice(&address.octets());
            20
        }
        IpAddr::V6(address) => {
            to_address.copy_from_slice(&address.octets());
            32
        }
    };
    SipHasher::new_with_key(secret).hash(&hashed[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        assert_eq!(text.len(), 2 * N);
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    fn secrets(current: &str, previous: Option<&str>) -> Secrets {
        Secrets { current: hex(current), previous: previous.map(hex) }
    }

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

    /// RFC 9018, appendix A: what a client sent, what the server thinks of it, and what it answers.
    #[test]
    fn the_examples_of_rfc_9018_come_out() {
        let rolled = secrets("445536bcd2513298075a5d379663c962", Some("dd3bdf9344b678b185a6f5cb60fca715"));
        let fixed = secrets(SECRET, None);
        for (case, secrets, address, sent, checked, time, answered) in [
            (
                "A.1 learning a new server cookie",
                &fixed,
                "198.51.100.100",
                "2464c4abcf10c957",
                None,
                1559731985,
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
            ),
            (
                "A.2 the same client learning a renewed server cookie",
                &fixed,
                "198.51.100.100",
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
                Some((1559734385, Checked::GoodButOld)),
                1559734385,
                "2464c4abcf10c957010000005cf7a871d4a564a1442aca77",
            ),
            // The example's own cookie is older than the hour that the RFC recommends, so it is checked earlier here.
            (
                "A.3 another client learning a renewed server cookie, reserved bytes set",
                &fixed,
                "203.0.113.203",
                "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
                Some((1559727985, Checked::Good)),
                1559734700,
                "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e",
            ),
            (
                "A.4 IPv6 query with rolled over secret",
                &rolled,
                "2001:db8:220:1:59de:d0f4:8769:82b8",
                "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                Some((1559741961, Checked::GoodButOld)),
                1559741961,
                "22681ab97d52c298010000005cf7c609a6bb79d16625507a",
            ),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let client = hex(&sent[..16]);
            if let Some((now, checked)) = checked {
                assert_eq!(secrets.check(client, &hex::<16>(&sent[16..]), address, now), checked, "{case}");
            }
            assert_eq!(secrets.make(client, address, time), hex::<24>(answered), "{case}");
        }
    }

    #[test]
    fn a_cookie_ages_by_serial_numbers() {
        let secrets = secrets(SECRET, None);
        let (client, address) = (*b"whoisit?", "192.0.2.1".parse().unwrap());
        for made in [1_800_000_000, 0, u32::MAX, u32::MAX / 2, 0x8000_0000] {
            let cookie = secrets.make(client, address, made);
            for (age, checked) in [
                (0, Checked::Good),
                (1800, Checked::Good),
                (1801, Checked::GoodButOld),
                (3600, Checked::GoodButOld),
                (3601, Checked::Bad),
                (-300, Checked::Good),
                (-301, Checked::Bad),
                (i32::MAX, Checked::Bad),
                (i32::MIN, Checked::Bad),
            ] {
                let now = made.wrapping_add_signed(age);
                assert_eq!(secrets.check(client, &cookie[8..], address, now), checked, "{made} {age}");
            }
        }
    }

    #[test]
    fn a_cookie_holds_for_one_client_and_every_bit_counts() {
        let secrets = secrets(SECRET, None);
        let (client, now) = (*b"whoisit?", 1_800_000_000);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let cookie = secrets.make(client, address, now);
        assert_eq!(secrets.check(client, &cookie[8..], "192.0.2.2".parse().unwrap(), now), Checked::Bad);
        assert_eq!(secrets.check(*b"whoisit!", &cookie[8..], address, now), Checked::Bad);
        assert_eq!(secrets.check(client, &cookie[8..], "::ffff:192.0.2.1".parse().unwrap(), now), Checked::Good);
        for bit in 0..SERVER * 8 {
            let mut changed = cookie;
            changed[8 + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(secrets.check(client, &changed[8..], address, now), Checked::Bad, "bit {bit}");
        }
        for length in (0..=32).filter(|length| *length != SERVER) {
            let mut server = [0; 32];
            server[..SERVER].copy_from_slice(&cookie[8..]);
            assert_eq!(secrets.check(client, &server[..length], address, now), Checked::Bad, "{length} bytes");
        }
    }

    #[test]
    fn the_previous_secret_lasts_one_change() {
        let old = secrets(SECRET, None);
        let new = Secrets { current: [1; 16], previous: Some(old.current) };
        let newer = Secrets { current: [2; 16], previous: Some(new.current) };
        let (client, address, now) = (*b"whoisit?", "2001:db8::1".parse().unwrap(), 1_800_000_000);
        let cookie = old.make(client, address, now);
        assert_eq!(new.check(client, &cookie[8..], address, now), Checked::GoodButOld);
        assert_eq!(newer.check(client, &cookie[8..], address, now), Checked::Bad);
    }
}
