//! Descriptions: what is wrong with them, what follows from them, and what the program says of itself. No process is started.

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod definitions;
mod describe;
mod edges;
mod effects;
mod examples;
mod field;
mod gateway;
mod help;
mod invariants;
mod licences;
mod providers;
mod rules;
mod settings;
mod sound;
mod templates;
mod verdicts;
mod wheel;
