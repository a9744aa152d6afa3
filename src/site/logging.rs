//! `logging`: what Synapse writes to its standard output, and to files beside it. Python's logging.config, Synapse documentation "Logging Sample Configuration File".

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// The least severe level that is logged.
    pub level: Level,
    /// Levels of single loggers, by their dotted name: `synapse.storage.SQL` at `DEBUG` would log every query with its values,
    /// secrets included.
    pub levels: BTreeMap<String, Level>,
    /// The form of a line.
    pub format: Format,
    /// The largest size of a container's log, in megabytes; five files of that size are kept.
    #[schemars(range(min = 1, max = 10000))]
    pub max_size_mb: u16,
    /// Files beside the standard output, for those who look into them on the target: one a process, in the volume `synapse_logs`.
    pub files: Option<LogFiles>,
}

/// Files that are written beside the standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogFiles {
    /// How many days of them are kept, today's beside them; a new one is begun at midnight, UTC.
    #[schemars(range(min = 1, max = 365))]
    pub keep_days: u16,
}

/// How severe a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for log collectors (`synapse.logging.TerseJsonFormatter`).
    Json,
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: Level::Info, levels: BTreeMap::new(), format: Format::Text, max_size_mb: 20, files: None }
    }
}

impl Default for LogFiles {
    fn default() -> Self {
        Self { keep_days: 7 }
    }
}

impl Level {
    /// As Python's logging spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}
