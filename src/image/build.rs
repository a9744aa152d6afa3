//! The verb of this stage: plans become layers, layers become images, images become one archive. Layers that plans share are made
//! once; layers that the cache holds are not made at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::image::archive::{Written, attempt};
use crate::image::digest::Digest;
use crate::image::layer::Layer;
use crate::image::oci::Image;
use crate::image::plan::ImagePlan;
use crate::image::progress::Progress;
use crate::image::store::LayerStore;
use crate::interrupt;

/// More threads than this only cost memory: the packages are read by one.
const MAX_THREADS: usize = 16;

/// Makes the images, in the order of the plans, with layers from the store or made now by `threads` compressing threads.
/// The result does not depend on their number.
///
/// # Errors
/// An environment failure when a layer or image cannot be made; [`Error::Interrupted`].
pub fn build_images(plans: &[ImagePlan], store: &LayerStore, threads: usize, progress: &dyn Progress) -> Result<Vec<Image>> {
    let threads = threads.clamp(1, MAX_THREADS);
    // Plans of equal content may have different names, which histories show: only the same plan is the same layer.
    let mut layers: BTreeMap<(Digest, String), Arc<Layer>> = BTreeMap::new();
    let mut keys = BTreeMap::new();
    let mut images = Vec::with_capacity(plans.len());
    for plan in plans {
        let mut stack = Vec::with_capacity(plan.layers.len());
        for layer in &plan.layers {
            interrupt::check()?;
            let key = match keys.entry(Arc::as_ptr(layer)) {
                std::collections::btree_map::Entry::Occupied(key) => *key.get(),
                std::collections::btree_map::Entry::Vacant(place) => *place.insert(layer.key()?),
            };
            let place = (key, layer.name.clone());
            let layer = match layers.get(&place) {
                Some(layer) => Arc::clone(layer),
                None => {
                    let made = Arc::new(layer.build(store, threads, progress)?);
                    layers.insert(place, Arc::clone(&made));
                    made
                }
            };
            stack.push(layer);
        }
        images.push(Image::new(&plan.repository, &plan.server_name, &plan.name, &plan.settings, stack)?);
    }
    Ok(images)
}

/// Makes the images and writes their archive to `path`, which must not exist. A layer that turns out to be damaged in the store
/// is made again. Gives the images and the archive's length in bytes.
///
/// # Errors
/// As [`build_images`]; an environment failure when the archive cannot be written or the store damages what it is given.
pub fn build_archive(plans: &[ImagePlan], store: &LayerStore, threads: usize, progress: &dyn Progress, path: &Path) -> Result<(Vec<Image>, u64)> {
    for _ in 0..2 {
        let images = build_images(plans, store, threads, progress)?;
        match attempt(&images, path, progress)? {
            Written::Whole(bytes) => return Ok((images, bytes)),
            Written::Damaged(layers) => {
                for layer in layers {
                    progress.layer_damaged(&layer);
                    store.remove(&layer.key)?;
                }
            }
        }
    }
    Err(Error::environment("layers are damaged in the cache as soon as they are written", "check the disk, or choose another place for the cache"))
}
