//! Where the definitions of images and their locks come from: a directory that the user names, or those that this program was
//! built with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;
use crate::image::spec::ImageSpec;
use crate::package::lock::{DebianLock, PythonLock};
use crate::synapse::Running;

/// Definitions and locks by image.
pub struct Sources {
    /// What each image holds.
    pub specs: BTreeMap<String, ImageSpec>,
    /// Debian packages, by image.
    pub debian: BTreeMap<String, DebianLock>,
    /// Python wheels, by image.
    pub python: BTreeMap<String, PythonLock>,
}

/// Options of every verb that needs them.
#[derive(Debug, Clone, clap::Args)]
pub struct From {
    /// The directory with image definitions and locks; absent means those built into this program.
    #[arg(long, value_name = "DIR", env = "SYNAPSE_SITE_IMAGES")]
    pub images: Option<PathBuf>,
}

macro_rules! built_in {
    ($($name:literal: $($file:literal),*;)*) => {
        &[$(($name, &[$(($file, include_str!(concat!("../../images/", $name, "/", $file)))),*])),*]
    };
}

/// A directory of files: their names and texts.
type BuiltIn = (&'static str, &'static [(&'static str, &'static str)]);

const BUILT_IN: &[BuiltIn] = built_in! {
    "base": "image.toml", "debian.lock";
    "synapse": "image.toml", "debian.lock", "python.lock";
    "postgres": "image.toml", "debian.lock";
    "redis": "image.toml", "debian.lock";
    "coturn": "image.toml", "debian.lock";
    "gateway": "image.toml", "debian.lock";
};

impl From {
    /// Reads definitions and locks.
    pub fn load(&self) -> Result<Sources> {
        let mut sources = Sources { specs: self.specs()?, debian: BTreeMap::new(), python: BTreeMap::new() };
        for name in sources.specs.keys().cloned().collect::<Vec<_>>() {
            if let Some((text, path)) = self.text(&name, "debian.lock")? {
                sources.debian.insert(name.clone(), DebianLock::parse(&text, &path)?);
            }
            if let Some((text, path)) = self.text(&name, "python.lock")? {
                sources.python.insert(name.clone(), PythonLock::parse(&text, &path)?);
            }
        }
        Ok(sources)
    }

    /// Reads the definitions only, for the verb that makes locks.
    pub fn specs(&self) -> Result<BTreeMap<String, ImageSpec>> {
        let mut specs = BTreeMap::new();
        for name in self.names()? {
            if let Some((text, path)) = self.text(&name, "image.toml")? {
                let spec =
                    toml::from_str(&text).map_err(|error| Error::environment(format!("{} cannot be read: {error}", path.display()), "correct the file"))?;
                specs.insert(name, spec);
            }
        }
        if specs.is_empty() {
            let place = self.images.clone().unwrap_or_default();
            return Err(Error::environment(format!("there is no */image.toml in {}", place.display()), "name the directory images/ of synapse-site"));
        }
        Ok(specs)
    }

    /// The Synapse of the lock; the one that this program knows best where the definitions have no lock.
    ///
    /// # Errors
    /// An environment error for a lock that cannot be read.
    pub fn running(&self) -> Result<Running> {
        // A test compares the lock that is built in with the tables.
        if self.images.is_none() {
            return Ok(Running::default());
        }
        let Some((text, path)) = self.text("synapse", "python.lock")? else { return Ok(Running::default()) };
        let lock = PythonLock::parse(&text, &path)?;
        Ok(lock.get("matrix-synapse").and_then(|wheel| Running::of(&wheel.version)).unwrap_or_default())
    }

    fn names(&self) -> Result<Vec<String>> {
        let Some(dir) = &self.images else { return Ok(BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect()) };
        let entries = std::fs::read_dir(dir).map_err(|error| Error::io("read", dir, &error))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Error::io("read", dir, &error))?;
            if entry.path().join("image.toml").symlink_metadata().is_ok() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    fn text(&self, image: &str, file: &str) -> Result<Option<(String, PathBuf)>> {
        let Some(dir) = &self.images else {
            let found = BUILT_IN.iter().find(|(name, _)| *name == image).and_then(|(_, files)| files.iter().find(|(name, _)| *name == file));
            return Ok(found.map(|(_, text)| ((*text).to_owned(), Path::new("images").join(image).join(file))));
        };
        let path = dir.join(image).join(file);
        match files::read_text(&path, files::LARGEST) {
            Ok(text) => Ok(Some((text, path))),
            Err(problem) if problem.is_missing() => Ok(None),
            Err(problem) => Err(problem.error("read", &path)),
        }
    }
}
