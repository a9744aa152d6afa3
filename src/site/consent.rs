//! `consent`: the policy that people agree to, in all its versions. Synapse 1.163, config/consent.py and
//! rest/consent/consent_resource.py; documentation, "Tracking user consent to server policies".

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{FilePath, Language, Line, PolicyVersion, Sha256Text, Text};

/// The policy that people agree to, and what happens before they do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{"version": "1.0", "documents": {"1.0": {"file": "policy/1.0.md"}}}]))]
pub struct Consent {
    /// What the policy is called where people see it.
    #[serde(default = "policy_name")]
    pub policy_name: Line,
    /// The version that is in force: one of `documents`. Always in quotes, or `0.10` would be the number 0.1. With a new version
    /// everybody is asked again.
    pub version: PolicyVersion,
    /// Every version that ever was in force, by its name. Links to old versions stay good, so none is ever removed; and a text
    /// that people agreed to is never edited: a change is a new version.
    pub documents: BTreeMap<PolicyVersion, Document>,
    /// Whether the policy is agreed to when somebody registers.
    #[serde(default)]
    pub require_at_registration: bool,
    /// The notice with the link that people get who have not agreed yet. It needs the section `server_notices`.
    #[serde(default)]
    pub server_notice_content: Option<Notice>,
    /// Whether guests get that notice, too.
    #[serde(default)]
    pub send_server_notice_to_guests: bool,
    /// What people read who have not agreed yet and want to write. Absent means that they may write. `%(consent_uri)s` stands for
    /// the link.
    #[serde(default)]
    pub block_events_error: Option<Text>,
    /// The language of the page, and what is on it beside the policy.
    #[serde(default)]
    pub page: Page,
}

/// One version of the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The text: Markdown (`.md`), where HTML is shown as it is written, or HTML (`.html`), a whole document or what goes into its
    /// body. The form is added by itself.
    pub file: FilePath,
    /// The SHA-256 hash of the file. Written down when a version comes into force, it keeps the text from being edited later;
    /// `sha256sum FILE` says it.
    #[serde(default)]
    pub sha256: Option<Sha256Text>,
}

/// A notice with the link to the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{"body": "Please read our policy and agree to it: %(consent_uri)s"}]))]
pub struct Notice {
    /// The kind of message.
    #[serde(default = "text_message")]
    pub msgtype: Line,
    /// The text. `%(consent_uri)s` stands for the link; every other percent sign is one.
    pub body: Text,
}

/// What is on the page beside the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// The language of the policy and of these texts, for those who let it be read to them.
    pub language: Language,
    /// On the button.
    pub accept: Line,
    /// In the button's place, for those who have agreed to this version.
    pub accepted: Line,
    /// On an old version's page, as the link to the one in force.
    pub superseded: Line,
    /// On the page after the button, as its title.
    pub thanks: Line,
    /// On the page after the button.
    pub close: Line,
}

impl Default for Page {
    fn default() -> Self {
        let line = |text: &str| Line::try_from(text.to_owned()).expect("a constant line");
        Self {
            language: Language::try_from("en".to_owned()).expect("a constant tag"),
            accept: line("I agree"),
            accepted: line("You have agreed to this version."),
            superseded: line("This version is no longer in force. Read the current one."),
            thanks: line("Thank you"),
            close: line("Your agreement has been recorded. You can close this page."),
        }
    }
}

fn policy_name() -> Line {
    Line::try_from("Privacy Policy".to_owned()).expect("a constant line")
}

fn text_message() -> Line {
    Line::try_from("m.text".to_owned()).expect("a constant line")
}
