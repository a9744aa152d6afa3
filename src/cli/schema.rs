//! `schema`: the JSON Schema of a description.

use crate::error::Result;

/// Print the JSON Schema of a description (draft 2020-12).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  synapse-site schema > schema.json     and in site.yaml, for editors:\n  # yaml-language-server: $schema=schema.json")]
pub struct Arguments {}

pub fn run(_: &Arguments) -> Result<()> {
    super::print::answer(&text())
}

/// The schema as it is printed, and as it is kept in `modules/schema.json`.
pub fn text() -> String {
    serde_json::to_string_pretty(&crate::site::schema::schema()).unwrap_or_default()
}
