//! What a target needs beside the images: its secrets, made where they are used.

pub mod secrets;
