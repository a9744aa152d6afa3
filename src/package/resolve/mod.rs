//! From names to locked packages: what `synapse-site lock` does. Debian packages are chosen by apt, wheels by pip, both
//! with the machine's own settings for mirrors and proxies; what they answer is verified by them (signatures) and by us
//! (hashes, names, markers).

pub mod apt;
pub mod markers;
pub mod mirrors;
pub mod pip;
