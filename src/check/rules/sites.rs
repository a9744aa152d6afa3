//! For each code two small sites, kept under `tests/rules/CODE/`: `bad.yaml` has exactly that finding, `good.yaml` is the nearest site
//! with none. The tests run both, and `check --explain` shows them; the files that they name lie beside them.

use std::path::Path;

use super::apply;
use crate::check::Findings;
use crate::error::{Error, Result};
use crate::site::load;
use crate::site::nix::Evaluator;
use crate::synapse::Running;

/// A file's path and its content.
type File = (&'static str, &'static [u8]);

/// A code, and the files of its directory.
static SITES: &[(&str, &[File])] = include!(concat!(env!("OUT_DIR"), "/sites.rs"));

/// The two sites of a code.
#[derive(Debug, Clone, Copy)]
pub struct Sites {
    files: &'static [File],
}

/// What the first line of a site begins with that is checked for another Synapse than the locked one: `# Checked for Synapse 1.155.0`.
const CHECKED_FOR: &str = "# Checked for Synapse ";

/// The Synapse that a site is checked for.
fn running(text: &str) -> Running {
    text.lines().next().and_then(|line| line.strip_prefix(CHECKED_FOR)).and_then(Running::of).unwrap_or_default()
}

/// The sites of a code, if it has some.
pub fn of(code: &str) -> Option<Sites> {
    SITES.iter().find(|(name, _)| *name == code).map(|(_, files)| Sites { files })
}

impl Sites {
    /// The site with the finding: its file's name and its text.
    pub fn bad(&self) -> Option<(&'static str, &'static str)> {
        self.text("bad")
    }

    /// The site without.
    pub fn good(&self) -> Option<(&'static str, &'static str)> {
        self.text("good")
    }

    /// The files beside the descriptions, and those themselves, by their paths.
    pub fn files(&self) -> &'static [(&'static str, &'static [u8])] {
        self.files
    }

    fn text(&self, stem: &str) -> Option<(&'static str, &'static str)> {
        let (name, content) = self.files.iter().find(|(name, _)| Path::new(name).file_stem().is_some_and(|found| found == stem))?;
        Some((name, std::str::from_utf8(content).ok()?))
    }

    /// What `check` says about the site with the finding. It reads files, so they are written to a temporary directory.
    ///
    /// # Errors
    /// When there is no room for them.
    pub fn findings(&self) -> Result<Findings> {
        let Some((name, text)) = self.bad() else { return Ok(Findings::default()) };
        let dir = tempfile::tempdir().map_err(|error| Error::io("write to", &std::env::temp_dir(), &error))?;
        for (path, content) in self.files {
            let file = dir.path().join(path);
            let parent = file.parent().unwrap_or(dir.path());
            std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&file, content)).map_err(|error| Error::io("write", &file, &error))?;
        }
        let found = match load::load_for(&dir.path().join(name), &Evaluator::default(), running(text)) {
            Ok(loaded) => apply(&loaded),
            Err(Error::Site(findings)) => findings,
            Err(other) => return Err(other),
        };
        Ok(found.within(dir.path()))
    }
}
