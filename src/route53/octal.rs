//! Route 53's escapes: a backslash and three octal digits, where master files write three decimal ones.

use crate::wire::name::Name;

/// Rewrites octal escapes as master files' decimal ones; a backslash before anything but a digit stays.
/// None where three octal digits up to `\377` should follow and don't.
pub fn to_decimal(text: &str) -> Option<String> {
    let mut decimal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        decimal.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        match *rest.as_bytes() {
            [b'0'..=b'9', ..] => {
                let digits = rest.get(..3)?;
                let value = if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    u8::from_str_radix(digits, 8)
                } else {
                    return None;
                };
                decimal.push_str(&format!("{:03}", value.ok()?));
                rest = &rest[3..];
            }
            [] => return None,
            _ => {
                let next = rest.chars().next()?;
                decimal.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    decimal.push_str(rest);
    Some(decimal)
}

/// A name as Route 53 writes it, with or without its final dot.
pub fn name(text: &str) -> Result<Name, String> {
    if !text.is_ascii() {
        return Err(format!("{text:?} has characters outside ASCII"));
    }
    let decimal =
        to_decimal(text).ok_or_else(|| format!("{text:?} has an escape that is not three octal digits up to \\377"))?;
    match decimal.as_str() {
        // No origin in Route 53's names.
        "@" => Name::parse_absolute(r"\064"),
        decimal => Name::parse_absolute(decimal),
    }
    .map_err(|error| format!("{text:?} is not a name: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_octal() {
        for (text, shown) in [
            (r"\052.example.com.", Some("*.example.com.")),
            (r"a\056b.example.com", Some(r"a\.b.example.com.")),
            (r"ex\344mple.com", Some(r"ex\228mple.com.")),
            (r"\100", Some(r"\@.")),
            ("@", Some(r"\@.")),
            (r"\400.", None),
            (r"\08.", None),
            (r"\089.", None),
            (r"\+12.", Some("+12.")),
            (r"a\", None),
            ("é.", None),
            ("a..b", None),
            ("", None),
        ] {
            assert_eq!(name(text).ok().map(|name| name.to_string()).as_deref(), shown, "{text}");
        }
        assert!(name(r"\052.example.com").unwrap().is_wildcard());
        assert_eq!(to_decimal(r#""a\"\\\011é""#).as_deref(), Some(r#""a\"\\\009é""#));
    }
}
