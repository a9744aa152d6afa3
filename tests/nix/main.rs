//! Sites written as modules: they mean what plain ones mean, and their mistakes are told as a person needs them. The module
//! system is that of nixpkgs' lib, at the pin of flake.lock; where it is neither in the store nor to be fetched, a test says
//! SKIPPED, and `make unit` counts those that did.

mod builder;
#[path = "../common/mod.rs"]
mod common;
mod examples;
mod flake;
mod mistakes;
mod modules;
mod support;
