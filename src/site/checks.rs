//! `checks`: what the people of a site know and accept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Line;

/// How the description itself is checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Warnings that are known and accepted. They are no longer shown as warnings, but stand in `check --json` and in `site.json`. Errors cannot
    /// be accepted.
    pub accept: Vec<Acceptance>,
}

/// One accepted warning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The warning's code, such as `S0320`.
    #[schemars(example = &"S0320")]
    pub code: Line,
    /// The option that it stands at, such as `gateway.http_port`; absent: wherever it is found.
    #[serde(default)]
    pub option: Option<Line>,
    /// Why it is accepted, for whoever reads the description next.
    #[schemars(example = "the directory hands out addresses of its own only")]
    pub reason: Line,
}

impl Acceptance {
    /// What it is about: a code, and an option if it names one.
    pub fn about(&self) -> (&str, Option<&str>) {
        (self.code.as_str(), self.option.as_ref().map(|option| option.as_str()))
    }
}

/// What an acceptance may be about that covers a warning of that code at that option: the code alone, the option, and all that hold it.
pub fn covering<'a>(code: &'a str, option: &'a str) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    let outer = option.match_indices(['.', '[']).map(|(at, _)| &option[..at]);
    outer.chain([option]).map(move |option| (code, Some(option))).chain([(code, None)])
}
