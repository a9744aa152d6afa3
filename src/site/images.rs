//! `images`: how the container images are called.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Repository;

/// The container images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Images {
    /// What image names begin with; the server name, the service and a tag that follows from the content come after it. The
    /// default cannot be pulled from anywhere: an engine that lacks an image says so instead of asking the world for one.
    pub repository: Repository,
}

impl Default for Images {
    fn default() -> Self {
        Self { repository: Repository::try_from("localhost/synapse-site".to_owned()).expect("a constant repository") }
    }
}
