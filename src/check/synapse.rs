//! What the pinned Synapse reads of its configuration: every option with its types, and those that earlier releases read. Both are data files
//! beside this one; `tests/settings.rs` compares the first with the locked wheel, whose source it comes from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

/// A type that an option may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The code does not say, or takes everything.
    Any,
    /// Nothing.
    Null,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// Text.
    Text,
    /// A list.
    List,
    /// A set of options.
    Map,
    /// Milliseconds, or text with a unit (config/_base.py, parse_duration).
    Duration,
    /// Bytes, or text with a unit (config/_base.py, parse_size).
    Size,
    /// This very value.
    Just(Value),
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "any" => Self::Any,
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "number" => Self::Number,
            "text" => Self::Text,
            "list" => Self::List,
            "map" => Self::Map,
            "duration" => Self::Duration,
            "size" => Self::Size,
            other => Self::Just(serde_json::from_str(other.strip_prefix('=')?).ok()?),
        })
    }
}

/// An option, and the options in it.
#[derive(Debug, Default)]
pub struct Entry {
    /// The types that it may have.
    pub kinds: Vec<Kind>,
    members: BTreeMap<&'static str, Entry>,
}

impl Entry {
    /// The options in it that have names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.members.keys().copied().filter(|name| !matches!(*name, "*" | "[]"))
    }

    /// What is known about a member; none when it takes no such member.
    pub fn member(&self, name: &str) -> Option<&Self> {
        self.members.get(name).filter(|_| !matches!(name, "*" | "[]")).or_else(|| self.members.get("*"))
    }

    /// What is known about a member of that very name.
    pub fn named(&self, name: &str) -> Option<&Self> {
        self.members.get(name).filter(|_| !matches!(name, "*" | "[]"))
    }

    /// What is known about its elements.
    pub fn element(&self) -> Option<&Self> {
        self.members.get("[]")
    }

    /// Whether members beside those that are known have no effect.
    pub fn is_closed(&self) -> bool {
        self.names().next().is_some() && !self.members.contains_key("*")
    }

    /// The shortest path to an option of that name somewhere below, written with dots.
    fn find(&self, wanted: &str) -> Option<String> {
        if self.names().any(|name| name == wanted) {
            return Some(wanted.to_owned());
        }
        let below = self.members.iter().filter(|(name, _)| !matches!(**name, "*" | "[]"));
        below.filter_map(|(name, entry)| Some(format!("{name}.{}", entry.find(wanted)?))).min_by_key(|path| path.matches('.').count())
    }
}

/// An option that is not read any more.
#[derive(Debug, Clone, Copy)]
pub struct Gone {
    /// The last release that read it; none when only the documentation names it.
    pub last: Option<&'static str>,
    /// What to do; empty where there is nothing to say but to remove it.
    pub instead: &'static str,
}

static OPTIONS: &str = include_str!("synapse/options.txt");
static GONE: &str = include_str!("synapse/gone.txt");

/// All options, as members of an entry.
pub fn options() -> &'static Entry {
    static TABLE: LazyLock<Entry> = LazyLock::new(|| {
        let mut root = Entry::default();
        for (path, kinds) in lines(OPTIONS) {
            let mut entry = &mut root;
            for step in path.split('.') {
                entry = entry.members.entry(step).or_default();
            }
            entry.kinds = kinds.split(' ').filter_map(Kind::parse).collect();
        }
        root
    });
    &TABLE
}

/// Options that earlier releases read, by their paths with dots.
pub fn gone() -> &'static BTreeMap<&'static str, Gone> {
    static TABLE: LazyLock<BTreeMap<&'static str, Gone>> = LazyLock::new(|| {
        let gone = |rest: &'static str| {
            let (last, instead) = rest.split_once(' ').unwrap_or((rest, ""));
            Gone { last: Some(last).filter(|last| *last != "-"), instead }
        };
        lines(GONE).map(|(path, rest)| (path, gone(rest))).collect()
    });
    &TABLE
}

/// Where an option of that name stands, when it stands somewhere else: `email.smtp_host`.
pub fn elsewhere(name: &str) -> Option<String> {
    options().find(name)
}

/// The version of Synapse that the table is about.
pub fn version() -> &'static str {
    OPTIONS.split_whitespace().nth(3).unwrap_or_default()
}

fn lines(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        for (path, kinds) in lines(OPTIONS) {
            for kind in kinds.split(' ') {
                assert!(Kind::parse(kind).is_some(), "{path}: {kind}");
            }
        }
        assert!(lines(OPTIONS).count() > 800);
        assert!(version().starts_with(|c: char| c.is_ascii_digit()), "{}", version());
    }

    #[test]
    fn an_option_that_is_gone_is_not_read() {
        for path in gone().keys() {
            assert!(!lines(OPTIONS).any(|(read, _)| read == *path), "{path}");
        }
    }

    #[test]
    fn maps_of_any_names_are_open_and_others_are_closed() {
        let of = |path: &str| path.split('.').fold(options(), |entry, step| entry.member(step).expect("known"));
        assert!(of("caches").is_closed());
        assert!(!of("caches.per_cache_factors").is_closed());
        assert_eq!(of("caches.per_cache_factors.anything").kinds, [Kind::Number]);
        assert!(!of("default_power_level_content_override").is_closed());
        assert!(!of("opentracing.jaeger_config").is_closed());
    }

    #[test]
    fn a_name_is_found_where_it_stands() {
        assert_eq!(elsewhere("smtp_host").as_deref(), Some("email.smtp_host"));
        assert_eq!(elsewhere("cache_entry_ttl").as_deref(), Some("caches.cache_entry_ttl"));
        assert_eq!(elsewhere("no_such_option"), None);
    }
}
