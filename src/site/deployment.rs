//! `deployment`: what the site is called on the machine that it runs on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{ProjectName, ServerName};

/// The site on its target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deployment {
    /// The name of the Compose project, with which the names of the site's volumes, networks and containers begin. Absent: `matrix-` and
    /// the server name. Another name means new, empty volumes: change it only to begin a second set of them beside the first.
    pub project: Option<ProjectName>,
}

impl Deployment {
    /// The name of the project: the one that is given, or one that follows from the server name. Compose takes small letters, digits,
    /// hyphens and underscores, a letter or digit first.
    pub fn project(&self, server_name: &ServerName) -> String {
        let derived = || server_name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>();
        self.project.as_ref().map_or_else(|| format!("matrix-{}", derived()), |name| name.as_str().to_owned())
    }
}
