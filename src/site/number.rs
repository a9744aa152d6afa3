//! Numbers as people write them and readers do not take them: too large for any, or in the forms of YAML 1.1 and of other languages.

use std::sync::LazyLock;

use regex::Regex;

/// What can be read, for messages.
pub const READABLE: &str = "from -9223372036854775808 to 18446744073709551615";

/// Whether a plain scalar of YAML or JSON is a whole number that is larger or smaller than any that is read.
pub fn is_beyond(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_decimal = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if is_decimal {
        // With a zero before it, it is a text.
        return !(unsigned.starts_with('0') && unsigned.len() > 1)
            && if text.starts_with('-') { text.parse::<i64>().is_err() } else { unsigned.parse::<u64>().is_err() };
    }
    // What is larger still is a text.
    digits(unsigned).is_some_and(|(digits, base)| u64::from_str_radix(digits, base).is_err() && u128::from_str_radix(digits, base).is_ok())
}

/// The digits of a number with another base than ten, and the base.
fn digits(unsigned: &str) -> Option<(&str, u32)> {
    [("0x", 16), ("0X", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(sign, base)| Some((unsigned.strip_prefix(sign)?, base)))
}

/// What to write for a text that is meant as a whole number: `31` for `0x1f`, `1000` for `1_000`.
pub fn meant(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "");
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    if let Some((digits, base)) = digits(unsigned) {
        return u64::from_str_radix(digits, base).ok().map(|number| format!("write {sign}{number}"));
    }
    let number: u64 = unsigned.bytes().all(|byte| byte.is_ascii_digit()).then(|| unsigned.parse().ok()).flatten()?;
    let octal = (unsigned.starts_with('0') && unsigned.len() > 1).then(|| u64::from_str_radix(unsigned, 8).ok()).flatten();
    Some(match octal.filter(|octal| *octal != number) {
        Some(octal) => format!("write {sign}{number}, or {sign}{octal} if it is meant as an octal number"),
        None => format!("write {sign}{number}, without quotation marks"),
    })
}

/// What stands at a place of a JSON text and is meant as a number, where a reader refuses it: `0x10`, `01`, `NaN`, `1E400`.
pub fn refused(text: &str, (line, column): (usize, usize)) -> Option<&str> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?i:[+-]?(?:\.?[0-9][0-9a-zA-Z_.+-]*|\.?inf(?:inity)?|\.?nan))$").expect("an expression"));
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte);
    let bytes = line.as_bytes();
    // Readers count bytes, and name the last one that they took or the first that they did not.
    let at = [column.checked_sub(1)?, column.saturating_sub(2)].into_iter().find(|at| bytes.get(*at).copied().is_some_and(is_part))?;
    let start = bytes[..at].iter().rposition(|byte| !is_part(*byte)).map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|byte| !is_part(*byte)).map_or(bytes.len(), |behind| at + behind);
    // In a text, it is none.
    let quoted = start > 0 && bytes[start - 1] == b'"';
    line.get(start..end).filter(|found| !quoted && NUMBER.is_match(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_all_that_is_read() {
        for text in ["18446744073709551616", "-9223372036854775809", "340282366920938463463374607431768211455", "9".repeat(60).as_str(), "0xfffffffffffffffff"]
        {
            assert!(is_beyond(text), "{text}");
        }
        for text in ["18446744073709551615", "-9223372036854775808", "0", "-0", "007", "1e999", "0x1f", "", "-", "1.2.3", "+49301234567"] {
            assert!(!is_beyond(text), "{text}");
        }
    }

    #[test]
    fn other_forms_of_numbers_are_understood() {
        for (text, write) in [
            ("0x1f", "write 31"),
            ("-0b11", "write -3"),
            ("1_000", "write 1000, without quotation marks"),
            (" 80 ", "write 80, without quotation marks"),
            ("0777", "write 777, or 511 if it is meant as an octal number"),
        ] {
            assert_eq!(meant(text).as_deref(), Some(write), "{text}");
        }
        for text in ["", "x", "1e999", "12:30", "0x", "5.5"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }

    #[test]
    fn what_json_does_not_take_is_found() {
        for text in ["0x10", "01", "+5", ".5", "5.", "1_000", "NaN", "-Infinity", "1E400", "0o17", ".inf"] {
            let json = format!("{{\n \"a\": {text}, \"b\": 1}}");
            let error = serde_json::from_str::<serde_json::Value>(&json).expect_err(text);
            assert_eq!(refused(&json, (error.line(), error.column())), Some(text), "{error}");
        }
        for json in ["{\"a\": tru}", "{\"a\": \"01}", "{\"a\" 1}", "{a: 1}", "{"] {
            let error = serde_json::from_str::<serde_json::Value>(json).expect_err(json);
            assert!(refused(json, (error.line(), error.column())).is_none_or(|found| found == "1"), "{json}: {error}");
        }
    }
}
