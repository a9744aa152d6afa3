//! What releases of Synapse read of their configuration: every option with its types as a tree, and
//! what to do about those that none reads any more.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde_json::Value;

use super::facts;
use super::release::Release;

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

static GONE: &str = include_str!("gone.txt");

/// All options of the newest release, as members of an entry.
pub fn options() -> &'static Entry {
    options_of(Release::newest())
}

/// All options of a release, as members of an entry.
pub fn options_of(release: Release) -> &'static Entry {
    static TREES: LazyLock<Vec<OnceLock<Entry>>> = LazyLock::new(|| Release::all().map(|_| OnceLock::new()).collect());
    TREES[release.index()].get_or_init(|| {
        let mut root = Entry::default();
        for row in facts::Kind::Options.rows().filter(|row| row.holds(release)) {
            let mut entry = &mut root;
            for step in row.name.split('.') {
                entry = entry.members.entry(step).or_default();
            }
            entry.kinds = row.value.split(' ').filter_map(Kind::parse).collect();
        }
        root
    })
}

/// The releases that read an option of the tables: the first, and the last. Of one that was away
/// for a while, the last time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spell {
    /// The first release that reads it, or the oldest of the tables.
    pub since: Release,
    /// The last release that reads it, or the newest of the tables.
    pub until: Release,
}

/// Which releases read an option, by its path with dots and without the numbers of list elements.
/// None when no release of the tables does.
pub fn spell(path: &str) -> Option<Spell> {
    static SPELLS: LazyLock<BTreeMap<String, Spell>> = LazyLock::new(|| {
        let mut spells: BTreeMap<String, Spell> = BTreeMap::new();
        for row in facts::Kind::Options.rows() {
            let name = row.name.replace(".[]", "");
            let before = spells.get(&name).filter(|spell| spell.until.index() + 1 == row.since.index());
            let since = before.map_or(row.since, |spell| spell.since);
            spells.insert(name, Spell { since, until: row.until });
        }
        spells
    });
    SPELLS.get(path).copied()
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
pub fn elsewhere(name: &str, release: Release) -> Option<String> {
    options_of(release).find(name)
}

fn lines(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        for row in facts::Kind::Options.rows() {
            for kind in row.value.split(' ') {
                assert!(Kind::parse(kind).is_some(), "{}: {kind}", row.name);
            }
        }
        assert!(Release::all().all(|release| facts::Kind::Options.of(release).len() > 700));
    }

    #[test]
    fn an_option_that_is_gone_is_not_read() {
        for (path, gone) in gone() {
            let last = spell(path).map(|spell| spell.until.name());
            assert!(last != Some(Release::newest().name()), "{path}");
            assert!(last.is_none() || last == gone.last, "{path}: {last:?} {:?}", gone.last);
        }
    }

    #[test]
    fn an_option_has_the_releases_that_read_it() {
        let spell = |path: &str| spell(path).map(|spell| (spell.since.name(), spell.until.name()));
        assert_eq!(spell("caches.global_factor"), Some(("1.130.0", Release::newest().name())));
        assert_eq!(spell("presence.idle_timeout").map(|(since, _)| since), Some("1.157.0"));
        assert_eq!(spell("experimental_features.msc3266_enabled"), Some(("1.130.0", "1.152.1")));
        assert_eq!(spell("no_such_option"), None);
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
        let elsewhere = |name: &str| elsewhere(name, Release::newest());
        assert_eq!(elsewhere("smtp_host").as_deref(), Some("email.smtp_host"));
        assert_eq!(elsewhere("cache_entry_ttl").as_deref(), Some("caches.cache_entry_ttl"));
        assert_eq!(elsewhere("no_such_option"), None);
    }
}
