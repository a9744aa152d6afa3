//! `oidc`: logging in with an account of an OpenID Connect provider. Synapse documentation, "oidc_providers" and "sso";
//! names, forms and defaults as Synapse 1.163 reads them (config/oidc.py, config/sso.py, handlers/oidc.py).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{ClientUrl, HttpUrl, Line, ProviderId, Scope};

/// Logging in with an account of an OpenID Connect provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Oidc {
    /// The providers, in the order in which people are offered them. Each is told the redirect address
    /// `PUBLIC_BASEURL/_synapse/client/oidc/callback`.
    pub oidc_providers: Vec<OidcProvider>,
    /// Addresses of clients that people are sent back to without a page that asks them first: of pages, and of apps that have a
    /// scheme of their own (`element://connect`). An address matches when it begins with one of these, so one of a page ends with
    /// a slash: otherwise `https://app.example.com.evil.example` matches, too.
    pub client_whitelist: Vec<ClientUrl>,
    /// Whether display name and e-mail address are taken from the provider at every login, and not at the first only.
    pub update_profile_information: bool,
}

/// An OpenID Connect provider: Keycloak, authentik, Dex, Microsoft Entra ID …
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcProvider {
    /// The provider's name in Synapse's database. It can never be changed: people would be strangers to their own accounts. The
    /// client secret is the secret `oidc_client_secret_IDP_ID`.
    pub idp_id: ProviderId,
    /// The provider's name as people see it.
    #[schemars(example = "Single sign-on of Example")]
    pub idp_name: Line,
    /// A picture for the button, the `mxc://` address of an unencrypted upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        regex(pattern = r"^mxc://[^/?#\s]+/[A-Za-z0-9_-]+$"),
        extend("x-form" = "the mxc:// address of uploaded media"),
        example = "mxc://example.com/SEsfnsuifSDFSSEF"
    )]
    pub idp_icon: Option<Line>,
    /// The brand that clients style the button by: `keycloak`, `github` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        regex(pattern = r"^[a-z][a-z0-9_.-]{0,254}$"),
        extend("x-form" = "a brand: a small letter, then small letters, digits and _.-"),
        example = &"keycloak"
    )]
    pub idp_brand: Option<Line>,
    /// The issuer, exactly as the provider writes it into its tokens, with or without a slash at the end.
    pub issuer: HttpUrl,
    /// Whether the endpoints below are read from `ISSUER/.well-known/openid-configuration`.
    #[serde(default = "yes")]
    pub discover: bool,
    /// The name under which the provider knows this server.
    #[schemars(example = &"synapse")]
    pub client_id: Line,
    /// How this server proves itself to the provider. `none` needs no client secret.
    #[serde(default)]
    pub client_auth_method: ClientAuth,
    /// Instead of a client secret: a token that Synapse signs, as "Sign in with Apple" wants it. The key, PEM, is the secret
    /// `oidc_client_key_IDP_ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_jwt_key: Option<ClientSecretJwtKey>,
    /// Whether the code is bound to the login with PKCE; `auto` does so when the provider says that it can.
    #[serde(default)]
    pub pkce_method: Pkce,
    /// Algorithms that may sign the provider's tokens; absent means what the provider says, or RS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signing_alg_values_supported: Option<Vec<Line>>,
    /// What is asked of the provider. `openid` is always among it unless the provider speaks OAuth 2.0 only.
    #[serde(default = "openid")]
    pub scopes: Vec<Scope>,
    /// Without discovery: where people are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<HttpUrl>,
    /// Without discovery: where Synapse exchanges the code for a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<HttpUrl>,
    /// Without discovery: where Synapse asks who somebody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_endpoint: Option<HttpUrl>,
    /// Without discovery: the provider's keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<HttpUrl>,
    /// Whether the provider's metadata are believed as they are. Only for providers that break the standard: without the check a
    /// provider without TLS passes, too.
    #[serde(default)]
    pub skip_verification: bool,
    /// Whether the provider may end sessions. It is told the address `PUBLIC_BASEURL/_synapse/client/oidc/backchannel_logout`.
    #[serde(default)]
    pub backchannel_logout_enabled: bool,
    /// Whether a logout without a session's number is taken for one of that session only.
    #[serde(default)]
    pub backchannel_logout_ignore_sub: bool,
    /// Where a person's attributes come from. `auto` takes them from the token when it has them.
    #[serde(default)]
    pub user_profile_method: UserProfile,
    /// Another address that the provider sends people back to: that of a client which passes them on to Synapse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<HttpUrl>,
    /// Whether somebody whose localpart exists already gets that account. Right where the provider decides about all names, and a
    /// way to take accounts over where people choose their names there.
    #[serde(default)]
    pub allow_existing_users: bool,
    /// Whether an account is made at somebody's first login.
    #[serde(default = "yes")]
    pub enable_registration: bool,
    /// How a person of the provider becomes one of this server.
    #[serde(default)]
    pub user_mapping_provider: UserMapping,
    /// What a person has to have to log in here: membership in a group, for example.
    #[serde(default)]
    pub attribute_requirements: Vec<AttributeRequirement>,
    /// Parameters that are added to the address where people are sent.
    #[serde(default)]
    pub additional_authorization_parameters: BTreeMap<String, Line>,
    /// Parameters that are passed on from a client to that address.
    #[serde(default)]
    pub passthrough_authorization_parameters: Vec<Line>,
}

