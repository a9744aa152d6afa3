//! `database`: PostgreSQL. Synapse documentation, "database"; libpq documentation for the connection parameters.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::{Duration, Line, PostgresMemory};

/// Who runs a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// It runs in a container of this site.
    Bundled,
    /// Somebody else runs it.
    External,
}

/// PostgreSQL, bundled or external.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// Who runs PostgreSQL.
    pub source: Source,
    /// External only: host name, address, or the directory of a Unix socket on the target (`/var/run/postgresql`), which is
    /// then mounted into Synapse's containers. Several names, with commas between them, are servers of one database, such as
    /// Patroni's: Synapse uses the one that takes writes.
    pub host: Option<Line>,
    /// External only: port, of every host; with a socket directory it is part of the socket's name.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The role that Synapse logs in as.
    pub user: Line,
    /// The database. It has to have the encoding UTF8 and the collation and character type `C`; the bundled one has.
    pub dbname: Line,
    /// External over TCP: libpq's `sslmode`. `verify-full` also checks the name in the certificate.
    pub sslmode: Option<SslMode>,
    /// Connections that each Synapse process keeps open.
    #[schemars(range(min = 1, max = 1000))]
    pub cp_min: u16,
    /// Connections that each Synapse process may open. The bundled PostgreSQL is configured for all processes together.
    #[schemars(range(min = 1, max = 1000))]
    pub cp_max: u16,
    /// How long a statement may take before PostgreSQL ends it. Synapse's own jobs that take longer lift it for themselves.
    pub statement_timeout: Option<Duration>,
    /// After how many transactions Synapse opens a connection anew, which gives memory back; absent or 0 means never.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub txn_limit: Option<u32>,
    /// Bundled only: PostgreSQL's `shared_buffers`; a quarter of the memory that the database may use is a good start.
    pub shared_buffers: PostgresMemory,
    /// Bundled only: further settings of PostgreSQL by its own names, as `postgresql.conf` has them:
    /// `{ work_mem: 16MB, effective_cache_size: 6GB }`. Those that tune it can be said; names, types, units and ranges are those of the
    /// PostgreSQL in the image.
    pub settings: BTreeMap<String, Value>,
}

/// How libpq uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Never.
    Disable,
    /// When the server wants it.
    Allow,
    /// When the server can.
    Prefer,
    /// Always, without looking at the certificate.
    Require,
    /// Always, with a certificate of a known authority.
    VerifyCa,
    /// Always, with a certificate of a known authority for that very host.
    VerifyFull,
}

impl Default for Database {
    fn default() -> Self {
        let line = |text: &str| Line::try_from(text.to_owned()).expect("a constant line");
        Self {
            source: Source::Bundled,
            host: None,
            port: 5432,
            user: line("synapse"),
            dbname: line("synapse"),
            sslmode: None,
            cp_min: 5,
            cp_max: 10,
            statement_timeout: None,
            txn_limit: None,
            shared_buffers: PostgresMemory::try_from("128MB".to_owned()).expect("a constant amount of memory"),
            settings: BTreeMap::new(),
        }
    }
}

impl Database {
    /// The hosts, one by one.
    pub fn hosts(&self) -> Vec<&str> {
        self.host.iter().flat_map(|host| host.as_str().split(',')).collect()
    }
}

impl SslMode {
    /// Whether it looks at who has signed the server's certificate.
    pub fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyFull)
    }

    /// As libpq spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// A value as `postgresql.conf` has it; none for one that cannot stand there.
pub fn setting_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(on) => Some(if *on { "on" } else { "off" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.chars().any(char::is_control) => Some(text.clone()),
        _ => None,
    }
}
