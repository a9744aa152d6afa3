//! What is wrong with a text that is no YAML or JSON, in words for people. The readers say what they looked for; what somebody wrote is in the
//! text at the place that they name.

use std::sync::LazyLock;

use regex::Regex;

use super::quote;
use super::reveal::without_quotes;

/// A mistake of writing.
#[derive(Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What was found.
    pub message: String,
    /// What to write.
    pub remedy: Option<String>,
    /// Line and column, both from 1.
    pub place: Option<(usize, usize)>,
}

/// What the readers say, and what it means: a part of their words, what was found, what to write, and whether the place of what was begun
/// tells more than the one where the reader gave up.
const YAML: &[(&str, &str, &str, bool)] = &[
    ("more than one document", "has a second document, which begins with ---", "one file describes one site: remove the line, or make two files of it", false),
    ("tab character that violates indentation", TAB, NO_TABS, false),
    ("did not find expected comment or line break", "has something after the sign that begins a text of several lines", "begin the text on a new line", false),
    (
        "mapping values are not allowed",
        "has a second colon in one line, or the line is indented further than the one above it",
        "put a text with a colon into quotation marks; options of one section are indented alike",
        false,
    ),
    ("while scanning a quoted scalar", "has a quotation mark that is not closed", "close it; a quotation mark within single ones is written twice", true),
    ("while parsing a flow mapping", "has a { that is not closed, or lacks a comma behind one of its members", "close it with }, or write the comma", true),
    ("while parsing a flow sequence", "has a [ that is not closed, or lacks a comma behind one of its elements", "close it with ], or write the comma", true),
    ("did not find expected key", "has a line that is indented unlike those that it belongs to", "indent the options of one section alike, with blanks", false),
    ("did not find expected '-' indicator", "has a line between the elements of a list that is none", "begin it with -, or indent it like its section", false),
    (
        "block sequence entries are not allowed",
        "has a - where no list can begin",
        "begin the list on a line of its own; put a text that begins with - into quotation marks",
        false,
    ),
    ("could not find expected ':'", "has a line that is no option", "write a colon and a blank behind the name of an option", true),
    ("expected a string key", "has a set or a list where the name of an option belongs", "put a text that begins with { or [ into quotation marks", false),
    (
        "invalid type: sequence, expected a string",
        "has a set or a list where the name of an option belongs",
        "put a text that begins with { or [ into quotation marks",
        false,
    ),
    ("unknown anchor", "refers with * to something that no & names before", "put a text that begins with * into quotation marks", false),
    ("did not find expected alphabetic or numeric character", "has a * or & without a name", "put a text that begins with it into quotation marks", false),
    ("recursion limit exceeded", "is nested too deeply", "write it with fewer brackets within brackets", false),
    (super::yaml::TOO_LARGE, "holds more than 200,000 values or 16 MiB of text once its aliases (*) are replaced", "write less, or put it into files", false),
    ("repetition limit exceeded", "repeats itself too often with *", "write out what is meant", false),
];

const TAB: &str = "has a tab where a line is indented";
const NO_TABS: &str = "indent with blanks; YAML takes no tabs there";

const QUOTE: &str = "has a quotation mark that is not closed in its line";
const CLOSE: &str = "close it at the end of the text that it begins";

const EARLY: &str = "has a text in quotation marks that ends at such a mark in it";
const TWICE: &str = "write an apostrophe twice within single marks ('don''t'), or put the text into double ones; within those write \\\"";

/// What is wrong with a text that the reader of YAML refused with these words.
pub fn yaml(text: &str, said: &str) -> SyntaxError {
    // The reader gives up where the mark of another text seems to close this one, or at the end of the file.
    let gave_up = places(said).into_iter().max();
    match quote::unclosed(text) {
        Some(place) if gave_up.is_none_or(|gave_up| place <= gave_up) => {
            SyntaxError { message: QUOTE.to_owned(), remedy: Some(CLOSE.to_owned()), place: Some(place) }
        }
        _ => match quote::ended_early(text).filter(|place| gave_up.is_none_or(|gave_up| *place <= gave_up)) {
            Some(place) => SyntaxError { message: EARLY.to_owned(), remedy: Some(TWICE.to_owned()), place: Some(place) },
            None => refused(text, said),
        },
    }
}

