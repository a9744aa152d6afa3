//! The image stage from plans to an archive, with the real programs that read such archives: GNU tar, gzip, Docker.

mod archive;
mod bounds;
mod cache;
mod content;
mod determinism;
mod docker;
mod layers;
mod site;
mod tampered;
