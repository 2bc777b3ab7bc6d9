//! The columns of a terminal that text takes: names of health checks may be in any language.

/// Columns that a text takes.
pub fn width_of(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// The text in that many columns at most. An ellipsis ends a text that was cut.
pub fn cut(text: &str, most: usize) -> String {
    if width_of(text) <= most {
        return text.to_string();
    }
    let mut room = most.saturating_sub(1);
    let fits = |one: &char| {
        let left = room.checked_sub(columns_of(*one));
        room = left.unwrap_or(room);
        left.is_some()
    };
    let kept: String = text.chars().take_while(fits).collect();
    if most == 0 { String::new() } else { kept + "…" }
}

/// Columns that a character takes: Unicode's East Asian Width is wide or full width for these blocks, and marks that combine
/// take none.
fn columns_of(one: char) -> usize {
    match one {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff01}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_columns() {
        for (text, most, cut_text) in [
            ("orders", 6, "orders"),
            ("orders", 5, "orde…"),
            ("orders", 1, "…"),
            ("orders", 0, ""),
            ("注文", 4, "注文"),
            ("注文", 3, "注…"),
            ("注文", 2, "…"),
            ("e\u{301}te\u{301}", 3, "e\u{301}te\u{301}"),
        ] {
            assert_eq!(cut(text, most), cut_text, "{text} in {most}");
            assert!(width_of(cut_text) <= most, "{text} in {most}");
        }
    }
}
