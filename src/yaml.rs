//! YAML for Synapse, whose reader (PyYAML) follows YAML 1.1: `no` is false there, `12:30` a number and `1_000` too. So every
//! text is written in double quotes unless it can be nothing but text, and whatever is not plainly printable is escaped. What
//! is written here is the same value to readers of YAML 1.1, YAML 1.2 and this program.

use std::fmt::Write as _;

use serde_json::Value;

/// A document in block style, with a comment at its head.
pub fn document(comment: &str, value: &Value) -> String {
    let mut out = String::new();
    for line in comment.lines() {
        let _ = writeln!(out, "{}", format!("# {line}").trim_end());
    }
    match value {
        Value::Object(members) if !members.is_empty() => mapping(&mut out, value, 0),
        other => {
            inline(&mut out, other);
            out.push('\n');
        }
    }
    out
}

fn mapping(out: &mut String, value: &Value, indent: usize) {
    for (key, member) in value.as_object().into_iter().flatten() {
        out.extend(std::iter::repeat_n(' ', indent));
        text(out, key);
        out.push(':');
        nested(out, member, indent);
    }
}

/// What comes after `key:`.
fn nested(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            mapping(out, value, indent + 2);
        }
        Value::Array(elements) if !elements.is_empty() => {
            out.push('\n');
            sequence(out, elements, indent + 2);
        }
        other => {
            out.push(' ');
            inline(out, other);
            out.push('\n');
        }
    }
}

fn sequence(out: &mut String, elements: &[Value], indent: usize) {
    for element in elements {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push('-');
        match element {
            Value::Object(members) if !members.is_empty() => {
                let mut block = String::new();
                mapping(&mut block, element, indent + 2);
                out.push(' ');
                out.push_str(&block[indent + 2..]);
            }
            Value::Array(inner) if !inner.is_empty() => {
                out.push('\n');
                sequence(out, inner, indent + 2);
            }
            other => {
                out.push(' ');
                inline(out, other);
                out.push('\n');
            }
        }
    }
}

fn inline(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => number_text(out, number),
        Value::String(string) => text(out, string),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// YAML 1.1 wants a point and a sign in a number with an exponent: `1e3` is text there, `1.0e+3` a number.
fn number_text(out: &mut String, number: &serde_json::Number) {
    let written = number.to_string();
    match written.split_once('e') {
        Some((mantissa, exponent)) => {
            let point = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
            let _ = write!(out, "{mantissa}{point}e{sign}{exponent}");
        }
        None => out.push_str(&written),
    }
}

fn text(out: &mut String, string: &str) {
    if is_plain(string) {
        out.push_str(string);
        return;
    }
    out.push('"');
    for c in string.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(c),
            c if u32::from(c) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            // Letters of every script stay legible; marks that change direction or have no width do not stay hidden.
            c if c.is_alphanumeric() => out.push(c),
            c if u32::from(c) < 0x10000 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
}

fn is_plain(string: &str) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "none"];
    let mut bytes = string.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_' || first == b'/')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte))
        && !WORDS.contains(&string.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_what_is_read() {
        let value = json!({
            "no": ["no", "0.10", "1e3", "12:30:45", "1_000", "=", "<<", "~", "", " a ", "a: b", "# c", "- d", "multi\nline\n", "%", "@x", "`", "\u{7f}\u{85}\u{a0}\u{feff}"],
            "rtl": "\u{202e}abc \u{05e9}", "emoji": "\u{1f600}", "nested": [[1, [2]], {"a": {}, "b": []}, []], "n": 1.5e300, "deep": {"a": {"b": {"c": null}}}
        });
        let written = document("head\nsecond", &value);
        assert_eq!(serde_yaml::from_str::<Value>(&written).expect("is YAML"), value);
        assert!(written.is_ascii() || written.contains('\u{05e9}'));
        assert!(written.starts_with("# head\n# second\ndeep:\n") && written.contains("\"no\":\n  - \"no\"\n"), "{written}");
    }
}
