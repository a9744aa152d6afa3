//! synapse-site: one description of a Matrix site becomes reproducible container images and a compose manifest.
//!
//! Data flows in one direction: [`site`] → [`check`] → [`checked`] → [`component`] → [`deployment`] → [`package`] and [`image`] →
//! [`deploy`]. ARCHITECTURE.md says what each room is for, and `tests/edges.txt` which may know which.

pub mod brief;
pub mod check;
pub mod checked;
pub mod child;
pub mod cli;
pub mod command;
pub mod component;
pub mod definition;
pub mod deploy;
pub mod deployment;
pub mod error;
pub mod files;
pub mod hash;
pub mod image;
pub mod interrupt;
pub mod launch;
pub mod mounts;
pub mod package;
pub mod path;
pub mod plain;
pub mod printable;
pub mod reference;
pub mod scratch;
pub mod site;
pub mod synapse;
pub mod yaml;
