//! Facts about Synapse by version: what each release reads of its configuration, answers, writes
//! and stores, and what to do about options that are gone. The data files in `facts/` are made of
//! the releases on the package index by `tools/facts`, without running them; `tests/site/settings.rs`
//! compares them with the locked release and with some older ones. docs/facts.md says what they
//! hold.

pub mod facts;
mod moves;
mod reads;
mod release;

pub use moves::{Moves, between};
pub use reads::{Entry, Gone, Kind, Spell, elsewhere, gone, options, options_of, spell};
pub use release::{Release, Running};
