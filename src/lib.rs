//! synapse-site: one description of a Matrix site becomes reproducible container images and a compose manifest.
//!
//! Data flows through the modules in one direction: [`site`] → [`check`] → [`render`] → [`package`] and [`image`] → [`deploy`].
//! Each stage takes values and returns values; files, processes and the network are touched by [`cli`], the loader in [`site`],
//! [`package`] and the last step of [`image`] only.

pub mod check;
pub mod child;
pub mod cli;
pub mod deploy;
pub mod error;
pub mod files;
pub mod image;
pub mod interrupt;
pub mod launch;
pub mod mounts;
pub mod package;
pub mod printable;
pub mod reference;
pub mod render;
pub mod site;
pub mod synapse;
