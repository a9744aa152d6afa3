//! S0571 to S0574: what stands under `database.settings`, against what the PostgreSQL of the images says of its settings ([`postgres`]).
//! PostgreSQL itself does not start with a name, a unit or a value that it does not take, and then nothing of the site does.

use serde_json::Value;

use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::check::postgres::{self, Kind, Setting};
use crate::component::postgres::HEADROOM;
use crate::site::Site;
use crate::site::database::Source;
use crate::site::database::setting_text;
use crate::site::load::Loaded;
use crate::site::reveal;
use crate::site::schema::{OptionPath, nearest};

/// Groups of PostgreSQL's settings that tune it, as `pg_settings` calls them.
const TUNING: &[&str] = &[
    "Autovacuum",
    "Connections and Authentication / TCP Settings",
    "Lock Management",
    "Query Tuning / ",
    "Resource Usage / ",
    "Statistics / Cumulative",
    "Write-Ahead Log / Checkpoints",
    "Write-Ahead Log / Settings",
];
/// Single settings of other groups that can be said.
const TUNING_ALONE: &[&str] = &[
    "cluster_name",
    "default_toast_compression",
    "gin_pending_list_limit",
    "idle_in_transaction_session_timeout",
    "log_autovacuum_min_duration",
    "log_checkpoints",
    "log_connections",
    "log_disconnections",
    "log_duration",
    "log_lock_waits",
    "log_temp_files",
    "reserved_connections",
    "superuser_reserved_connections",
    "vacuum_failsafe_age",
    "vacuum_freeze_min_age",
    "vacuum_freeze_table_age",
    "vacuum_multixact_failsafe_age",
    "vacuum_multixact_freeze_min_age",
    "vacuum_multixact_freeze_table_age",
];
/// Settings that another part of the site follows from or says: the setting, why, and what to do.
const KEPT: &[(&str, &str, &str)] = &[
    ("shared_buffers", "is an option of its own", "write database.shared_buffers"),
    ("max_connections", "follows from the processes and their pools", "remove it; database.cp_max and workers say how many connections there are"),
    ("statement_timeout", "is an option of its own, which Synapse sets", "write database.statement_timeout"),
    ("jit", "is off, because compiling costs more than Synapse's short statements take", "remove it"),
    ("dynamic_shared_memory_type", "is set for the container", "remove it"),
    ("shared_memory_type", "is set for the container", "remove it"),
    (
        "huge_pages",
        "is about pages that the kernel of the target keeps for it; with on, PostgreSQL does not start without them",
        "remove it; PostgreSQL tries them by itself",
    ),
    ("huge_page_size", "wants pages that the kernel of the target keeps for it, and PostgreSQL does not start without them", "remove it"),
    ("wal_level", "decides what replication there can be, which is not offered", "remove it"),
];
/// Why the settings of a group cannot be said.
const GROUPS: &[(&str, &str)] = &[
    ("Client Connection Defaults / Locale", "is about languages and forms, which the image has one of"),
    ("Client Connection Defaults / Shared Library", "loads a program that the image does not hold"),
    ("Client Connection Defaults / ", "changes how statements are read or answered, which Synapse sets for itself or relies on"),
    ("Connections and Authentication / ", "is about who gets in, which the site's network and the secret postgres_password decide"),
    ("Developer Options", "is for PostgreSQL's own developers"),
    ("Error Handling", "decides what becomes of a server that failed, which the container does"),
    ("File Locations", "names a file, and the tool sets where they are"),
    ("Preset Options", "only tells something, and cannot be set"),
    ("Replication / ", "is about a second server, which is not offered"),
    ("Reporting and Logging / ", "is about the log, which must not hold what people write and goes where containers log"),
    ("Statistics / Monitoring", "writes into the log"),
    ("Version and Platform Compatibility", "changes how statements are read, and Synapse is written for the default"),
    ("Write-Ahead Log / ", "is about archives of the database, which are not offered"),
];
/// Bounds that are narrower than those of the table: what the server finds at its start. `tests/measure` asks it.
const NARROWER: &[(&str, f64, f64, &str)] = &[
    ("max_stack_depth", 100.0, 7168.0, "the stack of a process in the container has 8MB"),
    ("min_wal_size", 32.0, 2_147_483_647.0, "it holds two segments of 16MB at least"),
    ("max_wal_size", 32.0, 2_147_483_647.0, "it holds two segments of 16MB at least"),
    ("autovacuum_max_workers", 1.0, 1000.0, "each takes a process and memory from the start"),
    ("max_worker_processes", 0.0, 1000.0, "each takes memory from the start"),
    ("min_dynamic_shared_memory", 0.0, 65536.0, "it is taken from the start"),
];
/// Values with which PostgreSQL works, and that somebody regrets.
const WEAK: &[(&str, &str, &str)] = &[
    ("fsync", "off", "a loss of power can destroy the whole database"),
    ("full_page_writes", "off", "a loss of power can destroy the whole database"),
    ("synchronous_commit", "off", "a crash loses messages that people were told are sent"),
    ("autovacuum", "off", "tables only grow, and after some two thousand million transactions the database refuses every write"),
    ("track_counts", "off", "without these numbers nothing is vacuumed, and tables only grow"),
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0571",
        severity: Error,
        options: SETTINGS,
        reason: "PostgreSQL does not start with a setting that it does not know (its documentation, \"Parameter Interaction via the Configuration File\").",
        violations: |loaded| each(loaded, |_, name, _, setting| setting.is_none().then(|| unknown(name))),
    },
    Rule {
        code: "S0572",
        severity: Error,
        options: SETTINGS,
        reason: "PostgreSQL does not start with a value of the wrong type, unit or range; its units are kB, MB, GB, TB, and ms, s, min, h, d (its documentation, \"Parameter Names and Values\").",
        violations: |loaded| {
            each(loaded, |site, name, value, setting| {
                let setting = setting.filter(|setting| kept(name, setting).is_none())?;
                let (message, write) = wrong(site, name, setting, value)?;
                Some((message, write.map_or_else(|| "write a value as PostgreSQL's documentation has it".to_owned(), |write| format!("write {name}: {write}"))))
            })
        },
    },
    Rule {
        code: "S0573",
        severity: Error,
        options: &["database.settings", "database.source"],
        reason: "Where files are, who gets in and what is logged follows from the site; an external PostgreSQL has its own configuration.",
        violations: |loaded| {
            if loaded.site.database.source == Source::External && !loaded.site.database.settings.is_empty() {
                let message = "has no effect on an external PostgreSQL, which has a configuration of its own";
                return vec![Violation::at("database.settings", message, "remove it, and write the settings there")];
            }
            each(loaded, |_, name, _, setting| kept(name, setting?).map(|(why, instead)| (why.to_owned(), instead.to_owned())))
        },
    },
    Rule {
        code: "S0574",
        severity: Warning,
        options: SETTINGS,
        reason: "PostgreSQL takes these values and works faster or quieter for a while (its documentation, \"Write Ahead Log\" and \"Routine Vacuuming\").",
        violations: |loaded| {
            each(loaded, |_, name, value, setting| {
                let (_, _, why) = WEAK.iter().find(|(weak, off, _)| *weak == name && is(value, off, setting))?;
                Some((format!("is {}: {why}", setting_text(value)?), "remove it".to_owned()))
            })
        },
    },
];

