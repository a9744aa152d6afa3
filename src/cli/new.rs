//! `new`: a starter site that builds as it is.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::site::text::check_format;

/// Write a starter site: small, commented, and complete enough to build.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  synapse-site new example.com                 example.com/site.yaml\n  synapse-site new example.com --format nix    example.com/site.nix"
)]
pub struct Arguments {
    /// The server name: the part of every Matrix ID after the colon. It can never be changed once the server has run.
    server_name: String,
    /// The directory to make; the server name when absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The language of the description.
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Yaml,
    Nix,
    Json,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let name = &arguments.server_name;
    check_format("server-name", name).map_err(Error::Usage)?;
    let dir = arguments.dir.clone().unwrap_or_else(|| PathBuf::from(name));
    let (file, text) = match arguments.format {
        Format::Yaml => ("site.yaml", include_str!("new/site.yaml")),
        Format::Nix => ("site.nix", include_str!("new/site.nix")),
        Format::Json => ("site.json", include_str!("new/site.json")),
    };
    let host = name.split(':').next().unwrap_or(name);
    let text = text.replace("matrix.example.com", &format!("matrix.{host}")).replace("example.com", name);
    if dir.exists() {
        return Err(Error::Usage(format!("{} is already there; nothing was written. Choose another directory with --dir", dir.display())));
    }
    let path = dir.join(file);
    super::render::write(&path, text.as_bytes())?;
    println!("{}", path.display());
    eprintln!("next: synapse-site build {} --out {}/out", path.display(), dir.display());
    Ok(())
}
