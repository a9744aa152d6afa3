//! How the slow steps of this stage tell what they are doing. The command line shows it; the core only calls.

use crate::image::layer::Layer;

/// Receives what happens. All methods do nothing unless they are written.
pub trait Progress: Sync {
    /// A layer is being made from so many packages.
    fn layer_started(&self, name: &str, packages: usize) {
        let _ = (name, packages);
    }
    /// A package's files go into the layer now.
    fn layer_package(&self, name: &str, label: &str) {
        let _ = (name, label);
    }
    /// The layer has grown to so many uncompressed bytes.
    fn layer_advanced(&self, name: &str, bytes: u64) {
        let _ = (name, bytes);
    }
    /// The layer is complete; `reused` when the cache had it.
    fn layer_finished(&self, layer: &Layer, reused: bool) {
        let _ = (layer, reused);
    }
    /// A layer in the cache is damaged and will be made again.
    fn layer_damaged(&self, layer: &Layer) {
        let _ = layer;
    }
    /// The archive will be so many bytes long.
    fn archive_started(&self, bytes: u64) {
        let _ = bytes;
    }
    /// So many bytes of the archive are written.
    fn archive_advanced(&self, bytes: u64) {
        let _ = bytes;
    }
    /// The archive is complete.
    fn archive_finished(&self) {}
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {}
