//! Findings as people read them: code, option, sentence, the line with a caret where there is one, and what to write instead.

use std::collections::BTreeMap;
use std::fmt;

use super::{Finding, Severity};
use crate::site::reveal::Hidden;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

/// How many findings of one code are shown to people; nobody reads on, and each shows a line. Data has all of them.
const MOST: usize = 200;

pub(super) fn write(f: &mut fmt::Formatter<'_>, findings: &[Finding], file: Option<&str>, text: Option<&Hidden>) -> fmt::Result {
    let renderer = Renderer::plain();
    let mut of_code: BTreeMap<&str, usize> = BTreeMap::new();
    let mut is_shown = |finding: &&Finding| {
        let count = of_code.entry(finding.code).or_default();
        *count += 1;
        *count <= MOST
    };
    let shown: Vec<&Finding> = findings.iter().filter(&mut is_shown).collect();
    for (at, finding) in shown.into_iter().enumerate() {
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
    for (code, count) in of_code.into_iter().filter(|(_, count)| *count > MOST) {
        writeln!(f, "\n… and {} more with the code {code}; `synapse-site check --json` tells all", count - MOST)?;
    }
    Ok(())
}
