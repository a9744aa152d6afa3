//! The tables as they are kept: rows `name since until value`. Each kind of fact is a file of its
//! own in `facts/`.

use std::collections::BTreeMap;

use super::release::Release;

/// A kind of fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What Synapse reads of its configuration, with types.
    Options,
    /// The paths that it answers: methods, those of them that workers answer, and `media` where the
    /// media repository does.
    Routes,
    /// Streams that workers may write, and those between processes.
    Streams,
    /// Options that give workers something to do, and the applications that `worker_app` may name.
    Duties,
    /// Numbers that are limits in the code, and the rates that hold where a site says none.
    Limits,
    /// Files of templates that a site may replace.
    Templates,
    /// Versions of the database's schema, of PostgreSQL and of Python.
    Database,
}

impl Kind {
    /// All kinds, in the order in which they are printed.
    pub const ALL: [Self; 7] = [Self::Options, Self::Routes, Self::Streams, Self::Duties, Self::Limits, Self::Templates, Self::Database];

    /// Its name, which is also that of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Options => "options",
            Self::Routes => "routes",
            Self::Streams => "streams",
            Self::Duties => "duties",
            Self::Limits => "limits",
            Self::Templates => "templates",
            Self::Database => "database",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Options => include_str!("facts/options.txt"),
            Self::Routes => include_str!("facts/routes.txt"),
            Self::Streams => include_str!("facts/streams.txt"),
            Self::Duties => include_str!("facts/duties.txt"),
            Self::Limits => include_str!("facts/limits.txt"),
            Self::Templates => include_str!("facts/templates.txt"),
            Self::Database => include_str!("facts/database.txt"),
        }
    }

    /// Its rows, by name and then by age.
    pub fn rows(self) -> impl Iterator<Item = Row> {
        self.text().lines().filter(|line| !line.starts_with('#')).filter_map(Row::parse)
    }

    /// What one release says: values by name.
    pub fn of(self, release: Release) -> BTreeMap<&'static str, &'static str> {
        self.rows().filter(|row| row.holds(release)).map(|row| (row.name, row.value)).collect()
    }
}

/// A fact and the releases for which it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What it is about: an option's path, the path of a request, a constant.
    pub name: &'static str,
    /// The first release with it. Of the oldest in the tables this means "or earlier".
    pub since: Release,
    /// The last release with it. Of the newest in the tables this means that it still holds.
    pub until: Release,
    /// What is so: types, methods, a number.
    pub value: &'static str,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let (name, since, until) = (words.next()?, words.next()?, words.next()?);
        let at = |word: &str, open: Release| if word == "-" { Some(open) } else { Release::named(word) };
        Some(Self { name, since: at(since, Release::oldest())?, until: at(until, Release::newest())?, value: words.next().unwrap_or_default() })
    }

    /// Whether it holds for a release.
    pub fn holds(&self, release: Release) -> bool {
        self.since <= release && release <= self.until
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_is_a_row_and_no_release_has_two_of_a_name() {
        for kind in Kind::ALL {
            let lines = kind.text().lines().filter(|line| !line.starts_with('#')).count();
            let rows: Vec<Row> = kind.rows().collect();
            assert!(rows.len() == lines && lines > 0, "{kind:?}");
            assert!(rows.iter().all(|row| row.since <= row.until && !row.value.is_empty()), "{kind:?}");
            assert!(rows.is_sorted_by(|a, b| a.name < b.name || a.name == b.name && a.until < b.since), "{kind:?}");
            for release in Release::all() {
                assert_eq!(kind.of(release).len(), rows.iter().filter(|row| row.holds(release)).count(), "{kind:?} {release}");
            }
        }
        assert_eq!(Kind::ALL.map(Kind::name).into_iter().collect::<BTreeSet<_>>().len(), Kind::ALL.len());
    }
}
