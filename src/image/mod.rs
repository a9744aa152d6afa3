//! From packages and rendered files to OCI images in one archive: spec → plan → layer → oci → archive.

pub mod spec;
