//! How verbs are told where a description is, and how one in Nix is evaluated.

use std::path::{Path, PathBuf};

use crate::site::nix::Evaluator;

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
}

/// A description that is asked for.
pub struct Asked<'a> {
    /// Its file or directory.
    pub site: &'a Path,
    /// How Nix is asked.
    pub evaluator: Evaluator,
}

impl<'a> From<&'a Path> for Asked<'a> {
    fn from(site: &'a Path) -> Self {
        Self { site, evaluator: Evaluator::default() }
    }
}

impl<'a> From<&'a PathBuf> for Asked<'a> {
    fn from(site: &'a PathBuf) -> Self {
        Self::from(site.as_path())
    }
}

impl<'a> From<(&'a Path, &Nix)> for Asked<'a> {
    fn from((site, nix): (&'a Path, &Nix)) -> Self {
        let Nix { modules, nixpkgs_lib, show_trace } = nix.clone();
        Self { site, evaluator: Evaluator { modules, nixpkgs_lib, show_trace } }
    }
}
