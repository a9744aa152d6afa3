//! `admin_ui`: a web page for administrators, by image reference. The README of Ketesa (once etkecc/synapse-admin).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Cidr, HostName, ImageReference};

/// A web page for administrators: Ketesa, Synapse-Admin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminUi {
    /// Its image, with a tag or a digest: a web server with the page.
    #[schemars(example = "ghcr.io/etkecc/ketesa:v1.0.0")]
    pub image: ImageReference,
    /// The port of the web server in the image.
    #[serde(default = "port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The host name under which the page is reached, and with it Synapse's admin API. It is for this alone.
    pub host: HostName,
    /// Where administrators come from. Nobody else sees the page or the admin API, which can do everything.
    pub allow: Vec<Cidr>,
}

fn port() -> u16 {
    8080
}
