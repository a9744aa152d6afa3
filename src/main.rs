//! `synapse-site`: parse arguments, call a verb, print errors; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    synapse_site::cli::main()
}
