//! A description in Nix: an attribute set or a function of none, evaluated by `nix eval` without a store and without
//! flakes, so that it works with any Nix from 2.8 on, also where there is no daemon and no `/nix`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::check::{Finding, Findings, Severity};
use crate::error::{Error, Result};

/// Evaluates a file to a plain value.
///
/// # Errors
/// When Nix is not there, or when the evaluator refuses the file: its last `error:` block, which is the one for people.
pub fn evaluate(file: &Path) -> Result<Value> {
    let absolute = file.canonicalize().map_err(|error| Error::io("read", file, &error))?;
    // The path travels as an argument, not as program text: no character of it can change the expression.
    let expression = "path: let site = import (/. + path); in if builtins.isFunction site then site { } else site";
    let output = Command::new("nix")
        .args(["--extra-experimental-features", "nix-command", "eval", "--store", "dummy://", "--impure", "--json"])
        .args(["--expr", &format!("({expression}) {}", quoted(&absolute.to_string_lossy()))])
        .output()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::environment(
                format!("{} is written in Nix, and there is no program `nix` here", file.display()),
                "install Nix 2.8 or later (on Debian: apt-get install nix-bin), or give the description as YAML or JSON",
            ),
            _ => Error::environment(format!("cannot run nix: {error}"), "see whether `nix --version` works"),
        })?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Site(Findings::from(Finding {
            code: "S0008",
            severity: Severity::Error,
            option: file.display().to_string(),
            position: None,
            message: format!("Nix cannot evaluate this file:\n{}", last_error(&message)),
            remedy: hint(&message),
        })));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        Error::environment(format!("nix printed something that is not JSON: {error}"), "run `nix eval --json -f` on the file and look at what it prints")
    })
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
    message[start..].trim_end().lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn hint(message: &str) -> Option<String> {
    if message.contains("called without required argument") {
        return Some("a function must do without arguments here: give every argument a default, or write a plain attribute set".to_owned());
    }
    if message.contains("experimental") {
        return Some("Nix 2.8 or later is needed".to_owned());
    }
    None
}
