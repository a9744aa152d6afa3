//! Lines of a description: its text is held so that nothing but the part of a line that may be shown is read of it.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::names::is_name;
use super::{Unsaid, may_show, path};
use crate::site::schema::{OptionPath, Step};

/// The text of a description, which only [`Hidden::line`] shows a part of.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    text: String,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    unsaid: Unsaid,
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.text.len())
    }
}

/// What is shown of a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// The bytes of the text that the message is about.
    pub span: Range<usize>,
    /// Whether the line is shown from its beginning, so that its columns are those of the file.
    pub from_start: bool,
}

impl Hidden {
    /// Takes the text of a description.
    pub fn new(text: String) -> Self {
        let lines = std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines, unsaid: Unsaid::default() }
    }

    /// The same text, of which lines do not show what messages do not repeat.
    pub fn without(self, unsaid: &Unsaid) -> Self {
        Self { unsaid: unsaid.clone(), ..self }
    }

    /// What may be shown of a line about an option that stands there at a column (from 1, in characters): its name, and its value if it is on
    /// the same line and may be shown. Without an option, as of a text that cannot be read, the name of an option that the tool knows.
    pub fn line(&self, line: usize, column: usize, option: Option<&OptionPath>) -> Option<Line> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        let whole = &self.text[start..end.max(start)];
        match option {
            Some(option) => about(whole, column, option, &self.unsaid),
            None => broken(whole),
        }
    }
}

/// How much of a line is looked at behind a place, in bytes.
const LONGEST: usize = 400;

fn about(whole: &str, column: usize, option: &OptionPath, unsaid: &Unsaid) -> Option<Line> {
    let start = byte(whole, column)?;
    let before = &whole[whole.floor_char_boundary(start.saturating_sub(LONGEST))..start];
    let rest = &whole[start..whole.floor_char_boundary((start + LONGEST).min(whole.len()))];
    let from_start = start <= LONGEST && before.chars().all(|c| matches!(c, ' ' | '-' | '\u{feff}'));
    let before = if from_start { before } else { "" };
    let name = option.0.last().and_then(|step| if let Step::Key(name) = step { Some(name) } else { None });
    let name = match name {
        Some(name) => quoted_or_plain(rest, name)?,
        // An element of a list, whose value stands here.
        None => "",
    };
    if !name.is_empty() && (path(option).ends_with('…') || unsaid.is_in(name)) {
        return None;
    }
    let (sign, after) = rest[name.len()..].strip_prefix(':').map_or(("", &rest[name.len()..]), |after| (":", after));
    let value = if name.is_empty() || !sign.is_empty() {
        scalar(after, whole.len() == start + rest.len()).filter(|(text, _)| text.is_empty() || may_show(option, text) && !unsaid.is_in(text))
    } else {
        None
    };
    let shown = match value {
        Some((_, written)) => format!("{before}{name}{sign}{written}"),
        None => format!("{before}{name}{sign}{}…", if name.is_empty() { "" } else { " " }),
    };
    let shown = shown.trim_end().to_owned();
    let length = if name.is_empty() { shown.len().saturating_sub(before.len()) } else { name.len() };
    Some(Line { span: before.len()..(before.len() + length).min(shown.len()), text: shown, from_start })
}

/// The name as it is written here, with its quotation marks.
fn quoted_or_plain<'a>(rest: &'a str, name: &str) -> Option<&'a str> {
    ["", "\"", "'"].iter().find_map(|mark| {
        let length = name.len() + 2 * mark.len();
        (rest.get(..length)? == format!("{mark}{name}{mark}")).then(|| &rest[..length])
    })
}

/// A scalar that is all that a line, or a member of a set on one line, still holds: its text, and as it is written.
fn scalar(after: &str, is_whole: bool) -> Option<(&str, &str)> {
    static SCALAR: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^[ \t]*(?:"([^"\\]*)"|'([^']*)'|([\p{L}\p{N}./~<_+-](?:[^,\[\]{}#:&*!'"\s]|:[^\s,\]}]| [^\s,\[\]{}#:&*!'"])*)?)[ \t]*(?:[,}\]]|#|\r?$)"#)
            .expect("an expression")
    });
    let found = SCALAR.captures(after)?;
    let text = found.get(1).or_else(|| found.get(2)).or_else(|| found.get(3))?;
    let ends = found.get(0)?.end() == after.len();
    if ends && !is_whole {
        return None;
    }
    let quoted = usize::from(found.get(3).is_none());
    Some((text.as_str(), &after[..text.end() + quoted]))
}

fn broken(whole: &str) -> Option<Line> {
    static OPTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^[\s\[{-]*["']?([A-Za-z_][A-Za-z0-9_]{0,63})["']?\s*[:=]"#).expect("an expression"));
    let found = OPTION.captures(whole)?;
    let name = found.get(1).filter(|name| is_name(name.as_str()))?;
    let shown = found.get(0)?.as_str();
    let more = if whole.len() > found.get(0)?.end() { " …" } else { "" };
    Some(Line { text: format!("{shown}{more}"), span: name.range(), from_start: true })
}

/// The byte of a column.
fn byte(line: &str, column: usize) -> Option<usize> {
    let wanted = column.checked_sub(1)?;
    // Most lines are of one byte a character.
    if line.get(..wanted).is_some_and(str::is_ascii) {
        return Some(wanted);
    }
    Some(line.char_indices().nth(wanted).map_or(line.trim_end().len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_line_the_option_is_shown() {
        let line = |text: &str, column, option: &str| Hidden::new(text.to_owned()).line(1, column, Some(&OptionPath::dotted(option))).map(|line| line.text);
        for (text, column, option, shown) in [
            ("  source: bundeld # x", 3, "turn.source", Some("  source: bundeld")),
            ("  smtp_pass: hunter2", 3, "email.smtp_pass", Some("  smtp_pass: …")),
            ("  smtp_host: [hunter2]", 3, "email.smtp_host", Some("  smtp_host: …")),
            ("email: {smtp_pass: hunter2, smtp_port: x}", 29, "email.smtp_port", Some("smtp_port: x")),
            ("  smtp_host: m # hunter2", 3, "email.smtp_host", Some("  smtp_host: m")),
            ("  - hunter2", 5, "mediaa.0", Some("  - …")),
            ("  smtp_host: !hunter2", 3, "email.smtp_host", Some("  smtp_host: …")),
        ] {
            assert_eq!(line(text, column, option).as_deref(), shown, "{text}");
        }
        let hidden = Hidden::new("  smtp_pass: hunter2\nhunter2: x\n".to_owned());
        assert_eq!(hidden.line(1, 1, None).map(|line| line.text).as_deref(), Some("  smtp_pass: …"));
        assert_eq!(hidden.line(2, 1, None), None);
        assert_eq!(format!("{hidden:?}"), "32 bytes");
    }
}
