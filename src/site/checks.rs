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
    /// Whether it is about a warning of that code at that option.
    pub fn covers(&self, code: &str, option: &str) -> bool {
        let within = |wanted: &str| option.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.code.as_str() == code && self.option.as_ref().is_none_or(|wanted| within(wanted.as_str()))
    }
}
