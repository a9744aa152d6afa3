//! `templates`: the site's own pages and mails in place of Synapse's. Synapse documentation, "Templates".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::DirectoryPath;

/// Pages and mails in place of Synapse's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Templates {
    /// A directory with Jinja2 templates, each named as the one of Synapse that it replaces: `password_reset.html`. The files go into
    /// the image; directories below are not looked at.
    pub custom_template_directory: Option<DirectoryPath>,
}
