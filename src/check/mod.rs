//! What is wrong with a description: findings with a code, a place and a remedy, all of them at once.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The site would not work; nothing is written.
    Error,
    /// The site works, and somebody may regret it.
    Warning,
}

/// A place in a source file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Position {
    /// The file as the user named it.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Stable code, such as `S0102`.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The option's path: `listeners.client.port`, `administrators[0]`.
    pub option: String,
    /// Where in the source, when the format tells.
    pub position: Option<Position>,
    /// What was found and what is allowed, in one sentence.
    pub message: String,
    /// What to write instead.
    pub remedy: Option<String>,
}

/// All findings about one description.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            writeln!(f, "{}: {}", finding.option, finding.message)?;
        }
        Ok(())
    }
}
