//! Mistakes that need no rule, because a type or a component leaves no way to make them, and those that only the running site can
//! know: `invariants.toml`, shown in docs/rules.md. tests/site/invariants.rs proves every one of them.

use std::sync::LazyLock;

use serde::Deserialize;

/// A mistake that cannot be written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mistake {
    /// The directory below `tests/invariants/`, and the name of its assertion.
    pub name: String,
    /// What somebody would do by hand.
    pub mistake: String,
    /// Why it cannot be done here.
    pub why: String,
    /// Where it is said what comes of it.
    pub source: String,
    /// The code that refuses a site that tries; absent where there is nothing to try with.
    pub refused: Option<String>,
}

/// Something that is looked at when a site starts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtStart {
    /// What has to hold.
    pub what: String,
    /// Who looks.
    pub who: String,
    /// The test that shows it: `file::function`.
    pub test: String,
}

/// The two lists.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lists {
    /// What cannot be written.
    #[serde(rename = "mistake")]
    pub mistakes: Vec<Mistake>,
    /// What is looked at when a site starts.
    pub at_start: Vec<AtStart>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| toml::from_str(include_str!("invariants.toml")).unwrap_or_default());

/// Both lists.
pub fn lists() -> &'static Lists {
    &LISTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_read_and_names_are_unique() {
        let mut names: Vec<&str> = lists().mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
        assert!(names.len() > 60);
        assert!(!lists().at_start.is_empty());
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
