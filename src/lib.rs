//! synapse-site: one description of a Matrix site becomes reproducible container images and a compose manifest.
//!
//! Data flows through the modules in one direction: [`site`] → [`checked`] → [`component`] → [`deployment`] → [`package`] and [`image`] → [`deploy`].
//! Each stage takes values and returns values; files, processes and the network are touched by [`cli`], the loader in [`site`],
//! [`package`] and the last step of [`image`] only.

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