const SETTINGS: &[&str] = &["database.settings"];

type Said = (String, String);

fn each(loaded: &Loaded, found: impl Fn(&Site, &str, &Value, Option<&Setting>) -> Option<Said>) -> Vec<Violation> {
    let site = &loaded.site;
    if site.database.source == Source::External {
        return Vec::new();
    }
    let settings = site.database.settings.iter();
    let violations = settings.filter_map(|(name, value)| {
        let (message, remedy) = found(site, name, value, postgres::settings().get(name.as_str()))?;
        Some(Violation { option: OptionPath::dotted("database.settings").key(name), message, remedy })
    });
    violations.collect()
}

fn unknown(name: &str) -> Said {
    let same_but_for_case = postgres::settings().iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((known, setting)) = same_but_for_case {
        let remedy = kept(known, setting).map_or_else(|| format!("write it as {known}"), |(_, instead)| instead.to_owned());
        return (format!("is PostgreSQL's {known}, which is written so here"), remedy);
    }
    let message = "is no setting of the PostgreSQL in the image".to_owned();
    if name.contains('.') {
        return (message, "remove it: settings with a dot are those of extensions, and the server loads none".to_owned());
    }
    let remedy = nearest(name, postgres::settings().keys().copied()).map_or_else(|| "remove it".to_owned(), |near| format!("did you mean {near:?}?"));
    (message, remedy)
}

