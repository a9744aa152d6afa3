//! The contract between components, which writes `launch.json` into an image, and `launch`, the program that reads it there.
//! Plain data: what a role needs before its service may start, how to start it, and how to ask whether it is well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::site::database::SslMode;

/// Where the plan lies inside every image.
pub const PLAN_PATH: &str = "/etc/synapse-site/launch.json";
/// Where secrets are mounted inside a container, one file each.
pub const SECRETS_DIR: &str = "/run/secrets";
/// The tmpfs that holds completed configuration, mode 0700.
pub const RUN_DIR: &str = "/run/synapse-site";
/// The tmpfs for what a service writes while it runs, mode 1777.
pub const SCRATCH_DIR: &str = "/tmp";
/// A secret's place in a template: `@@secret:NAME@@`.
pub const PLACEHOLDER_OPEN: &str = "@@secret:";
/// The place of the container's own address in a template: that of the interface which the default route leads through.
pub const ADDRESS: &str = "@@address@@";
/// The end of a secret's place in a template.
pub const PLACEHOLDER_CLOSE: &str = "@@";

/// The format of [`Plan`] that this version writes and reads.
pub const PLAN_FORMAT: u32 = 1;

/// The place of a secret in a template, which `launch` puts its value into.
pub fn placeholder(name: &str) -> String {
    format!("{PLACEHOLDER_OPEN}{name}{PLACEHOLDER_CLOSE}")
}

/// The path of a secret inside a container.
pub fn secret_path(name: &str) -> String {
    format!("{SECRETS_DIR}/{name}")
}

/// Everything `launch` knows about one image.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this contract; `launch` refuses others. Now 1.
    pub format: u32,
    /// The site's `server_name`, for messages and for the marker.
    pub server_name: String,
    /// What the image can be started as: `launch run ROLE`.
    pub roles: BTreeMap<String, Role>,
    /// Every secret of the site, for `launch secrets init`.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// Who administers the site, for `launch admin`; only in the Synapse image.
    #[serde(default)]
    pub admin: Option<Admin>,
}

/// A secret that a site needs: its name and how it comes to be, never its value.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The file's name under `secrets/` on the target and under [`SECRETS_DIR`] in a container.
    pub name: String,
    /// What it is for, in one sentence.
    pub purpose: String,
    /// Where its value comes from.
    pub make: Make,
}

impl Secret {
    /// A secret.
    pub fn new(name: &str, purpose: &str, make: Make) -> Self {
        Self { name: name.to_owned(), purpose: purpose.to_owned(), make }
    }
}

/// Where a secret's value comes from.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Make {
    /// 32 random bytes, written as 64 hexadecimal digits.
    Random,
    /// A password that a person will type: 20 characters of letters and digits that cannot be mistaken for each other.
    Password,
    /// Synapse's ed25519 signing key in the format of the signedjson library: `ed25519 a_XXXX BASE64`.
    SigningKey,
    /// An administrator brings it: it belongs to another system.
    Bring,
}

/// The first administrators of a site.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Synapse's main process: host name.
    pub host: String,
    /// Synapse's main process: port of its client listener.
    pub port: u16,
    /// The secret that signs registrations.
    pub registration_secret: String,
    /// The accounts.
    pub users: Vec<AdminUser>,
}

/// One administrator.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AdminUser {
    /// The localpart of the Matrix ID.
    pub localpart: String,
    /// The secret with the first password; none where people log in through a directory: the account then belongs to
    /// the directory's user of that name.
    pub password_secret: Option<String>,
    /// Whether it is a program and no person: it agrees to no policy, and writes as fast as it wants.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
}

/// One way to start an image.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Secrets that must be present under [`SECRETS_DIR`], readable and not empty.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Directories that must exist and be writable for the running user.
    #[serde(default)]
    pub writable: Vec<String>,
    /// Files to complete with secrets, in [`RUN_DIR`].
    #[serde(default)]
    pub files: Vec<Template>,
    /// Certificate authorities that are added to the image's own; the service finds them through `SSL_CERT_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// What must answer before the service starts, in order.
    #[serde(default)]
    pub wait: Vec<Wait>,
    /// How long all waits together may take, in seconds.
    #[serde(default)]
    pub deadline_seconds: u64,
    /// What else has to be done before the service starts.
    #[serde(default)]
    pub prepare: Option<Prepare>,
    /// The service: program (found through PATH when it has no slash) and arguments.
    pub exec: Vec<String>,
    /// Environment variables added for the service.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How `launch health ROLE` finds out whether the service is well.
    #[serde(default)]
    pub health: Option<Health>,
    /// Directories whose file system must have so many bytes left; `launch health` looks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub space: BTreeMap<String, u64>,
    /// What the service needs for as long as it runs; `launch health` asks each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Wait>,
    /// The database in which the service writes; `launch health` writes there, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
}

