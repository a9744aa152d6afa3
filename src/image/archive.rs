//! All images in one tar archive that every engine loads: an OCI layout and Docker's `manifest.json` side by side. Layers that
//! images share are in it once. Written in one pass from the cached blobs, each of which is verified while it is copied.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use oci_spec::image::OciLayoutBuilder;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::files;
use crate::image::digest::{Digest, Summing};
use crate::image::layer::Layer;
use crate::image::oci::{Image, canonical, index};
use crate::image::progress::Progress;
use crate::image::tarball::{Header, Member, Tarball};
use crate::interrupt;
use crate::plain;

/// An entry of Docker's `manifest.json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// How an attempt ended that did not fail otherwise.
pub(crate) enum Written {
    /// The archive is complete; so many bytes.
    Whole(u64),
    /// These layers are damaged or gone from the cache; the archive is not usable.
    Damaged(Vec<Arc<Layer>>),
}

/// Writes the archive of some images to `path`, which must not exist; gives its length in bytes.
///
/// # Errors
/// An environment failure when a cached blob is damaged (then use [`crate::image::build::build_archive`], which mends the
/// cache) or the archive cannot be written; [`Error::Interrupted`]. What was written is then removed.
pub fn write_archive(images: &[Image], path: &Path, progress: &dyn Progress) -> Result<u64> {
    match attempt(images, path, progress)? {
        Written::Whole(bytes) => Ok(bytes),
        Written::Damaged(layers) => Err(Error::environment(
            format!("damaged in the cache: {}", layers.iter().map(|l| l.blob.display().to_string()).collect::<Vec<_>>().join(", ")),
            "remove these files and build again",
        )),
    }
}

/// As [`write_archive`], but damaged layers are a result.
pub(crate) fn attempt(images: &[Image], path: &Path, progress: &dyn Progress) -> Result<Written> {
    let file = File::options().write(true).create_new(true).open(path).map_err(|error| Error::io("write", path, &error))?;
    let result = write(images, file, path, progress);
    if !matches!(result, Ok(Written::Whole(_))) {
        std::fs::remove_file(path).map_err(|error| Error::io("remove the incomplete", path, &error))?;
    }
    result
}

fn write(images: &[Image], file: File, path: &Path, progress: &dyn Progress) -> Result<Written> {
    let unwritable = |error: io::Error| Error::io("write", path, &error);
    let mut images: Vec<&Image> = images.iter().collect();
    images.sort_by(|one, other| one.reference.cmp(&other.reference));
    images.dedup_by(|one, other| one.reference == other.reference);
    let images: Vec<Image> = images.into_iter().cloned().collect();
    let docker: Vec<_> = images
        .iter()
        .map(|image| DockerImage {
            config: image.config_digest.blob_path(),
            repo_tags: vec![image.reference.to_string()],
            layers: image.layers.iter().map(|layer| layer.digest.blob_path()).collect(),
        })
        .collect();
    let layout = OciLayoutBuilder::default()
        .image_layout_version("1.0.0")
        .build()
        .map_err(|error| Error::environment(format!("the OCI layout cannot be written: {error}"), "report this as a defect"))?;

    let mut seen = BTreeSet::new();
    let layers: Vec<&Arc<Layer>> = images.iter().flat_map(|image| &image.layers).filter(|layer| seen.insert(layer.digest)).collect();
    progress.archive_started(layers.iter().map(|layer| layer.size).sum());

    // The small documents come first, so that a reader of the stream knows what follows.
    let mut tarball = Tarball::new(file);
    let document = |tarball: &mut Tarball<File>, path: &str, bytes: &[u8]| {
        let size = bytes.len() as u64;
        tarball.begin(&Header { path, mode: 0o644, uid: 0, gid: 0, member: Member::File(size) })?;
        tarball.out().write_all(bytes)?;
        tarball.pad(size)
    };
    let directory = |path| Header { path, mode: 0o755, uid: 0, gid: 0, member: Member::Directory };
    document(&mut tarball, "oci-layout", &canonical(&layout)?).map_err(unwritable)?;
    document(&mut tarball, "index.json", &index(&images)?).map_err(unwritable)?;
    document(&mut tarball, "manifest.json", &canonical(&docker)?).map_err(unwritable)?;
    tarball.begin(&directory("blobs")).map_err(unwritable)?;
    tarball.begin(&directory("blobs/sha256")).map_err(unwritable)?;
    for image in &images {
        for (digest, bytes) in [(&image.manifest_digest, &image.manifest), (&image.config_digest, &image.config)] {
            if seen.insert(*digest) {
                document(&mut tarball, &digest.blob_path(), bytes).map_err(unwritable)?;
            }
        }
    }
    let mut damaged = Vec::new();
    let mut done = 0;
    for layer in layers {
        let header = Header { path: &layer.digest.blob_path(), mode: 0o644, uid: 0, gid: 0, member: Member::File(layer.size) };
        tarball.begin(&header).map_err(unwritable)?;
        if !copy_blob(layer, tarball.out(), path, &mut done, progress)? {
            damaged.push(Arc::clone(layer));
            // The rest is only read, to find all that is damaged at once.
            continue;
        }
        tarball.pad(layer.size).map_err(unwritable)?;
    }
    if !damaged.is_empty() {
        return Ok(Written::Damaged(damaged));
    }
    let mut file = tarball.finish().map_err(unwritable)?;
    let length = file.seek(SeekFrom::End(0)).map_err(unwritable)?;
    progress.archive_finished();
    Ok(Written::Whole(length))
}

/// Copies a blob; false when it is not what its layer says.
fn copy_blob(layer: &Layer, out: &mut File, path: &Path, done: &mut u64, progress: &dyn Progress) -> Result<bool> {
    let unreadable = |error: &io::Error| Error::io("read", &layer.blob, error);
    let Some(blob) = plain::open(&layer.blob).map_err(|error| unreadable(&error))? else {
        return Ok(false);
    };
    let mut blob = Summing::new(blob);
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        interrupt::check()?;
        let read = match blob.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(&error)),
        };
        length += read as u64;
        if length > layer.size {
            return Ok(false);
        }
        out.write_all(&buffer[..read]).map_err(|error| Error::io("write", path, &error))?;
        *done += read as u64;
        progress.archive_advanced(*done);
    }
    let (_, digest, length) = blob.finish();
    Ok(length == layer.size && digest == layer.digest)
}

/// The digest of a file's content and its length.
///
/// # Errors
/// An environment failure when it cannot be read.
pub fn file_digest(path: &Path) -> Result<(Digest, u64)> {
    let file = files::open(path).map_err(|problem| problem.error("read", path))?;
    let mut file = Summing::new(file);
    io::copy(&mut file, &mut io::sink()).map_err(|error| Error::io("read", path, &error))?;
    let (_, digest, length) = file.finish();
    Ok((digest, length))
}
