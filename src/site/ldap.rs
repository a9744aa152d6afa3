//! `ldap`: the directory, as the module matrix-synapse-ldap3 0.4 reads it (its README, "Configuration").

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{FilePath, LdapUri, Line};

/// The directory in which people's passwords are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ldap {
    /// The directory's address.
    pub uri: LdapUri,
    /// Further servers of the same directory. They are asked in turn, and those that do not answer are left out.
    #[serde(default)]
    pub further_uris: Vec<LdapUri>,
    /// Whether to switch an `ldap://` connection to TLS before anything is sent over it.
    #[serde(default)]
    pub start_tls: bool,
    /// `search` looks the person up with a service account and then logs in as what was found; `simple` builds the name
    /// of the entry from the login name.
    #[serde(default = "default_mode")]
    pub mode: Mode,
    /// The subtree that holds the people.
    #[schemars(example = "ou=users,dc=example,dc=com")]
    pub base: Line,
    /// Which attributes hold a person's login name, address and display name.
    #[serde(default)]
    pub attributes: Attributes,
    /// Search mode: a filter that an entry has to match besides the login name.
    #[serde(default)]
    pub filter: Option<Line>,
    /// Search mode: the service account. Its password is the secret `ldap_bind_password`.
    #[serde(default)]
    #[schemars(example = "cn=matrix,ou=service,dc=example,dc=com")]
    pub bind_dn: Option<Line>,
    /// The certificate authority of the directory, a PEM file, if it is not one that the world knows.
    #[serde(default)]
    pub ca_certificate: Option<FilePath>,
}

/// How an entry is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By a search with a service account.
    Search,
    /// By building its name: `uid=alice,` before `base`.
    Simple,
}

impl Ldap {
    /// Every address, with its option.
    pub fn uris(&self) -> impl Iterator<Item = (String, &LdapUri)> {
        let further = self.further_uris.iter().enumerate().map(|(at, uri)| (format!("ldap.further_uris.{at}"), uri));
        std::iter::once(("ldap.uri".to_owned(), &self.uri)).chain(further)
    }
}

impl LdapUri {
    /// The host without a port.
    pub fn host(&self) -> &str {
        let rest = self.as_str().split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => authority.split(':').next().unwrap_or_default(),
        }
    }

    /// Whether a connection is TLS from its first byte.
    pub fn is_ldaps(&self) -> bool {
        self.as_str().starts_with("ldaps://")
    }
}

/// Which attributes hold what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Attributes {
    /// The login name; it becomes the localpart of the Matrix ID.
    pub uid: Line,
    /// The e-mail address, copied when the account is made.
    pub mail: Line,
    /// The display name, copied when the account is made.
    pub name: Line,
}

impl Default for Attributes {
    fn default() -> Self {
        let line = |text: &str| Line::try_from(text.to_owned()).expect("a constant line");
        Self { uid: line("uid"), mail: line("mail"), name: line("cn") }
    }
}

fn default_mode() -> Mode {
    Mode::Search
}