/// How this server proves itself to the provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// With the client secret in a header.
    #[default]
    ClientSecretBasic,
    /// With the client secret in the body.
    ClientSecretPost,
    /// Not at all; the provider calls this a public client.
    None,
}

/// When PKCE is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// When the provider says that it can.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where a person's attributes come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserProfile {
    /// From the token when `openid` is among the scopes.
    #[default]
    Auto,
    /// From the userinfo endpoint, always.
    UserinfoEndpoint,
}

/// A client secret that Synapse signs itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientSecretJwtKey {
    /// Members of the token's header; `alg` is one of them.
    pub jwt_header: BTreeMap<String, Line>,
    /// Members of the token beside those that Synapse writes.
    #[serde(default)]
    pub jwt_payload: BTreeMap<String, Line>,
}

/// How a person of the provider becomes one of this server. Templates are Jinja2 and see the claims as `user`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserMapping {
    /// A template for what names the person for ever; absent means the claim `sub`. Never an e-mail address: those change hands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_template: Option<Line>,
    /// A template for the picture's address; absent means the claim `picture`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture_template: Option<Line>,
    /// A template for the localpart, such as `{{ user.preferred_username }}`. Absent, people choose it at their first login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub localpart_template: Option<Line>,
    /// Whether people may change the localpart that the template gives.
    pub confirm_localpart: bool,
    /// A template for the display name, such as `{{ user.name }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name_template: Option<Line>,
    /// A template for the e-mail address, such as `{{ user.email }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_template: Option<Line>,
    /// Templates for what is passed on to the client with the login token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra_attributes: BTreeMap<String, Line>,
}

/// What a person has to have to log in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeRequirement {
    /// The claim.
    #[schemars(example = &"groups")]
    pub attribute: Line,
    /// The value that it has, or has among others. Without `value` and `one_of` the claim only has to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Line>,
    /// Values of which it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Line>>,
}

impl OidcProvider {
    /// Whether the provider gives a token about the person, which Synapse tries with the provider's keys (handlers/oidc.py, handle_oidc_callback).
    pub fn has_token(&self) -> bool {
        self.scopes.iter().any(|scope| scope.as_str() == "openid")
    }

    /// Whether the person's attributes come from the userinfo endpoint (handlers/oidc.py, _uses_userinfo).
    pub fn uses_userinfo(&self) -> bool {
        self.user_profile_method == UserProfile::UserinfoEndpoint || !self.has_token()
    }

    /// The secret with which Synapse proves itself to this provider, if there is one.
    pub fn secret(&self) -> Option<String> {
        let written = in_name(self.idp_id.as_str());
        match (&self.client_secret_jwt_key, self.client_auth_method) {
            (Some(_), _) => Some(format!("oidc_client_key_{written}")),
            (None, ClientAuth::None) => None,
            (None, _) => Some(format!("oidc_client_secret_{written}")),
        }
    }
}

/// A provider's name in the name of a secret, in which two stay two.
pub fn in_name(idp_id: &str) -> String {
    idp_id.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c.to_string() } else { format!("_{:02x}", u32::from(c)) }).collect()
}

fn yes() -> bool {
    true
}

fn openid() -> Vec<Scope> {
    Scope::try_from("openid".to_owned()).into_iter().collect()
}
