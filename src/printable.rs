//! Text from elsewhere (archives, packages, graphs, descriptions, other programs) in a form that is safe to print: whatever moves
//! the cursor, changes colours, rings, or turns the order of letters around is written as an escape. Depends on nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text on one line without anything that a terminal obeys: control characters (C0 with line breaks and tabs, DEL, C1) and
/// the characters that override the direction of text (U+202A to U+202E, U+2066 to U+2069) are escaped as in Rust: `\n`, `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed, |out, character| out.extend(character.escape_default()))
}

/// As [`printable`] for a text of several lines, such as a whole report: line feeds and tabs stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_obeyed(character) && !matches!(character, '\n' | '\t'), |out, character| out.extend(character.escape_default()))
}

/// A JSON document with these characters as JSON's own escapes, so that the values stay the same. JSON writers escape C0 inside
/// strings, not DEL, C1 and the overrides; outside strings none of them can stand but the white space that stays.
pub fn printable_json(document: &str) -> Cow<'_, str> {
    escaped(
        document,
        |character| is_obeyed(character) && !character.is_ascii_whitespace(),
        |out, character| {
            // All of them lie in the basic plane. Writing to a string cannot fail.
            let _always = write!(out, "\\u{:04x}", u32::from(character));
        },
    )
}

fn is_obeyed(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, bad: impl Fn(char) -> bool, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(&bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if bad(character) { escape(&mut out, character) } else { out.push(character) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in ["", "libc6 2.41-12", "Főtanúsítvány.crt", "日本語 \\ \"x\" 'y'", "👩‍👩‍👧", "עברית"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(printable_json(text), Cow::Borrowed(_)), "{text}");
        }
        assert_eq!(printable_lines("a\n\tb\r\n"), "a\n\tb\\r\n");
    }

    #[test]
    fn everything_that_a_terminal_obeys_is_escaped() {
        assert_eq!(printable("a\x1b[31mb\rc\nd\te\x7ff\u{9b}g\u{202e}h\u{2066}i\0"), r"a\u{1b}[31mb\rc\nd\te\u{7f}f\u{9b}g\u{202e}h\u{2066}i\u{0}");
        let all: String = (0..=0x2100).filter_map(char::from_u32).collect();
        assert!(!printable(&all).chars().any(is_obeyed));
        assert!(!printable_lines(&all).chars().any(|character| is_obeyed(character) && !matches!(character, '\n' | '\t')));
    }

    #[test]
    fn json_keeps_its_values() {
        let all: String = (0..=0x2100).filter_map(char::from_u32).collect();
        let document = serde_json::to_string_pretty(&serde_json::json!({ &all: [&all] })).unwrap();
        let safe = printable_json(&document);
        assert!(!safe.chars().any(|character| is_obeyed(character) && character != '\n'));
        let back: serde_json::Value = serde_json::from_str(&safe).unwrap();
        assert_eq!(back[&all][0], all.as_str());
    }
}
