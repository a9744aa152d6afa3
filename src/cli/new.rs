//! `new`: a starter site that builds as it is.

use std::path::PathBuf;

use super::print;
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
    if dir.symlink_metadata().is_ok() {
        return Err(Error::Usage(format!("{} is already there; nothing was written. Choose another directory with --dir", dir.display())));
    }
    let path = dir.join(file);
    let orderly = crate::interrupt::orderly()?;
    super::render::write(&path, filled_in(text, name).as_bytes())?;
    drop(orderly);
    print::answer(&path.display().to_string())?;
    print::print_status(&format!("next: synapse-site build {} --out {}/out", path.display(), dir.display()));
    Ok(())
}

/// The starter with a server's name in place of the example's, in one pass: a name may contain the example's.
fn filled_in(starter: &str, server_name: &str) -> String {
    const EXAMPLE: &str = "example.com";
    let end = match server_name.strip_prefix('[') {
        Some(rest) => rest.find(']').map_or(server_name.len(), |at| at + 2),
        None => server_name.find(':').unwrap_or(server_name.len()),
    };
    let host = &server_name[..end];
    // An address has no hosts below it; there, clients find the server at the address itself.
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    // To an address, and to a name with a port, other servers go straight (8448 where none is said), so that is where the server is.
    let has_port = host.len() < server_name.len();
    let straight = if has_port { server_name.to_owned() } else { format!("{host}:8448") };
    let mut text = String::with_capacity(starter.len());
    let mut rest = starter;
    while let Some(at) = rest.find(EXAMPLE) {
        let (before, after) = (&rest[..at], &rest[at + EXAMPLE.len()..]);
        let label = before.len() - before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '.').len();
        if label == 0 {
            text.push_str(before);
            text.push_str(server_name);
        } else if (is_address || has_port) && before.ends_with("//matrix.") {
            text.push_str(&before[..before.len() - label]);
            text.push_str(&straight);
        } else if is_address {
            text.push_str(&before[..before.len() - label]);
            text.push_str(host);
        } else {
            text.push_str(before);
            text.push_str(host);
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::filled_in;

    #[test]
    fn any_server_name_fits() {
        let fill = |name: &str| filled_in("n: \"example.com\"\nu: https://matrix.example.com/\n", name);
        assert_eq!(fill("chat.example.com"), "n: \"chat.example.com\"\nu: https://matrix.chat.example.com/\n");
        assert_eq!(fill("matrix.example.com:8448"), "n: \"matrix.example.com:8448\"\nu: https://matrix.example.com:8448/\n");
        assert_eq!(fill("192.0.2.1:8448"), "n: \"192.0.2.1:8448\"\nu: https://192.0.2.1:8448/\n");
        assert_eq!(fill("[2001:db8::1]"), "n: \"[2001:db8::1]\"\nu: https://[2001:db8::1]:8448/\n");
    }
}
