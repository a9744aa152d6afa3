//! A description in Nix: an attribute set or a function of none, evaluated by `nix eval` without a store and without
//! flakes, so that it works with any Nix from 2.8 on, also where there is no daemon and no `/nix`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::check::{Finding, Findings, Severity};
use crate::error::{Error, Result};
use crate::package::command;

/// Evaluates a file to a plain value.
///
/// # Errors
/// When Nix is not there, or when the evaluator refuses the file: its last `error:` block, which is the one for people.
pub fn evaluate(file: &Path) -> Result<Value> {
    let absolute = file.canonicalize().map_err(|error| Error::io("read", file, &error))?;
    // The path travels as an argument, not as program text: no character of it can change the expression.
    let expression = "path: let site = import (/. + path); in if builtins.isFunction site then site { } else site";
    let Some(path) = absolute.to_str() else {
        return Err(Error::environment(format!("{} is no path that Nix can read: it is not UTF-8", absolute.display()), "rename the file or its directory"));
    };
    let mut command = Command::new("nix");
    command
        .args(["--extra-experimental-features", "nix-command", "eval", "--store", "dummy://", "--impure", "--json"])
        .args(["--expr", &format!("({expression}) {}", quoted(path))]);
    let missing =
        format!("{} is written in Nix: install Nix 2.8 or later (on Debian: apt-get install nix-bin), or give the description as YAML or JSON", file.display());
    let output = command::run(&mut command, &missing, &mut || {})?;
    if !output.status.success() {
        let message = &output.stderr;
        return Err(wrong(file, format!("Nix cannot evaluate this file:\n{}", last_error(message)), hint(message)));
    }
    serde_json::from_str(&output.stdout).map_err(|error| {
        // Nix prints JSON; what this program does not take of it is too deep, or a number beyond 64 bits.
        wrong(file, format!("evaluates to a value that is no description: {error}"), Some("look at it with `nix eval --json -f`".to_owned()))
    })
}

fn wrong(file: &Path, message: String, remedy: Option<String>) -> Error {
    Error::Site(Findings::from(Finding { code: "S0008", severity: Severity::Error, option: file.display().to_string(), position: None, message, remedy }))
}

/// A string literal of the Nix language.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' | '$' => vec!['\\', c],
            _ => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

/// The evaluator prints traces first and the mistake last.
fn last_error(message: &str) -> String {
    let start = message.rfind("error:").unwrap_or(0);
    message[start..].trim_end().lines().map(|line| format!("    {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn hint(message: &str) -> Option<String> {
    if message.contains("called without required argument") {
        return Some("a function must do without arguments here: give every argument a default, or write a plain attribute set".to_owned());
    }
    if message.contains("addToStore") {
        return Some("a description names files as text, relative to itself: write \"./file\", not ./file".to_owned());
    }
    if message.contains("cannot convert a function to JSON") {
        return Some("some option holds a function instead of a value".to_owned());
    }
    if message.contains("experimental") {
        return Some("Nix 2.8 or later is needed".to_owned());
    }
    None
}
