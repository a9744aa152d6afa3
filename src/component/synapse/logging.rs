//! The log configuration, as Python's `logging.config.dictConfig` reads it. One for all processes that write to their standard
//! output only; one a process when there are files, of which two writers would lose lines to each other.

use serde_json::{Value, json};

use super::{CONFIG, IMAGE, SERVICE, workers};
use crate::deployment::Part;
use crate::site::Site;
use crate::site::logging::Format;
use crate::yaml;

/// Where the files are: the volume's place in the container, and its name.
pub(super) const VOLUME: (&str, &str) = ("synapse_logs", "/var/log/matrix-synapse");

pub(super) fn add(site: &Site, part: &mut Part) {
    if site.logging.files.is_none() {
        part.add(IMAGE, &path(site, SERVICE), yaml::document("Python logging configuration of every process.", &options(site, SERVICE)));
        return;
    }
    for process in std::iter::once(SERVICE.to_owned()).chain(workers::names(site)) {
        part.add(IMAGE, &path(site, &process), yaml::document(&format!("Python logging configuration of {process}."), &options(site, &process)));
    }
}

/// The log configuration of a process.
pub(super) fn path(site: &Site, process: &str) -> String {
    if site.logging.files.is_some() { format!("{CONFIG}/log/{process}.yaml") } else { format!("{CONFIG}/log.yaml") }
}

/// The volume that a process writes its log to, if it does.
pub(super) fn volume(site: &Site) -> Option<(&'static str, String)> {
    site.logging.files.is_some().then(|| (VOLUME.0, VOLUME.1.to_owned()))
}

fn options(site: &Site, process: &str) -> Value {
    let logging = &site.logging;
    let formatter = match logging.format {
        Format::Text => json!({ "format": "%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s" }),
        Format::Json => json!({ "class": "synapse.logging.TerseJsonFormatter" }),
    };
    // SQL at DEBUG shows values; it stays at INFO unless the site says otherwise.
    let mut loggers = json!({ "synapse.storage.SQL": { "level": "INFO" } });
    for (name, level) in &logging.levels {
        loggers[name] = json!({ "level": level.as_str() });
    }
    let mut handlers = json!({ "stdout": { "class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout" } });
    let mut names = vec!["stdout"];
    if let Some(files) = &logging.files {
        handlers["file"] = json!({
            "class": "logging.handlers.TimedRotatingFileHandler",
            "formatter": "line",
            "filename": format!("{}/{process}.log", VOLUME.1),
            "when": "midnight",
            "utc": true,
            "backupCount": files.keep_days,
            "encoding": "utf8",
        });
        names.push("file");
    }
    json!({
        "version": 1,
        "disable_existing_loggers": false,
        "formatters": { "line": formatter },
        "handlers": handlers,
        "loggers": loggers,
        "root": { "level": logging.level.as_str(), "handlers": names },
    })
}
