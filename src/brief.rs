//! Messages of a bounded length. What a message repeats (values, names, lists of names) may be as long as a description; here it is
//! cut, so that no rule has to think of it. Every finding passes through on its way to people and to `--json`. Depends on nothing.

use std::borrow::Cow;

/// The most characters of a quoted text, or of a word, that a message repeats.
pub const MOST_CHARACTERS: usize = 200;

/// The most members of a list that a message repeats.
pub const MOST_MEMBERS: usize = 50;

/// The most characters of a message of one line.
pub const MOST_IN_LINE: usize = 4_000;

/// The most characters of a message of several lines; a trace of Nix is the longest that is of use.
pub const MOST_IN_ALL: usize = 32_000;

/// A text with at most [`MOST_CHARACTERS`] of each quoted text and each word, at most [`MOST_MEMBERS`] of each list, and
/// [`MOST_IN_LINE`] or
/// [`MOST_IN_ALL`] together; how much there was is said where something is left out.
pub fn brief(text: &str) -> Cow<'_, str> {
    with(text, MOST_CHARACTERS)
}

/// A text of which [`brief`] makes the same, with ten times as much of each part: for who looks for something in it first.
pub fn bounded(text: &str) -> Cow<'_, str> {
    with(text, 10 * MOST_CHARACTERS)
}

fn with(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let listed = without_tails(text);
    let mut out = String::with_capacity(listed.len().min(4 * MOST_IN_ALL));
    let mut rest = &*listed;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => quoted(rest),
            first if first.is_whitespace() => first.len_utf8(),
            _ => word(rest),
        };
        let (part, behind) = rest.split_at(end);
        shorten(&mut out, part, behind, most);
        rest = behind;
    }
    let whole =
        cut(&out, if out.contains('\n') { MOST_IN_ALL } else { MOST_IN_LINE }).map(|(head, count)| format!("{head}… ({} characters)", separated(count)));
    Cow::Owned(whole.unwrap_or(out))
}

/// Where a word that begins here ends, in bytes: at a blank, or where a quoted text begins, which it does behind an opening sign only.
fn word(text: &str) -> usize {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c.is_whitespace() || c == '"' && matches!(before, '(' | '[' | '{' | '<' | '=' | ':' | ',') {
            return at;
        }
        before = c;
    }
    text.len()
}

/// Where a quoted text that begins here ends, in bytes; marks in it are written with a backslash.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn shorten(out: &mut String, part: &str, behind: &str, most: usize) {
    let is_quoted = part.starts_with('"');
    // It was cut before.
    let is_counted = part.trim_end_matches('"').ends_with('…') && behind.starts_with(" (");
    match cut(part, most) {
        None => out.push_str(part),
        Some((head, count)) => {
            // Half an escape is none.
            let ends_escaped = head.len() - head.trim_end_matches('\\').len();
            out.push_str(if ends_escaped % 2 == 1 { &head[..head.len() - 1] } else { head });
            let (mark, count) = if is_quoted { ("\"", count.saturating_sub(2)) } else { ("", count) };
            out.push('…');
            out.push_str(mark);
            if !is_counted {
                out.push_str(&format!(" ({} characters)", separated(count)));
            }
        }
    }
}

/// The beginning of a text that has more characters than that, and how many it has.
fn cut(text: &str, most: usize) -> Option<(&str, usize)> {
    if text.len() <= most {
        return None;
    }
    let (end, _) = text.char_indices().nth(most)?;
    Some((&text[..end], most + text[end..].chars().count()))
}

