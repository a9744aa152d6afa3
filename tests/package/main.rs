//! The package stage on archives that the tests make, honest ones and hostile ones.

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
mod hostile;
mod lock;
mod machine;
mod make;
#[path = "../cli/processes.rs"]
mod processes;
mod raw_tar;
mod stopped;
mod wheel;
