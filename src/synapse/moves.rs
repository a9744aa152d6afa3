//! What moved between two releases of Synapse, in the terms of a site.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::facts::Kind;
use super::release::Release;

/// What moved of one kind of fact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// What only the later release has, with its value.
    pub new: BTreeMap<&'static str, &'static str>,
    /// What only the earlier release has, with its value.
    pub gone: BTreeMap<&'static str, &'static str>,
    /// What both have with other values: before, and now.
    pub changed: BTreeMap<&'static str, [&'static str; 2]>,
}

/// What moved between two releases, by kind; a kind in which nothing did is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moves {
    /// The release before.
    pub from: &'static str,
    /// The release now.
    pub to: &'static str,
    /// What moved, by the name of the kind.
    #[serde(flatten)]
    pub kinds: BTreeMap<&'static str, Moved>,
}

/// Compares two releases.
pub fn between(from: Release, to: Release) -> Moves {
    let mut kinds = BTreeMap::new();
    for kind in Kind::ALL {
        let (before, now) = (kind.of(from), kind.of(to));
        let mut moved = Moved::default();
        for name in before.keys().chain(now.keys()).copied().collect::<BTreeSet<_>>() {
            match (before.get(name).copied(), now.get(name).copied()) {
                (None, Some(value)) => drop(moved.new.insert(name, value)),
                (Some(value), None) => drop(moved.gone.insert(name, value)),
                (Some(before), Some(now)) if before != now => drop(moved.changed.insert(name, [before, now])),
                _ => {}
            }
        }
        if moved != Moved::default() {
            kinds.insert(kind.name(), moved);
        }
    }
    Moves { from: from.name(), to: to.name(), kinds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_told_with_what_it_was_and_what_it_is() {
        let newest = Release::newest();
        assert!(between(newest, newest).kinds.is_empty());
        let before = Release::named("1.155.0").expect("a release");
        let moves = between(before, newest);
        assert_eq!(moves.kinds["options"].new.get("presence.idle_timeout"), Some(&"duration"));
        let back = between(newest, before);
        assert_eq!(back.kinds["options"].gone, moves.kinds["options"].new);
        assert_eq!(back.kinds["options"].new, moves.kinds["options"].gone);
        assert_eq!((back.from, back.to), (moves.to, moves.from));
    }
}
