//! From packages and rendered files to OCI images in one archive: spec → plan → layer → oci → archive.

pub mod accounts;
pub mod archive;
pub mod build;
pub mod digest;
pub mod elf;
pub mod exclude;
pub mod gzip;
pub mod inspect;
pub mod layer;
pub mod layering;
pub mod members;
pub mod name;
pub mod nix;
pub mod oci;
pub mod outdir;
pub mod plan;
pub mod progress;
pub mod sbom;
pub mod section;
pub mod store;
pub mod tarball;
pub mod tree;
