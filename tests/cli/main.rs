//! The program as people use and misuse it: whole runs, their exit codes, their words, and what they leave behind.

mod accepted;
mod answers;
mod children;
mod damaged;
mod description;
mod generated;
mod outputs;
mod processes;
mod same_bytes;
mod sites;
mod stopped;
mod support;
mod yaml;
