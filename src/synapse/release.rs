//! The releases of Synapse that the tables know, and which of them a site's images hold.

use std::fmt;
use std::sync::LazyLock;

static RELEASES: &str = include_str!("facts/releases.txt");

/// A release that the tables were made of; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(usize);

impl Release {
    /// All of them, oldest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..names().len()).map(Self)
    }

    /// The first that the tables know.
    pub const fn oldest() -> Self {
        Self(0)
    }

    /// The last that the tables know: the one that is locked.
    pub fn newest() -> Self {
        Self(names().len().saturating_sub(1))
    }

    /// Its name, as `1.163.2`.
    pub fn name(self) -> &'static str {
        names().get(self.0).copied().unwrap_or_default()
    }

    /// Its place among [`Self::all`], from 0.
    pub const fn index(self) -> usize {
        self.0
    }

    /// The release of that name.
    pub fn named(version: &str) -> Option<Self> {
        names().iter().position(|name| *name == version).map(Self)
    }

    /// The release whose facts come nearest to a version: the newest that is not newer, or the
    /// oldest. None for a text that is no version.
    pub fn nearest(version: &str) -> Option<Self> {
        let wanted = numbers(version)?;
        Some(Self::all().rfind(|release| numbers(release.name()).is_some_and(|numbers| numbers <= wanted)).unwrap_or(Self::oldest()))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The Synapse that the images of a site hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its version, as the package has it.
    pub version: String,
    /// The release whose facts hold for it.
    pub release: Release,
}

impl Running {
    /// The Synapse of that version, also as its tag (`v1.163.2`); none for a text that is no version.
    pub fn of(version: &str) -> Option<Self> {
        let version = version.strip_prefix('v').unwrap_or(version);
        Some(Self { version: version.to_owned(), release: Release::nearest(version)? })
    }

    /// Whether the tables know that very version.
    pub fn is_known(&self) -> bool {
        self.version == self.release.name()
    }

    /// What to say of a version that the tables do not know: how far they reach, and which release
    /// is taken for it.
    pub fn unknown(&self) -> String {
        format!(
            "Synapse {} is not in the tables, which hold {} releases from {} to {}; the facts of {} are taken for it",
            self.version,
            names().len(),
            Release::oldest(),
            Release::newest(),
            self.release
        )
    }
}

/// The locked Synapse.
impl Default for Running {
    fn default() -> Self {
        let release = Release::newest();
        Self { version: release.name().to_owned(), release }
    }
}

fn names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| RELEASES.lines().filter(|line| !line.starts_with('#')).collect());
    &NAMES
}

/// The three numbers of a version; what stands behind them (`rc1`, `+post`) does not count.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let mut parts = version[..end].trim_end_matches('.').split('.').map(str::parse::<u32>);
    let numbers = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next().unwrap_or(Ok(0)).ok()?];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_stand_in_the_order_of_their_numbers() {
        let all: Vec<_> = Release::all().map(|release| numbers(release.name()).expect("numbers")).collect();
        assert!(all.is_sorted() && all.len() > 40 && all[0] == [1, 130, 0], "{all:?}");
    }

    #[test]
    fn a_version_between_the_releases_has_the_facts_of_the_one_before() {
        for (version, nearest) in [
            ("1.155.0", Some("1.155.0")),
            ("1.138.1", Some("1.138.0")),
            ("1.155", Some("1.155.0")),
            ("1.155.0rc1", Some("1.155.0")),
            ("1.155.0+nixos", Some("1.155.0")),
            ("1.99.0", Some("1.130.0")),
            ("9.0.0", Some(Release::newest().name())),
            ("", None),
            ("newest", None),
            ("1", None),
            ("1.155.0.1", None),
        ] {
            assert_eq!(Release::nearest(version).map(Release::name), nearest, "{version}");
        }
        assert!(!Running::of("1.155.0rc1").expect("a version").is_known());
        assert!(Running::of("1.155.0").expect("a version").is_known());
        assert_eq!(Running::of("v1.155.0"), Running::of("1.155.0"));
        assert_eq!((Running::of("v"), Running::of("vv1.155.0")), (None, None));
    }

    #[test]
    fn the_newest_release_is_the_locked_one() {
        let lock = include_str!("../../images/synapse/python.lock");
        let version = lock.split("name = \"matrix-synapse\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
        assert_eq!(version, Some(Release::newest().name()));
    }
}
