//! How fetching and resolving tell what they are doing. The command line shows it; this stage only calls.

/// Receives what happens. All methods do nothing unless they are written.
pub trait Progress: Sync {
    /// A step begins that has no measure: `asking apt for 80 packages`.
    fn step(&self, what: &str) {
        let _ = what;
    }
    /// So many files will be fetched, so many bytes as far as is known.
    fn fetch_started(&self, files: usize, bytes: u64) {
        let _ = (files, bytes);
    }
    /// So many bytes are here by now, of all that [`Progress::fetch_started`] told.
    fn fetch_advanced(&self, bytes: u64) {
        let _ = bytes;
    }
    /// All files are here and have their hashes.
    fn fetch_finished(&self) {}
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {}
