//! `matrix_authentication_service`: another service logs people in, the Matrix Authentication Service (MAS). It runs elsewhere;
//! this is what the site has to agree with it about. Synapse 1.163, config/mas.py; MAS documentation, "Homeserver configuration"
//! and "Reverse proxy".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Cidr, HttpUrl};

/// The service that logs people in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatrixAuthenticationService {
    /// Where Synapse and the gateway reach the service. The secret that both know, the service's `matrix.secret`, is the secret
    /// `matrix_authentication_service_secret`.
    #[schemars(example = "http://mas.example.com:8080/")]
    pub endpoint: HttpUrl,
    /// The service's address for people and clients, exactly as its `http.issuer` or `http.public_base` says; it is told in the
    /// `client` document.
    #[schemars(example = "https://account.example.com/")]
    pub issuer: HttpUrl,
    /// The page where people manage their account. Absent: `account/` below the issuer.
    #[serde(default)]
    pub account: Option<HttpUrl>,
    /// Whether Synapse speaks HTTP/2 without asking first.
    #[serde(default)]
    pub force_http2: bool,
    /// Where the service's own requests to Synapse (`/_synapse/mas/`) come from. Nobody else gets there; empty means nobody at all.
    #[serde(default)]
    pub allow: Vec<Cidr>,
}

impl MatrixAuthenticationService {
    /// The page where people manage their account.
    pub fn account_page(&self) -> String {
        let page = || format!("{}/account/", self.issuer.as_str().trim_end_matches('/'));
        self.account.as_ref().map_or_else(page, ToString::to_string)
    }
}
