//! How verbs are told where a description is, how one in Nix is evaluated, and which Synapse its images will hold.

use std::path::{Path, PathBuf};

use super::sources::From as Images;
use crate::error::{Error, Result};
use crate::site::load::{self, Loaded};
use crate::site::nix::{Evaluator, MEMORY};
use crate::site::text::Size;
use crate::synapse::{Release, Running};

/// Options about descriptions in Nix.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Nix {
    /// The directory with the Nix modules; absent means those built into this program.
    #[arg(long, value_name = "DIR", env = "SYNAPSE_SITE_MODULES")]
    modules: Option<PathBuf>,
    /// A directory of nixpkgs whose lib evaluates a site that is a module; absent means the pinned one.
    #[arg(long, value_name = "DIR", env = "SYNAPSE_SITE_NIXPKGS_LIB", hide = true)]
    nixpkgs_lib: Option<PathBuf>,
    /// Show all that Nix says about a mistake.
    #[arg(long)]
    show_trace: bool,
    /// The most memory that an evaluation may take, such as 8G; absent means 4G.
    #[arg(long, value_name = "SIZE", env = "SYNAPSE_SITE_NIX_MEMORY", value_parser = size)]
    nix_memory: Option<Size>,
}

/// What Nix needs for the smallest site, with some room.
const LEAST_MEMORY: u64 = 64 << 20;

fn size(text: &str) -> std::result::Result<Size, String> {
    let size = Size::new(text).map_err(|why| format!("{why}; write bytes, or a whole number with K, M, G or T, such as 8G"))?;
    if size.bytes() < LEAST_MEMORY { Err(format!("Nix does not start with so little; write {} MiB or more, such as 8G", LEAST_MEMORY >> 20)) } else { Ok(size) }
}

/// Which Synapse a site is judged for, where nothing is built.
#[derive(Debug, Clone, clap::Args)]
pub struct Synapse {
    #[command(flatten)]
    images: Images,
    /// The version of Synapse that the images will hold; absent means the one in the lock of the definitions.
    #[arg(long, value_name = "VERSION")]
    synapse_version: Option<String>,
}

impl Synapse {
    /// That Synapse.
    ///
    /// # Errors
    /// A usage error for a text that is no version; an environment error for a lock that cannot be read.
    pub fn running(&self) -> Result<Running> {
        let Some(version) = &self.synapse_version else { return self.images.running() };
        Running::of(version).ok_or_else(|| {
            Error::Usage(format!(
                "--synapse-version {version:?} is no version of Synapse; write numbers with dots, as in --synapse-version {}",
                Release::newest()
            ))
        })
    }
}

/// A description that is asked for.
pub struct Asked<'a> {
    /// Its file or directory.
    pub site: &'a Path,
    /// How Nix is asked.
    pub evaluator: Evaluator,
    /// The Synapse that it is judged for.
    pub synapse: Running,
}

impl Asked<'_> {
    /// The same, judged for that Synapse.
    pub fn on(self, synapse: Running) -> Self {
        Self { synapse, ..self }
    }

    /// Loads it, as far as the types of its options go.
    pub fn load(&self) -> Result<Loaded> {
        load::load_for(self.site, &self.evaluator, self.synapse.clone())
    }
}

impl<'a> From<&'a Path> for Asked<'a> {
    fn from(site: &'a Path) -> Self {
        Self { site, evaluator: Evaluator::default(), synapse: Running::default() }
    }
}

impl<'a> From<&'a PathBuf> for Asked<'a> {
    fn from(site: &'a PathBuf) -> Self {
        Self::from(site.as_path())
    }
}

impl<'a> From<(&'a Path, &Nix)> for Asked<'a> {
    fn from((site, nix): (&'a Path, &Nix)) -> Self {
        let Nix { modules, nixpkgs_lib, show_trace, nix_memory } = nix.clone();
        let memory = nix_memory.map_or(MEMORY, |size| size.bytes());
        Self { site, evaluator: Evaluator { modules, nixpkgs_lib, show_trace, memory }, synapse: Running::default() }
    }
}
