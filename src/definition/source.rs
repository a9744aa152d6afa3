//! Where definitions and locks come from: a directory that the user names, or those that this program was built with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ImageSpec;
use super::lock::{DebianLock, PythonLock};
use crate::error::{Error, Result};
use crate::files;

/// Definitions and locks by image.
pub struct Definitions {
    /// What each image holds.
    pub specs: BTreeMap<String, ImageSpec>,
    /// Debian packages, by image.
    pub debian: BTreeMap<String, DebianLock>,
    /// Python wheels, by image.
    pub python: BTreeMap<String, PythonLock>,
}

/// The directory with definitions and locks; none means those built into this program.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a>(pub Option<&'a Path>);

/// A directory of files: their names and contents.
type BuiltIn = (&'static str, &'static [(&'static str, &'static [u8])]);

/// What build.rs found in the directory images/.
const BUILT_IN: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/images.rs"));

impl Source<'_> {
    /// Reads definitions and locks.
    pub fn load(&self) -> Result<Definitions> {
        let mut sources = Definitions { specs: self.specs()?, debian: BTreeMap::new(), python: BTreeMap::new() };
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
            let place = self.0.unwrap_or(Path::new("images"));
            return Err(Error::environment(format!("there is no */image.toml in {}", place.display()), "name the directory images/ of synapse-site"));
        }
        Ok(specs)
    }

    /// The version of a distribution in an image's lock; none where there is no lock, or not that distribution.
    ///
    /// # Errors
    /// An environment error for a lock that cannot be read.
    pub fn locked(&self, image: &str, distribution: &str) -> Result<Option<String>> {
        let Some((text, path)) = self.text(image, "python.lock")? else { return Ok(None) };
        Ok(PythonLock::parse(&text, &path)?.get(distribution).map(|wheel| wheel.version.clone()))
    }

    fn names(&self) -> Result<Vec<String>> {
        let Some(dir) = self.0 else { return Ok(BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect()) };
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
        let Some(dir) = self.0 else {
            let found = BUILT_IN.iter().find(|(name, _)| *name == image).and_then(|(_, files)| files.iter().find(|(name, _)| *name == file));
            let path = || Path::new("images").join(image).join(file);
            return Ok(found.map(|(_, bytes)| (String::from_utf8_lossy(bytes).into_owned(), path())));
        };
        let path = dir.join(image).join(file);
        match files::read_text(&path, files::LARGEST) {
            Ok(text) => Ok(Some((text, path))),
            Err(problem) if problem.is_missing() => Ok(None),
            Err(problem) => Err(problem.error("read", &path)),
        }
    }
}