/// Why a setting cannot be said, and what to do.
fn kept(name: &str, setting: &Setting) -> Option<(&'static str, &'static str)> {
    if let Some((_, why, instead)) = KEPT.iter().find(|(kept, ..)| *kept == name) {
        return Some((why, instead));
    }
    let is_tuning = TUNING_ALONE.contains(&name) || TUNING.iter().any(|group| setting.category.starts_with(group)) && setting.kind != Kind::Text;
    if is_tuning {
        return None;
    }
    let why = GROUPS.iter().find(|(group, _)| setting.category.starts_with(group)).map_or("takes a text that only a running server can judge", |(_, why)| why);
    Some((why, "remove it"))
}

fn wrong(site: &Site, name: &str, setting: &Setting, value: &Value) -> Option<(String, Option<String>)> {
    if let Some(said) = without_unit(setting, value) {
        return Some(said);
    }
    if let Err((message, write)) = setting.check(value) {
        let may_repeat = reveal::may_repeat(&OptionPath::dotted("database.settings").key(name), value);
        return Some(if may_repeat { (message, write) } else { ("is none that PostgreSQL takes".to_owned(), None) });
    }
    let number = setting_text(value).and_then(|text| setting.number(&text).ok());
    if let Some((_, least, most, why)) = NARROWER.iter().find(|(narrower, ..)| *narrower == name)
        && let Some(number) = number.filter(|number| !(*least..=*most).contains(number))
    {
        let near = setting.amount(if number < *least { *least } else { *most });
        return Some((format!("is {}: {why}", setting.amount(number)), Some(near)));
    }
    // The connections that PostgreSQL keeps back are not Synapse's.
    let reserved = ["superuser_reserved_connections", "reserved_connections"];
    if reserved.contains(&name) {
        let of = |name: &str| site.database.settings.get(name).and_then(Value::as_u64);
        let sum = of(reserved[0]).unwrap_or(3) + of(reserved[1]).unwrap_or(0);
        let headroom = u64::from(HEADROOM);
        if sum > headroom {
            return Some((
                format!("leaves Synapse too few connections: {sum} are kept back, and there are {headroom} more than it may open"),
                Some("3".to_owned()),
            ));
        }
    }
    (name == "cluster_name" && value.as_str().is_some_and(|text| text.len() > 63 || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte))))
        .then(|| ("has more than 63 characters, or others than ASCII".to_owned(), Some("synapse".to_owned())))
}

/// A number whose unit nobody remembers: `work_mem: 16` is 16kB, `checkpoint_timeout: 15` 15s. Nothing and "as the server likes" (-1) have none.
fn without_unit(setting: &Setting, value: &Value) -> Option<(String, Option<String>)> {
    let text = setting_text(value)?;
    let unit = setting.unit?;
    let number: f64 = text.trim().parse().ok().filter(|number: &f64| *number > 0.0)?;
    let meant = unit.usual().iter().map(|unit| format!("{text}{unit}")).find(|meant| setting.number(meant).is_ok())?;
    Some((format!("is {text} without a unit, which PostgreSQL takes for {}", setting.amount(number)), Some(meant)))
}

/// Whether a value is that one of a setting's.
fn is(value: &Value, wanted: &str, setting: Option<&Setting>) -> bool {
    let text = setting_text(value).unwrap_or_default().to_ascii_lowercase();
    let off = wanted == "off" && setting.is_some() && ["off", "of", "false", "no", "0", "f", "n"].contains(&text.as_str());
    off || text == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_this_file_is_a_setting_and_every_group_has_an_answer() {
        let settings = postgres::settings();
        let names = KEPT.iter().map(|(name, ..)| *name).chain(TUNING_ALONE.iter().copied()).chain(NARROWER.iter().map(|(name, ..)| *name));
        for name in names.chain(WEAK.iter().map(|(name, ..)| *name)) {
            assert!(settings.contains_key(name), "{name}");
        }
        for group in TUNING.iter().copied().chain(GROUPS.iter().map(|(group, _)| *group)) {
            assert!(settings.values().any(|setting| setting.category.starts_with(group)), "{group}");
        }
        for (name, _, _) in WEAK {
            assert!(kept(name, &settings[name]).is_none(), "{name}");
        }
        let offered = settings.iter().filter(|(name, setting)| kept(name, setting).is_none()).count();
        assert!(offered > 120, "{offered}");
    }
}