/// The places that the reader names.
fn places(said: &str) -> Vec<(usize, usize)> {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"at line (\d+) column (\d+)").expect("an expression"));
    PLACE.captures_iter(said).filter_map(|found| Some((found[1].parse().ok()?, found[2].parse().ok()?))).collect()
}

fn refused(text: &str, said: &str) -> SyntaxError {
    let places = places(said);
    let place = places.first().copied();
    if said.contains("control characters are not allowed") {
        return control_character(text);
    }
    if said.contains("cannot start any token") {
        return match place.and_then(|place| at(text, place)) {
            Some('\t') => SyntaxError { message: TAB.to_owned(), remedy: Some(NO_TABS.to_owned()), place },
            Some(_) => {
                SyntaxError { message: "has a text that begins with @, ` or %".to_owned(), remedy: Some("put the text into quotation marks".to_owned()), place }
            }
            None => SyntaxError { message: format!("is not YAML: {}", without_quotes(said)), remedy: None, place },
        };
    }
    let Some((_, message, remedy, begun)) = YAML.iter().find(|(sign, ..)| said.contains(sign)) else {
        return SyntaxError { message: format!("is not YAML that can be read: {}", without_quotes(said)), remedy: None, place };
    };
    let place = if said.contains("more than one document") { second_document(text) } else { places.get(usize::from(*begun)).copied().or(place) };
    SyntaxError { message: (*message).to_owned(), remedy: Some((*remedy).to_owned()), place }
}

/// What is wrong with a text that the reader of JSON refused with these words at this place.
pub fn json(text: &str, said: &str, place: (usize, usize)) -> SyntaxError {
    if let Some(place) =
        quote::unclosed(text).filter(|quote| *quote <= place && (said.contains("control character") || said.starts_with("EOF while parsing a string")))
    {
        return SyntaxError { message: QUOTE.to_owned(), remedy: Some(CLOSE.to_owned()), place: Some(place) };
    }
    // The place is told by itself.
    let said = said.split(" at line ").next().unwrap_or(said);
    let remedy = match (said, at(text, place)) {
        ("trailing comma", _) => Some("remove the comma before the closing bracket"),
        (_, Some('/' | '#')) => Some("JSON has no comments: remove it, or write the description as YAML"),
        (_, Some('\'')) => Some("JSON has double quotation marks only"),
        ("key must be a string", _) => Some("put the name into quotation marks"),
        ("trailing characters", _) => Some("one file describes one site: remove what follows it"),
        (said, _) if said.starts_with("EOF while parsing") => Some("close what was opened last: a bracket, or a quotation mark"),
        (said, _) if said.starts_with("expected `,`") => Some("write a comma between two members, or close the bracket"),
        _ => None,
    };
    SyntaxError { message: format!("is not JSON: {said}"), remedy: remedy.map(str::to_owned), place: Some(place) }
}

fn at(text: &str, (line, column): (usize, usize)) -> Option<char> {
    text.lines().nth(line.checked_sub(1)?)?.chars().nth(column.checked_sub(1)?)
}

fn second_document(text: &str) -> Option<(usize, usize)> {
    let is_content = |line: &str| !line.trim().is_empty() && !line.starts_with(['#', '%']);
    let mut lines = text.lines().enumerate().skip_while(|(_, line)| !is_content(line));
    lines.next();
    let begins = |line: &str| line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
    lines.find(|(_, line)| begins(line)).map(|(at, _)| (at + 1, 1))
}

