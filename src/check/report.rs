//! Findings as people read them: code, option, sentence, the line with a caret where there is one, and what to write instead.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::{Finding, Position, Severity};
use crate::site::synapse::names_secret;

/// How much of a line after a finding is looked at, in bytes: a description in JSON may be all on one line.
const LONGEST: usize = 400;

pub(super) fn write(f: &mut fmt::Formatter<'_>, findings: &[Finding], file: Option<&str>, text: Option<&str>) -> fmt::Result {
    let renderer = Renderer::plain();
    let mut lines: Vec<&str> = text.unwrap_or_default().lines().collect();
    hide_secrets(&mut lines, findings);
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
            group = group
                .element(Snippet::source(*line).path(position.file.as_str()).line_start(position.line).annotation(AnnotationKind::Primary.span(span.clone())));
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

/// Ends each line with a secret that somebody wrote into it behind the secret's name: what is said goes into logs.
fn hide_secrets(lines: &mut [&str], findings: &[Finding]) {
    for finding in findings {
        let name = finding.option.rsplit('.').next().unwrap_or_default();
        let name = name.split('[').next().unwrap_or_default();
        let Some(position) = finding.position.as_ref().filter(|_| names_secret(name)) else { continue };
        if let Some(line) = position.line.checked_sub(1).and_then(|line| lines.get_mut(line))
            && let Some(at) = line.find(name)
        {
            *line = &line[..at + name.len()];
        }
    }
}

/// The line of a position, and the bytes of the word that stands there.
fn shown<'a>(lines: &[&'a str], position: &Position) -> Option<(&'a str, Range<usize>)> {
    let line = *lines.get(position.line.checked_sub(1)?)?;
    let start = line.char_indices().nth(position.column.checked_sub(1)?).map_or(line.trim_end().len(), |(at, _)| at);
    let rest = &line[start..];
    let length = rest.find(|c: char| c == ':' || c == ',' || c.is_whitespace()).unwrap_or(rest.len()).max(rest.chars().next().map_or(0, char::len_utf8));
    // What comes before stays, for the column's sake.
    let end = line.floor_char_boundary((start + LONGEST).min(line.len()));
    Some((&line[..end], start..(start + length).min(end)))
}
