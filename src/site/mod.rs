//! The description of a site: one struct a section, the only declaration of what a site may say. Doc comments become option
//! descriptions, serde defaults become option defaults, and the types of [`text`] become formats of the JSON Schema, which the
//! loader checks a description against before it is deserialised. Fields that are Synapse options have Synapse's names.

pub mod admin_ui;
pub mod app_service;
pub mod authentication;
pub mod checks;
pub mod consent;
pub mod database;
pub mod delegation;
pub mod deployment;
pub mod draupnir;
pub mod email;
pub mod federation;
mod fitted;
pub mod gateway;
pub mod images;
mod in_place;
pub mod ldap;
pub mod limits;
pub mod listeners;
pub mod load;
pub mod logging;
pub mod media;
pub mod nix;
mod number;
pub mod oidc;
mod position;
pub mod presence;
pub mod profiles;
mod python_regex;
mod quote;
pub mod rate_limits;
pub mod redis;
pub mod registration;
pub mod reveal;
pub mod rooms;
pub mod rtc;
pub mod schema;
pub mod secret;
pub mod server;
pub mod server_notices;
mod sound;
pub mod synapse;
mod syntax_error;
pub mod templates;
pub mod text;
pub mod turn;
pub mod well_known;
pub mod workers;
mod yaml;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use text::{FilePath, Localpart};

/// The description of a Matrix site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The server's name and its place in the federation.
    pub server: server::Server,
    /// What the server's HTTP listeners offer.
    #[serde(default)]
    pub listeners: listeners::Listeners,
    /// PostgreSQL, bundled or external.
    #[serde(default)]
    pub database: database::Database,
    /// Redis, bundled or external.
    #[serde(default)]
    pub redis: redis::Redis,
    /// How people prove who they are.
    #[serde(default)]
    pub authentication: authentication::Authentication,
    /// The directory; needed when `authentication.method` is `ldap`.
    #[serde(default)]
    pub ldap: Option<ldap::Ldap>,
    /// Logging in with an account of an OpenID Connect provider.
    #[serde(default)]
    pub oidc: oidc::Oidc,
    /// Another service that logs people in, the Matrix Authentication Service.
    #[serde(default)]
    pub matrix_authentication_service: Option<delegation::MatrixAuthenticationService>,
    /// Localparts of the people who administer the server. `docker compose run --rm admin` makes their accounts, or makes
    /// existing accounts administrators; on a site with a directory they are users of the directory.
    #[serde(default)]
    pub administrators: Vec<Localpart>,
    /// Who may make an account, and what people may change about theirs.
    #[serde(default)]
    pub registration: registration::Registration,
    /// How the server sends mail.
    #[serde(default)]
    pub email: Option<email::Email>,
    /// The policy that people agree to.
    #[serde(default)]
    pub consent: Option<consent::Consent>,
    /// Messages from the server itself.
    #[serde(default)]
    pub server_notices: Option<server_notices::ServerNotices>,
    /// Pages and mails in place of Synapse's own.
    #[serde(default)]
    pub templates: templates::Templates,
    /// Registration files (YAML) of application services: bridges and bots. Their tokens are secrets: a file without `as_token` and
    /// `hs_token` gets `app_service_ID_as_token` and `app_service_ID_hs_token`, with its `id` in the place of ID.
    #[serde(default)]
    pub app_services: Vec<FilePath>,
    /// The media store.
    #[serde(default)]
    pub media: media::Media,
    /// What the server refuses and forgets as a whole.
    #[serde(default)]
    pub limits: limits::Limits,
    /// How much of something one may do.
    #[serde(default)]
    pub rate_limits: rate_limits::RateLimits,
    /// Rooms, their directory, and how long messages are kept.
    #[serde(default)]
    pub rooms: rooms::Rooms,
    /// Who is shown as online.
    #[serde(default)]
    pub presence: presence::Presence,
    /// Who sees whose name and picture.
    #[serde(default)]
    pub profiles: profiles::Profiles,
    /// Whom the server talks to, and how patiently.
    #[serde(default)]
    pub federation: federation::Federation,
    /// The TURN server for one-to-one calls.
    #[serde(default)]
    pub turn: turn::Turn,
    /// Calls of any number of people, with LiveKit.
    #[serde(default)]
    pub rtc: rtc::Rtc,
    /// A bot that moderates rooms.
    #[serde(default)]
    pub draupnir: Option<draupnir::Draupnir>,
    /// A web page for administrators, off the public internet.
    #[serde(default)]
    pub admin_ui: Option<admin_ui::AdminUi>,
    /// The documents under `/.well-known/matrix/`.
    #[serde(default)]
    pub well_known: well_known::WellKnown,
    /// The reverse proxy in front of everything.
    #[serde(default)]
    pub gateway: gateway::Gateway,
    /// What is logged, and how.
    #[serde(default)]
    pub logging: logging::Logging,
    /// Synapse's worker processes.
    #[serde(default)]
    pub workers: workers::Workers,
    /// The site on the machine that it runs on.
    #[serde(default)]
    pub deployment: deployment::Deployment,
    /// The container images.
    #[serde(default)]
    pub images: images::Images,
    /// Warnings of `check` that are known and accepted.
    #[serde(default)]
    pub checks: checks::Checks,
    /// Every other Synapse option.
    #[serde(default)]
    pub synapse: synapse::Synapse,
}

impl Site {
    /// The accounts that `launch admin` makes: those of the administrators and the moderating bot's, which needs the admin API. With
    /// another service for logging in, accounts are made there.
    pub fn administering(&self) -> Vec<&text::Localpart> {
        let bot = self.draupnir.as_ref().filter(|_| self.matrix_authentication_service.is_none()).map(|draupnir| &draupnir.localpart);
        self.administrators.iter().chain(bot.filter(|bot| !self.administrators.contains(bot))).collect()
    }

    /// Every account that the description names for somebody, and whose it is. Draupnir has its account, whoever makes it.
    pub fn named_accounts(&self) -> Vec<(&text::Localpart, &'static str)> {
        let people = self.administrators.iter().map(|person| (person, "an administrator"));
        let bot = self.draupnir.as_ref().map(|draupnir| (&draupnir.localpart, "Draupnir"));
        people.chain(bot.filter(|(bot, _)| !self.administrators.contains(bot))).collect()
    }
}
