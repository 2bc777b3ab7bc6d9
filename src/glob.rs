//! Patterns with stars. The time to compare is the product of the lengths at most: each star is tried again from the next
//! position only.

/// Whether a pattern is all of a text. `star` stands for any run, `one`, if there is one, for any single item.
pub fn matches<T: Copy + PartialEq>(pattern: &[T], text: &[T], star: T, one: Option<T>) -> bool {
    let (mut at, mut in_text) = (0, 0);
    // The star met last, and what it takes so far.
    let mut last: Option<(usize, usize)> = None;
    while let Some(&item) = text.get(in_text) {
        match pattern.get(at) {
            Some(&wanted) if wanted == star => {
                last = Some((at, in_text));
                at += 1;
            }
            Some(&wanted) if wanted == item || one == Some(wanted) => (at, in_text) = (at + 1, in_text + 1),
            // The last star takes one more.
            _ => match last {
                Some((star_at, taken)) => {
                    last = Some((star_at, taken + 1));
                    (at, in_text) = (star_at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&wanted| wanted == star)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_single_items_are_compared() {
        for (pattern, text, same) in [
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*ab*ab", "abcabab", true),
            ("?b", "ab", true),
            ("?", "", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), b'*', Some(b'?')), same, "{pattern} {text}");
        }
        assert!(!matches(b"?", b"a", b'*', None), "a letter like any other");
    }
}
