//! `render`: the configuration files that a build would put into images, for reading and for diffs.

use std::collections::BTreeSet;
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
    /// Where to write. What an earlier run wrote there is replaced as a whole. Your own files stay, also those in directories that a
    /// run writes. A file of the run that you changed is not replaced: the next run says which and ends.
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
        let mut files: BTreeSet<PathBuf> = outputs(&deployment).map(|(path, _)| path).collect();
        files.insert(outdir::MARKER.into());
        let tops: BTreeSet<String> = files.iter().filter_map(|path| Some(path.iter().next()?.to_string_lossy().into_owned())).collect();
        OutDir::create(&arguments.out, &tops.iter().map(String::as_str).collect::<Vec<_>>(), files)?
    };
    write_all(&deployment, out.path())?;
    // The mark of a directory of ours, which a later run may replace.
    outdir::mark(out.path(), serde_json::json!({ "server_name": loaded.site.server.server_name, "kind": "render" }))?;
    out.commit()?;
    drop(orderly);
    super::print::print_status(&format!("wrote the configuration of {} to {}", loaded.site.server.server_name, arguments.out.display()));
    Ok(())
}

/// Writes what was rendered: a directory for each image, and `well-known`.
pub(super) fn write_all(deployment: &Deployment, directory: &Path) -> Result<()> {
    outputs(deployment).try_for_each(|(path, content)| write(&directory.join(path), content))
}

/// Every file, by its path below the directory.
fn outputs(deployment: &Deployment) -> impl Iterator<Item = (PathBuf, &[u8])> {
    let images = deployment
        .images
        .iter()
        .flat_map(|(image, files)| files.iter().map(move |(path, content)| (Path::new(image).join(path.trim_start_matches('/')), content.as_slice())));
    let documents = deployment.well_known.iter().map(|(name, content)| (Path::new("well-known").join(name), content.as_slice()));
    images.chain(documents)
}

/// Writes a file and the directories above it.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Error::io("make", parent, &error))?;
    }
    std::fs::write(path, content).map_err(|error| Error::io("write", path, &error))
}
