//! The image stage from plans to an archive, with the real programs that read such archives: GNU tar, gzip, Docker.

mod archive;
mod bounds;
mod cache;
mod content;
mod determinism;
#[path = "../cli/dice.rs"]
mod dice;
mod docker;
mod layers;
#[path = "../package/raw_tar.rs"]
mod raw_tar;
mod site;
mod tampered;
