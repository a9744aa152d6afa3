//! `schema`: everything that a description can say, for programs and for people.

use crate::error::{Error, Result};
use crate::reference;

/// Say what a description can hold: one option for people, or all of it as JSON Schema (draft 2020-12).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  synapse-site schema --format markdown email.smtp_port     what there is to know of one option
  synapse-site schema --format markdown email | less        a section
  synapse-site schema > schema.json     for editors; in the first line of site.yaml:
  # yaml-language-server: $schema=schema.json")]
pub struct Arguments {
    /// One option or section, such as `email` or `email.smtp_port`; with the format markdown.
    option: Option<String>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// JSON Schema, for editors and programs.
    Json,
    /// The option reference, for people: docs/options.md.
    Markdown,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    match (arguments.format, arguments.option.as_deref()) {
        (Format::Json, None) => super::print::answer(&text()),
        (Format::Json, Some(option)) => {
            Err(Error::Usage(format!("the JSON Schema is printed as a whole; for one option: synapse-site schema --format markdown {option}")))
        }
        (Format::Markdown, option) => super::print::answer(&reference::markdown(option)?),
    }
}

/// The schema as it is printed, and as it is kept in `modules/schema.json`.
pub fn text() -> String {
    serde_json::to_string_pretty(&crate::site::schema::schema()).unwrap_or_default()
}