/// A PostgreSQL that asks for a password by SCRAM-SHA-256.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Role to log in as.
    pub user: String,
    /// Database.
    pub database: String,
    /// The secret that holds the role's password.
    pub password_secret: String,
    /// How TLS is used; none: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// How TLS is used with PostgreSQL over TCP, by libpq's rules.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// libpq's `sslmode`.
    pub mode: SslMode,
    /// PEM files of the image with the authorities that count: libpq's `sslrootcert`; empty: there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<String>,
}

/// Certificate authorities beside those that an image comes with.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// The image's own list, PEM.
    pub bundle: String,
    /// What is added, PEM files.
    pub certificates: Vec<String>,
    /// Where the whole list goes: an absolute path under [`RUN_DIR`].
    pub target: String,
}

/// A file that is complete but for its secrets.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The rendered file in the image, an absolute path.
    pub source: String,
    /// Where the completed file goes: an absolute path under [`RUN_DIR`]. Mode 0600.
    pub target: String,
    /// How a secret's value is written so that the reader of the file gets exactly that value.
    pub escape: Escape,
}

/// How to write a secret's value into a file of a certain kind.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Escape {
    /// The placeholder stands inside a double-quoted YAML or JSON scalar: JSON string escapes.
    Json,
    /// The value must be one line without blanks, quotes or backslashes; anything else is refused with a message
    /// (coturn's and redis' configuration files have no escapes that all their versions read alike).
    Plain,
    /// A field of libpq's password file: `\` and `:` are escaped with a backslash.
    PgPass,
}

/// Something that must answer first.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// What it is, for the message: `PostgreSQL`.
    pub name: String,
    /// Where and how to ask.
    pub probe: Probe,
}

/// A question to a service that needs no credentials.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// A TCP connection can be made.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// PostgreSQL answers a start-up packet without "the database system is starting up" (SQLSTATE 57P03); a `host` that
    /// starts with `/` is the directory of a Unix socket, and commas part several hosts, of which one has to answer, as in libpq.
    Postgres {
        /// Host name, address or socket directory; or several names with commas between them.
        host: String,
        /// Port.
        port: u16,
        /// Role that the start-up packet names; one that the server expects, so that the question leaves no line in its log.
        #[serde(default = "superuser")]
        user: String,
        /// Database that the start-up packet names.
        #[serde(default = "superuser")]
        database: String,
        /// How TLS is used; none: not at all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<Tls>,
    },
    /// An HTTP GET on plain HTTP gives status 200.
    Http {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Path with its leading slash.
        path: String,
    },
}

/// PostgreSQL's first role, and a database of that name.
fn superuser() -> String {
    "postgres".to_owned()
}

/// Work before the first start of a service.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Prepare {
    /// A PostgreSQL data directory: initialise an empty volume, refuse one of another major version.
    Postgres {
        /// The volume; the cluster lives in its sub-directory `data`.
        volume: String,
        /// The major version of the programs in this image, such as `17`.
        major: u32,
        /// The role to create, owner of the database.
        user: String,
        /// The database to create: UTF8, collation and character type `C`, from `template0`.
        database: String,
        /// The secret that holds the role's password.
        password_secret: String,
    },
    /// Synapse's main process: compare what can never change with what is known of the site.
    Synapse(Guarded),
}

/// What of a site can never change, and where it is written down.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Guarded {
    /// The directory that keeps the marker `deployment.json`; a volume.
    pub state: String,
    /// The secret that holds the signing key.
    pub signing_key_secret: String,
    /// The secret that holds the password pepper, when local passwords are in use and have one.
    pub pepper_secret: Option<String>,
    /// Whether local passwords are in use.
    #[serde(default)]
    pub local_passwords: bool,
    /// Key identifiers (`ed25519:a_AbCd`) which the site lists under `old_signing_keys`: a marker with one of these may move on.
    pub old_signing_keys: Vec<String>,
    /// Synapse's database; none where only the volume is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<SiteDatabase>,
}

/// Synapse's database, to look into it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SiteDatabase {
    /// Where it is. The host may be the directory of a Unix socket, or several names with commas between them, as in [`Probe::Postgres`].
    pub at: Database,
    /// Whether it is one of the site's own containers: then not to get in is an error.
    pub bundled: bool,
}

/// How to ask a running service whether it is well, from inside its container.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Health {
    /// Status 200 on `http://127.0.0.1:port/path`.
    Http {
        /// Port.
        port: u16,
        /// Path with its leading slash.
        path: String,
    },
    /// `PING` answered by `PONG` (after `AUTH` with the secret).
    Redis {
        /// Port.
        port: u16,
        /// The secret that holds the password.
        password_secret: Option<String>,
    },
    /// As [`Probe::Postgres`], on the Unix socket in a directory.
    Postgres {
        /// The socket's directory.
        socket: String,
        /// Port.
        port: u16,
    },
    /// A STUN binding request over UDP gets a binding success response (RFC 8489).
    Stun {
        /// Address to ask; coturn listens on the container's own address, so `auto` means the address of the default route's interface.
        host: String,
        /// Port.
        port: u16,
    },
    /// A TCP connection to `127.0.0.1`.
    Tcp {
        /// Port.
        port: u16,
    },
}
