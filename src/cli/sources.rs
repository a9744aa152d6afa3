//! The options that say where definitions and locks come from.

use std::path::PathBuf;

use crate::definition::Source;
use crate::error::Result;
use crate::synapse::Running;

/// Options of every verb that needs definitions.
#[derive(Debug, Clone, clap::Args)]
pub struct From {
    /// The directory with image definitions and locks; absent means those built into this program.
    #[arg(long, value_name = "DIR", env = "SYNAPSE_SITE_IMAGES")]
    pub images: Option<PathBuf>,
}

impl From {
    /// Where that is.
    pub fn source(&self) -> Source<'_> {
        Source(self.images.as_deref())
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
        Ok(self.source().locked("synapse", "matrix-synapse")?.and_then(|version| Running::of(&version)).unwrap_or_default())
    }
}
