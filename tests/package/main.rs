//! The package stage on archives that the tests make, honest ones and hostile ones.

#[path = "../cli/processes.rs"]

mod bounds;
mod bytecode;
mod cache;
mod cache_claim;
mod cache_entries;
mod cache_leftovers;
mod confinement;
mod deb;
mod elf;
mod fetch;
mod lock;
mod machine;
mod make;
mod processes;
mod stopped;
mod wheel;
