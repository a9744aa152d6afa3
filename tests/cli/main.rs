//! The program as people use and misuse it: whole runs, their exit codes, their words, and what they leave behind.

#[path = "../common/mod.rs"]
mod common;

mod accepted;
mod answers;
mod cache_damage;
mod cache_paths;
mod children;
mod damaged;
mod description;
mod dice;
mod echo;
mod echo_everywhere;
mod endless_nix;
mod first_signal;
mod generated;
mod killed;
mod large;
mod lengthy;
mod numbers;
mod odd_files;
mod outputs;
mod power;
mod processes;
mod same_bytes;
mod sites;
mod small;
mod stopped;
mod support;
mod whole;
mod yaml;
