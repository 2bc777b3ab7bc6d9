//! Bytes as text: hexadecimal, base64 (RFC 4648, 4) and base32 with the extended alphabet (RFC 4648, 7).

const HEX: &[u8; 16] = b"0123456789ABCDEF";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

/// How a text is broken: at which of its bytes, or only at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadText {
    At(usize),
    Unfinished,
}

/// Reads text that may come in several pieces; `out` grows as whole bytes are complete.
#[derive(Debug)]
pub struct Decoder {
    bits_each: u32,
    pending: u32,
    bits: u32,
    digits: usize,
    padding: usize,
}

impl Decoder {
    pub fn hex() -> Decoder {
        Decoder::new(4)
    }

    pub fn base32() -> Decoder {
        Decoder::new(5)
    }

    pub fn base64() -> Decoder {
        Decoder::new(6)
    }

    fn new(bits_each: u32) -> Decoder {
        Decoder { bits_each, pending: 0, bits: 0, digits: 0, padding: 0 }
    }

    pub fn read(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), BadText> {
        for (at, &byte) in text.iter().enumerate() {
            if byte == b'=' && self.bits_each == 6 {
                self.padding += 1;
                continue;
            }
            let value = match self.bits_each {
                4 => hex_digit(byte),
                5 => base32_digit(byte),
                _ => base64_digit(byte),
            };
            let value = value.filter(|_| self.padding == 0).ok_or(BadText::At(at))?;
            self.pending = self.pending << self.bits_each | u32::from(value);
            self.bits += self.bits_each;
            self.digits += 1;
            if self.bits >= 8 {
                self.bits -= 8;
                out.push((self.pending >> self.bits) as u8);
                self.pending &= (1 << self.bits) - 1;
            }
        }
        Ok(())
    }

    /// Whether the text may end here: no half byte is left over, and the padding is right.
    pub fn finish(self) -> Result<(), BadText> {
        let whole = match self.bits_each {
            4 => self.bits == 0,
            5 => matches!(self.digits % 8, 0 | 2 | 4 | 5 | 7),
            _ => self.padding <= 2 && self.digits % 4 != 1 && (self.digits + self.padding).is_multiple_of(4),
        };
        if whole && self.pending == 0 { Ok(()) } else { Err(BadText::Unfinished) }
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn base32_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'v' => Some(byte - b'a' + 10),
        b'A'..=b'V' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

pub fn hex(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

pub fn base64(bytes: &[u8], out: &mut String) {
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for step in 0..4 {
            let digit = BASE64[(group >> (18 - 6 * step)) as usize & 63];
            out.push(if step <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
}

pub fn base32(bytes: &[u8], out: &mut String) {
    let (mut pending, mut bits) = (0u32, 0);
    for &byte in bytes {
        pending = (pending << 8 | u32::from(byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(BASE32[(pending >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        out.push(char::from(BASE32[(pending << (5 - bits)) as usize & 31]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(mut decoder: Decoder, pieces: &[&str]) -> Result<Vec<u8>, BadText> {
        let mut out = Vec::new();
        for piece in pieces {
            decoder.read(piece.as_bytes(), &mut out)?;
        }
        decoder.finish().map(|()| out)
    }

    #[test]
    fn rfc_4648s_examples() {
        for (plain, base64_text, base32_text) in [
            ("", "", ""),
            ("f", "Zg==", "CO"),
            ("fo", "Zm8=", "CPNG"),
            ("foo", "Zm9v", "CPNMU"),
            ("foob", "Zm9vYg==", "CPNMUOG"),
            ("fooba", "Zm9vYmE=", "CPNMUOJ1"),
            ("foobar", "Zm9vYmFy", "CPNMUOJ1E8"),
        ] {
            let (mut shown64, mut shown32) = (String::new(), String::new());
            base64(plain.as_bytes(), &mut shown64);
            base32(plain.as_bytes(), &mut shown32);
            assert_eq!((shown64.as_str(), shown32.as_str()), (base64_text, base32_text));
            assert_eq!(decode(Decoder::base64(), &[base64_text]), Ok(plain.as_bytes().to_vec()));
            assert_eq!(decode(Decoder::base32(), &[&base32_text.to_lowercase()]), Ok(plain.as_bytes().to_vec()));
        }
        assert_eq!(decode(Decoder::base64(), &["Zm9", "vYg", "=", "="]), Ok(b"foob".to_vec()));
        assert_eq!(decode(Decoder::hex(), &["0", "aF", "f"]), Ok(vec![0x0a, 0xff]));
    }

    #[test]
    fn broken_text_is_refused() {
        for (text, error) in [
            ("Zg", BadText::Unfinished),
            ("Zg=", BadText::Unfinished),
            ("Zg===", BadText::Unfinished),
            ("Zh==", BadText::Unfinished),
            ("Z", BadText::Unfinished),
            ("Zg==Zg==", BadText::At(4)),
            ("Zm9v====", BadText::Unfinished),
            ("Z-9v", BadText::At(1)),
        ] {
            assert_eq!(decode(Decoder::base64(), &[text]), Err(error), "{text}");
        }
        assert_eq!(decode(Decoder::hex(), &["abc"]), Err(BadText::Unfinished));
        assert_eq!(decode(Decoder::hex(), &["ag"]), Err(BadText::At(1)));
        assert_eq!(decode(Decoder::base32(), &["CW"]), Err(BadText::At(1)));
    }
}
