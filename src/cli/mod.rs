//! The verbs. Each file takes its arguments, calls the stages and prints what they give; what they know is in the stages.

mod build;
mod check;
mod description;
mod explain;
mod facts;
mod inspect;
mod lock;
mod new;
mod nix_builder;
mod packages;
mod print;
mod progress;
mod render;
mod schema;
mod secrets;
mod sources;

use std::borrow::Cow;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::check::{Findings, validate};
use crate::checked::CheckedSite;
use crate::component;
use crate::deploy::Target as _;
use crate::deploy::compose::Compose;
use crate::deployment::Deployment;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::printable::printable_lines;
use crate::site::load::Loaded;

/// One description of a Matrix site in; reproducible container images and a compose manifest out.
#[derive(Debug, Parser)]
#[command(name = "synapse-site", version, max_term_width = 110, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  synapse-site new example.com                            write a starter site
  synapse-site check example.com/site.yaml                say everything that is wrong with it
  synapse-site schema --format markdown gateway           what can be said there
  synapse-site build example.com/site.yaml --out out      images, manifest, well-known documents
  synapse-site secrets init out                           make the secrets, on the target
Each verb has a --help of its own, with examples.
Exit codes: 0 done, 1 the site is wrong, 2 usage, 3 the environment failed (network, disk, a missing program), 4 secrets are still to bring, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Verb {
    New(new::Arguments),
    Check(check::Arguments),
    Render(render::Arguments),
    Build(build::Arguments),
    Lock(lock::Arguments),
    Secrets(secrets::Arguments),
    Schema(schema::Arguments),
    Inspect(inspect::Arguments),
    Facts(facts::Arguments),
    #[command(hide = true)]
    NixBuilder(nix_builder::Arguments),
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    match interrupt::install().and_then(|()| run(std::env::args_os())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::print_status(&error.to_string());
            if let Error::Site(findings) = &error {
                let errors = findings.list.iter().filter(|finding| finding.severity == crate::check::Severity::Error).count();
                print::print_status(&format!("\n{errors} {} in the description; nothing was written", if errors == 1 { "error" } else { "errors" }));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(told) => return answer_of_parser(&told),
    };
    match arguments.verb {
        Verb::New(arguments) => new::run(&arguments),
        Verb::Check(arguments) => check::run(&arguments),
        Verb::Render(arguments) => render::run(&arguments),
        Verb::Build(arguments) => build::run(&arguments),
        Verb::Lock(arguments) => lock::run(&arguments),
        Verb::Secrets(arguments) => secrets::run(&arguments),
        Verb::Schema(arguments) => schema::run(&arguments),
        Verb::Inspect(arguments) => inspect::run(&arguments),
        Verb::Facts(arguments) => facts::run(&arguments),
        Verb::NixBuilder(arguments) => nix_builder::run(&arguments),
    }
}

/// Prints what clap says of the arguments: a mistake, or the help that was asked for, both of which repeat arguments and the
/// environment. Only what is safe as it is keeps its colours.
fn answer_of_parser(told: &clap::Error) -> Result<()> {
    let text = told.render().to_string();
    if matches!(printable_lines(&text), Cow::Borrowed(_)) {
        // Ends with 0 or 2, as the architecture wants.
        told.exit();
    }
    if told.use_stderr() { Err(Error::Usage(text.trim_start_matches("error: ").trim_end().to_owned())) } else { print::answer(&text) }
}

/// Applies the rules to a description; warnings go to standard error unless they are asked for as data.
fn checked(loaded: &Loaded, quiet: bool) -> Result<(CheckedSite<'_>, Findings)> {
    let (checked, findings) = validate(loaded)?;
    if !quiet && !findings.list.is_empty() {
        print::print_status(&findings.to_string());
    }
    Ok((checked, findings))
}

/// What runs a description, which is checked first; its warnings are shown.
fn deployment(loaded: &Loaded) -> Result<Deployment> {
    component::resolve(&checked(loaded, false)?.0, TARGET.facts())
}

/// The target that outputs are for.
const TARGET: Compose = Compose;
