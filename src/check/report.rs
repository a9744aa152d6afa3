//! Findings as people read them: code, option, sentence, the line with a caret where there is one, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use regex::Regex;

use super::{Finding, Position, Severity};
use crate::site::synapse::names_secret;

/// How much of a line before and after a finding is shown, in bytes: a description in JSON may be all on one line.
const LONGEST: usize = 400;

pub(super) fn write(f: &mut fmt::Formatter<'_>, findings: &[Finding], file: Option<&str>, text: Option<&str>) -> fmt::Result {
    let renderer = Renderer::plain();
    let lines: Vec<&str> = text.unwrap_or_default().lines().map(without_secret).collect();
    for (at, finding) in findings.iter().enumerate() {
        if at > 0 {
            writeln!(f)?;
        }
        let title = format!("{}: {}", finding.option, finding.message);
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let place = finding.position.as_ref().and_then(|position| Some((position, shown(&lines, position)?)));
        let mut group = level.primary_title(title.as_str()).id(finding.code).elements(Vec::<Snippet<'_, annotate_snippets::Annotation<'_>>>::new());
        if let Some((position, (line, span))) = &place {
            let snippet = Snippet::source(*line).line_start(position.line).annotation(AnnotationKind::Primary.span(span.clone()));
            group = if lines.get(position.line - 1).is_some_and(|whole| whole.starts_with(line)) {
                group.element(snippet.path(position.file.as_str()))
            } else {
                // The column is that of the file.
                group.element(Origin::path(position.file.as_str()).line(position.line).char_column(position.column)).element(snippet)
            };
        } else if let Some(file) = file.filter(|file| *file != finding.option) {
            group = group.element(Origin::path(file));
        }
        if let Some(remedy) = &finding.remedy {
            group = group.element(Level::HELP.message(remedy.as_str()));
        }
        writeln!(f, "{}", renderer.render(&[group]))?;
    }
    Ok(())
}

/// The line up to a secret that somebody wrote into it, behind the name of an option that holds one or into an address: what is said
/// goes into logs. The name of a secret stays.
fn without_secret(line: &str) -> &str {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"([A-Za-z][A-Za-z0-9_-]*|_secret)["']?\s*:(\s*)"#).expect("an expression"));
    static HARMLESS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^(\{\s*"?_secret"?\s*:\s*"?[a-z0-9_]{1,64}"?\s*\}|(true|false|null|~)\s*([,}#].*)?$|[#\[{]|$)"#).expect("an expression")
    });
    static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^"?[a-z0-9_]{1,64}"?\s*([},#]|$)"#).expect("an expression"));
    static IN_ADDRESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"://[^/\s:@]*:[^/\s@]+@").expect("an expression"));
    let named = NAMED.captures_iter(line).find_map(|found| {
        let (whole, name) = (found.get(0)?, found.get(1)?);
        let harmless = if name.as_str() == "_secret" { &NAME } else { &HARMLESS };
        (names_secret(name.as_str()) && !harmless.is_match(&line[whole.end()..])).then_some(name.end())
    });
    let in_address = IN_ADDRESS.find(line).map(|found| found.start());
    &line[..named.into_iter().chain(in_address).min().unwrap_or(line.len())]
}

/// The line of a position, and the bytes of the word that stands there.
fn shown<'a>(lines: &[&'a str], position: &Position) -> Option<(&'a str, Range<usize>)> {
    let line = *lines.get(position.line.checked_sub(1)?)?;
    let start = line.char_indices().nth(position.column.checked_sub(1)?).map_or(line.trim_end().len(), |(at, _)| at);
    let rest = &line[start..];
    let length = rest.find(|c: char| c == ':' || c == ',' || c.is_whitespace()).unwrap_or(rest.len()).max(rest.chars().next().map_or(0, char::len_utf8));
    let begin = line.floor_char_boundary(start.saturating_sub(LONGEST));
    let end = line.floor_char_boundary((start + LONGEST).min(line.len()));
    Some((&line[begin..end], start - begin..(start + length).min(end) - begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_what_is_near_is_shown() {
        let line = format!("{}é: x{}", "ü ".repeat(50_000), " y".repeat(50_000));
        let position = |column| Position { file: "site.json".to_owned(), line: 1, column };
        let (part, span) = shown(&[&line], &position(100_001)).expect("shown");
        assert!(&part[span] == "é" && part.len() < 3 * LONGEST, "{part}");
        let (part, span) = shown(&[&line], &position(1)).expect("shown");
        assert!(&part[span] == "ü" && part.len() <= LONGEST, "{part}");
    }

    #[test]
    fn a_line_ends_where_a_secret_begins() {
        for (line, left) in [
            ("  smtp_pass: @S3kr3t", "  smtp_pass"),
            ("{ \"a\": 1, \"accessToken\": \"S3kr3t\" }", "{ \"a\": 1, \"accessToken"),
            ("redis: { password: S3kr3t, port: x }", "redis: { password"),
            ("x: { _secret: \"S3kr3t-P4ss\" }", "x: { _secret"),
            ("database: postgresql://synapse:S3kr3t@db/synapse", "database: postgresql"),
        ] {
            assert_eq!(without_secret(line), left);
        }
        let named =
            ["recaptcha_private_key: { _secret: recaptcha_private_key }", "pepper: true", "client_secret: { ", "url: http://example.com:80/", "password:"];
        for line in named {
            assert_eq!(without_secret(line), line);
        }
    }
}
