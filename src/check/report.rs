//! Findings as people read them: code, option, sentence, the line with a caret where there is one, and what to write instead.

use std::fmt;

use super::{Finding, Severity};
use crate::site::reveal::Hidden;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

pub(super) fn write(f: &mut fmt::Formatter<'_>, findings: &[Finding], file: Option<&str>, text: Option<&Hidden>) -> fmt::Result {
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
        let place = finding.position.as_ref();
        let line = place.zip(text).and_then(|(at, text)| text.line(at.line, at.column, finding.place.as_ref()));
        let mut group = level.primary_title(title.as_str()).id(finding.code).elements(Vec::<Snippet<'_, annotate_snippets::Annotation<'_>>>::new());
        if let Some(position) = place {
            let origin = Origin::path(position.file.as_str()).line(position.line).char_column(position.column);
            group = match &line {
                Some(line) => {
                    let snippet = Snippet::source(line.text.as_str()).line_start(position.line).annotation(AnnotationKind::Primary.span(line.span.clone()));
                    // The column is that of the file.
                    if line.from_start { group.element(snippet.path(position.file.as_str())) } else { group.element(origin).element(snippet) }
                }
                None => group.element(origin),
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
