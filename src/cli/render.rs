//! `render`: the configuration files that a build would put into images, for reading and for diffs.

use std::path::{Path, PathBuf};

use crate::deploy::Target as _;
use crate::deployment::Deployment;
use crate::error::{Error, Result};
use crate::image::outdir::{self, OutDir};

/// Write every configuration file that a description leads to, without building images.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  synapse-site render site.yaml --out rendered && less rendered/gateway/etc/nginx/nginx.conf\n  synapse-site render site.yaml --out new && diff -r rendered new     after a change"
)]
pub struct Arguments {
    /// The description: a .nix, .yaml or .json file, or a directory that holds one site.* file.
    site: PathBuf,
    #[command(flatten)]
    nix: super::description::Nix,
    #[command(flatten)]
    synapse: super::description::Synapse,
    /// Where to write. What an earlier run wrote there is replaced as a whole, its directories with all that is in them; your own
    /// files beside these stay.
    #[arg(long)]
    out: PathBuf,
    /// Render what the rules forbid, too: how the tests find out what Synapse would have made of it.
    #[arg(long, hide = true)]
    in_spite_of_errors: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let loaded = super::description::Asked::from((&*arguments.site, &arguments.nix)).on(arguments.synapse.running()?).load()?;
    let deployment = if arguments.in_spite_of_errors {
        crate::component::resolve(&crate::check::unchecked(&loaded), super::TARGET.facts())?
    } else {
        super::deployment(&loaded)?
    };
    let orderly = crate::interrupt::orderly()?;
    outdir::check_kind(&arguments.out, "render")?;
    let out = {
        let mut outputs: Vec<&str> = deployment.images.keys().map(String::as_str).collect();
        outputs.extend(["well-known", "site.json"]);
        OutDir::create(&arguments.out, &outputs)?
    };
    write_all(&deployment, out.path())?;
    // The mark of a directory of ours, which a later run may replace.
    let mark = serde_json::json!({ "server_name": loaded.site.server.server_name, "kind": "render" });
    write(&out.path().join("site.json"), format!("{mark:#}\n").as_bytes())?;
    out.commit()?;
    drop(orderly);
    super::print::tell(&format!("wrote the configuration of {} to {}", loaded.site.server.server_name, arguments.out.display()));
    Ok(())
}

/// Writes what was rendered: a directory for each image, and `well-known`.
pub(super) fn write_all(deployment: &Deployment, directory: &Path) -> Result<()> {
    for (image, files) in &deployment.images {
        for (path, content) in files {
            write(&directory.join(image).join(path.trim_start_matches('/')), content)?;
        }
    }
    for (name, content) in &deployment.well_known {
        write(&directory.join("well-known").join(name), content)?;
    }
    Ok(())
}

/// Writes a file and the directories above it.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Error::io("make", parent, &error))?;
    }
    std::fs::write(path, content).map_err(|error| Error::io("write", path, &error))
}