/// A text in which no list, its members separated by a comma and a blank, has more than [`MOST_MEMBERS`]. A list ends with its sentence,
/// its line, or the bracket around it.
fn without_tails(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut begin, mut at) = (0, 0);
    let mut commas = Vec::new();
    while let Some(found) = text[at..].find(['"', ',', '.', ';', '\n', '(', ')', '[', ']', '{', '}']).map(|found| at + found) {
        let rest = &text[found..];
        at = found + 1;
        match rest.as_bytes()[0] {
            b'"' => at = found + quoted(rest),
            b',' if rest.starts_with(", ") => commas.push(found - begin),
            // A full stop within a name ends nothing.
            b',' | b'.' if !rest.starts_with(". ") => {}
            _ => {
                out.push_str(&without_tail(&text[begin..at], &commas));
                begin = at;
                commas.clear();
            }
        }
    }
    if begin == 0 {
        return without_tail(text, &commas);
    }
    out.push_str(&without_tail(&text[begin..], &commas));
    Cow::Owned(out)
}

/// The same of one list, of which these are the commas.
fn without_tail<'a>(text: &'a str, commas: &[usize]) -> Cow<'a, str> {
    let (Some(first), Some(last)) = (commas.get(MOST_MEMBERS - 1), commas.last()) else { return Cow::Borrowed(text) };
    let count = commas.len() - MOST_MEMBERS + 1;
    let member = &text[last + 2..];
    let end = if member.starts_with('"') { quoted(member) } else { member.find([' ', ';', ']', '}', ')', '\n']).unwrap_or(member.len()) };
    // A full stop at its end is the sentence's.
    let end = end - usize::from(member[..end].ends_with('.'));
    Cow::Owned(format!("{} and {} more{}", &text[..*first], separated(count), &member[end..]))
}

/// A number with its thousands apart.
fn separated(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lists_are_two() {
        let list = |mark: &str, count: usize| (0..count).map(|at| format!("{mark}{at}")).collect::<Vec<_>>().join(", ");
        let both = format!("known are {}; and here {}. Nothing else", list("a", 30), list("b.c", 30));
        assert_eq!(brief(&both), both);
        let long = format!("known are {} here; and {}. The end", list("a", 60), list("b", 60));
        assert_eq!(brief(&long), format!("known are {} and 10 more here; and {} and 10 more. The end", list("a", 50), list("b", 50)));
    }

    #[test]
    fn what_is_short_stays() {
        let long = format!("found {:?}, expected a text of a-z; write for example \"b\"", "a".repeat(MOST_CHARACTERS - 2));
        let names = vec!["name"; MOST_MEMBERS].join(", ");
        for text in ["", "found \"a\", allowed are b, c", &long, &names] {
            assert_eq!(brief(text), text);
        }
    }

    #[test]
    fn what_is_long_is_cut_where_it_is_long() {
        let a = "a".repeat(2_000_000);
        let head = "a".repeat(MOST_CHARACTERS - 1);
        assert_eq!(brief(&format!("found {a:?}, expected b")), format!("found \"{head}…\" (2,000,000 characters), expected b"));
        assert_eq!(brief(&format!("x.{a} is missing")), format!("x.{}… (2,000,002 characters) is missing", &head[1..]));
        assert_eq!(brief(&format!("found {:?}", "é\"b c".repeat(100))), format!("found \"{}é…\" (600 characters)", "é\\\"b c".repeat(33)));
        let marks = brief(&"\\\"".repeat(300)).into_owned();
        assert!(marks.chars().count() < 2 * MOST_CHARACTERS + 50, "{marks}");
        let names: Vec<String> = (0..462).map(|at| format!("n{at}")).collect();
        let kept = names[..MOST_MEMBERS].join(", ");
        assert_eq!(brief(&format!("known here are {}; Synapse has none", names.join(", "))), format!("known here are {kept} and 412 more; Synapse has none"));
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        assert!(brief(&format!("allowed are [{}] here", quoted.join(", "))).ends_with("\"n49\" and 412 more] here"));
        for long in [format!("found {a:?}, expected b"), format!("{a} is missing")] {
            assert_eq!(brief(&bounded(&long)), brief(&long));
        }
        assert!(brief(&"word ".repeat(100_000)).chars().count() < MOST_IN_LINE + 50);
        assert!(brief(&"word\n".repeat(100_000)).chars().count() < MOST_IN_ALL + 50);
        assert!(brief(&"é\"\\".repeat(100_000)).chars().count() < MOST_CHARACTERS + 50);
    }
}
