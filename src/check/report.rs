//! Findings as people read them: code, option, sentence, the line with a caret where there is one, and what to write instead.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Finding, Position, Severity};

pub(super) fn write(f: &mut fmt::Formatter<'_>, findings: &[Finding], text: Option<&str>) -> fmt::Result {
    let renderer = Renderer::plain();
    for (at, finding) in findings.iter().enumerate() {
        if at > 0 {
            writeln!(f)?;
        }
        let title = format!("{}: {}", finding.option, finding.message);
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let place = finding.position.as_ref().zip(text).and_then(|(position, text)| Some((position, text, span(text, position)?)));
        let mut group = level.primary_title(title.as_str()).id(finding.code).elements(Vec::<Snippet<'_, annotate_snippets::Annotation<'_>>>::new());
        if let Some((position, text, span)) = &place {
            group = group.element(Snippet::source(*text).path(position.file.as_str()).line_start(1).annotation(AnnotationKind::Primary.span(span.clone())));
        }
        if let Some(remedy) = &finding.remedy {
            group = group.element(Level::HELP.message(remedy.as_str()));
        }
        writeln!(f, "{}", renderer.render(&[group]))?;
    }
    Ok(())
}

/// The bytes of the word at a position.
fn span(text: &str, position: &Position) -> Option<Range<usize>> {
    let line = text.split_inclusive('\n').nth(position.line.checked_sub(1)?)?;
    let before: usize = text.split_inclusive('\n').take(position.line - 1).map(str::len).sum();
    let start = line.char_indices().nth(position.column.checked_sub(1)?).map_or(line.trim_end().len(), |(at, _)| at);
    let rest = &line[start..];
    let length = rest.find(|c: char| c == ':' || c == ',' || c.is_whitespace()).unwrap_or(rest.len()).max(usize::from(!rest.trim_end().is_empty()));
    Some(before + start..before + start + length)
}