fn control_character(text: &str) -> SyntaxError {
    // YAML 1.2, production 1, c-printable.
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}') || matches!(c, '\u{fffe}' | '\u{ffff}');
    let found = text.lines().enumerate().find_map(|(line, text)| text.chars().enumerate().find(|(_, c)| bad(*c)).map(|(column, c)| (line + 1, column + 1, c)));
    let what = found.map_or("a control character".to_owned(), |(.., c)| format!("the control character {c:?}"));
    let remedy = "remove it; in a text in double quotation marks it can be written as \\x and two digits".to_owned();
    SyntaxError { message: format!("has {what}"), remedy: Some(remedy), place: found.map(|(line, column, _)| (line, column)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_yaml(text: &str) -> SyntaxError {
        let error = serde_yaml::from_str::<serde_json::Value>(text).expect_err(text);
        yaml(text, &error.to_string())
    }

    #[test]
    fn what_yaml_is_not_is_said_with_what_was_written() {
        for (text, message, remedy, place) in [
            ("a:\n\tb: c\n", "a tab", "blanks", (2, 1)),
            ("a:\n  b: 1\n\tc: 2\n", "a tab", "blanks", (3, 1)),
            ("a: b\n---\na: c\n", "second document", "two files", (2, 1)),
            ("# x\n---\na: b\n--- # y\n", "second document", "two files", (4, 1)),
            ("a: b: c\n", "second colon", "quotation marks", (1, 5)),
            ("a: 'b\nc: d\n", "a quotation mark", "close it", (1, 4)),
            ("a: 'b\nc: 'd'\n", "a quotation mark", "close it", (1, 4)),
            ("# it's\na: \"b\nc: \"d\"\n", "a quotation mark", "close it", (2, 4)),
            ("a: [x, \"b]\nc: \"d\"\n", "a quotation mark", "close it", (1, 8)),
            ("a: it's\nb: 'c\nd: e\n", "a quotation mark", "close it", (2, 4)),
            ("a: |\n  'x\n  y: z\nb: 'c\nd: 'e'\n", "a quotation mark", "close it", (4, 4)),
            ("a: 'don't care'\nb: c\n", "ends at such a mark", "twice", (1, 4)),
            ("x: y\na: { b: 'don't care' }\n", "ends at such a mark", "twice", (2, 9)),
            ("a: \"say \"hi\" now\"\n", "ends at such a mark", "double ones", (1, 4)),
            ("a: {b: c\n", "a {", "}", (1, 4)),
            ("a: [b, c\nd: e\n", "a [", "]", (1, 4)),
            ("a:\n    b: c\n  d: e\n", "indented unlike", "alike", (3, 3)),
            ("a: - b\n", "a -", "a line of its own", (1, 4)),
            ("a: %b\n", "begins with @, ` or %", "quotation marks", (1, 4)),
            ("a: @b\n", "begins with @, ` or %", "quotation marks", (1, 4)),
            ("a: *b\n", "refers with *", "quotation marks", (1, 4)),
            ("a: * b\n", "a * or &", "quotation marks", (1, 5)),
            ("a: {{ b }}\n", "name of an option", "quotation marks", (1, 5)),
            ("? [a]\n: b\n", "name of an option", "quotation marks", (1, 3)),
            ("a: b\u{1}\n", "'\\u{1}'", "remove it", (1, 5)),
            ("a: |b\n  c\n", "several lines", "new line", (1, 5)),
        ] {
            let told = of_yaml(text);
            assert!(told.message.contains(message) && told.remedy.as_ref().is_some_and(|told| told.contains(remedy)), "{text}: {told:?}");
            assert_eq!(told.place, Some(place), "{text}: {told:?}");
        }
    }

    #[test]
    fn what_json_is_not_is_said_with_what_to_write() {
        for (text, remedy) in [
            ("{\"a\": 1,}", "remove the comma"),
            ("// x\n{}", "no comments"),
            ("{'a': 1}", "double"),
            ("{a: 1}", "into quotation marks"),
            ("{} {}", "one file"),
            ("{\"a\": [1", "close"),
            ("{\"a\": \"b,\n\"c\": 1}", "close it at the end"),
            ("{\"a\": \"b", "close it at the end"),
            ("{\"a\": 1 \"b\": 2}", "a comma"),
        ] {
            let error = serde_json::from_str::<serde_json::Value>(text).expect_err(text);
            let told = json(text, &error.to_string(), (error.line(), error.column().max(1)));
            assert!(!told.message.contains("at line") && told.remedy.as_ref().is_some_and(|told| told.contains(remedy)), "{text}: {told:?}");
        }
    }
}
