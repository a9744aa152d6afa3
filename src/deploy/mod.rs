//! What a target needs beside the images: the manifest, the list of secrets, and the making of them.

pub mod compose;
pub mod secrets;
