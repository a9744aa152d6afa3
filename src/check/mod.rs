//! What is wrong with a description: findings with a code, a place and a remedy, all of them at once. The rules that look
//! at several options together are in [`rules`]; those that a type already enforces come from [`crate::site::schema`].

pub mod invariants;
pub mod names;
pub mod postgres;
mod report;
pub mod rules;
pub mod said;
pub mod translate;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::brief::brief;
use crate::checked::CheckedSite;
use crate::error::{Error, Result};
use crate::site::checks::{Acceptance, covering};
use crate::site::load::Loaded;
use crate::site::reveal::{self, Hidden};
use crate::site::schema::OptionPath;

/// Applies every rule to a description, and gives it in the form that everything else is made from, with the warnings.
///
/// # Errors
/// [`Error::Site`] with all findings, if there is an error among them. [`Error::Environment`] if the rules let something through that
/// cannot be: a mistake of this program.
pub fn validate(loaded: &Loaded) -> Result<(CheckedSite<'_>, Findings)> {
    let findings = rules::apply(loaded);
    if findings.has_errors() {
        return Err(Error::Site(findings));
    }
    let (checked, missing) = CheckedSite::of(loaded);
    if missing.is_empty() {
        return Ok((checked, findings));
    }
    Err(Error::mistake(format!("the check found nothing wrong, and yet this is not what it should be: {}", missing.join(", "))))
}

/// A description in that form whatever the rules say: for the rules themselves, and for `render` when it shows what Synapse would
/// have been given. What is missing counts as not being there.
pub fn unchecked(loaded: &Loaded) -> CheckedSite<'_> {
    CheckedSite::of(loaded).0
}

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
    /// The option's path: `turn.turn_uris[1]`.
    pub option: String,
    /// The same as steps; none where it is not about an option.
    #[serde(skip)]
    pub place: Option<OptionPath>,
    /// Where in the source, when the format tells.
    pub position: Option<Position>,
    /// What was found and what is allowed, in one sentence.
    pub message: String,
    /// What to write instead.
    pub remedy: Option<String>,
}

impl Finding {
    /// Cuts what it repeats of a description to a length that people read.
    fn shorten(&mut self) {
        for text in [&mut self.option, &mut self.message].into_iter().chain(&mut self.remedy) {
            if let Cow::Owned(short) = brief(text) {
                *text = short;
            }
        }
    }

    /// What is said instead of findings beyond the most that are told, if there are any.
    pub(crate) fn of_more(code: &'static str, severity: Severity, more: usize, file: &Path) -> Option<Self> {
        (more > 0).then(|| Self {
            code,
            severity,
            option: file.display().to_string(),
            place: None,
            position: None,
            message: format!("{more} more mistakes are not listed"),
            remedy: Some("mend the listed ones, and check again".to_owned()),
        })
    }
}

/// A warning that the people of the site know.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Accepted {
    /// The warning.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why they accept it.
    #[serde(rename = "accepted")]
    pub reason: String,
}

/// All findings about one description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The findings, in the order in which they are shown.
    pub list: Vec<Finding>,
    /// Warnings that the description accepts.
    pub accepted: Vec<Accepted>,
    file: Option<String>,
    text: Option<Box<Hidden>>,
}

impl Findings {
    /// Findings about a description in that file and with that text (none for Nix), ordered by place, and each of a bounded length.
    pub fn new(mut list: Vec<Finding>, file: &Path, text: Option<&Hidden>) -> Self {
        list.iter_mut().for_each(Finding::shorten);
        list.sort_by_key(|finding| (finding.position.as_ref().map(|at| (at.line, at.column)), finding.severity));
        Self { list, accepted: Vec::new(), file: Some(file.display().to_string()), text: text.cloned().map(Box::new) }
    }

    /// The same findings, the warnings that are accepted set aside.
    pub fn accepting(mut self, accept: &[Acceptance]) -> Self {
        let mut open = Vec::new();
        let mut accepted = BTreeMap::new();
        for (at, acceptance) in accept.iter().enumerate() {
            accepted.entry(acceptance.about()).or_insert((at, acceptance));
        }
        for finding in std::mem::take(&mut self.list) {
            // What is shown of a long path is not all of it.
            let option = finding.place.as_ref().map_or_else(|| finding.option.clone(), reveal::path);
            let first = covering(finding.code, &option).filter_map(|about| accepted.get(&about)).min_by_key(|(at, _)| at);
            let reason = first.filter(|_| finding.severity == Severity::Warning).map(|(_, acceptance)| acceptance.reason.as_str().to_owned());
            match reason {
                Some(reason) => self.accepted.push(Accepted { finding, reason }),
                None => open.push(finding),
            }
        }
        self.list = open;
        self
    }

    /// The same findings with the names of files as they are seen from inside that directory.
    pub fn within(mut self, dir: &Path) -> Self {
        let prefix = format!("{}/", dir.display());
        let strip = |text: &mut String| *text = text.replace(&prefix, "");
        self.file.as_mut().map(strip);
        for finding in &mut self.list {
            strip(&mut finding.option);
            strip(&mut finding.message);
            if let Some(position) = &mut finding.position {
                strip(&mut position.file);
            }
        }
        self
    }

    /// Whether there is one that forbids to go on.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl From<Finding> for Findings {
    fn from(mut finding: Finding) -> Self {
        finding.shorten();
        Self { list: vec![finding], ..Self::default() }
    }
}

impl serde::Serialize for Findings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut sequence = serializer.serialize_seq(Some(self.list.len() + self.accepted.len()))?;
        self.list.iter().try_for_each(|finding| sequence.serialize_element(finding))?;
        self.accepted.iter().try_for_each(|accepted| sequence.serialize_element(accepted))?;
        sequence.end()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::write(f, &self.list, self.file.as_deref(), self.text.as_deref())
    }
}
