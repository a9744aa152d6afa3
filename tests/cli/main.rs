//! The program as people use and misuse it: whole runs, their exit codes, their words, and what they leave behind.

mod accepted;
mod answers;
mod damaged;
mod description;
mod echo;
mod generated;
mod outputs;
mod same_bytes;
mod sites;
mod stopped;
mod support;
mod yaml;
