//! What an archive of images holds, and whether it is whole. Takes a tar file in either form that engines load (an OCI layout,
//! Docker's `manifest.json`, or both), verifies every digest and diff id in it, gives plain data for people and for `--json`.

mod forms;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use oci_spec::image::ImageConfiguration;
use serde::Serialize;

use crate::error::Result;
use crate::image::digest::{Digest, Summing};
use crate::image::section::{Section, Sections};
use crate::interrupt;

use forms::{Found, parse, read_docker, read_index};

/// Everything in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The images, sorted by name.
    pub images: Vec<Image>,
    /// Compressed bytes of all layers in the archive, shared ones once.
    pub size: u64,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// The names under which engines load it.
    pub names: Vec<String>,
    /// Digest of the configuration; the image ID of the classic store.
    pub config_digest: Digest,
    /// Digest of the manifest, where the archive has an OCI layout.
    pub manifest_digest: Option<Digest>,
    /// Machine.
    pub architecture: String,
    /// `uid:gid`.
    pub user: Option<String>,
    /// Environment.
    pub env: Vec<String>,
    /// The program that is started.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub cmd: Vec<String>,
    /// Where it starts.
    pub working_dir: Option<String>,
    /// Ports.
    pub ports: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Layers, lowest first.
    pub layers: Vec<Layer>,
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Our name for it, or the command that made it.
    pub name: String,
    /// Digest of the blob.
    pub digest: Digest,
    /// Digest of the uncompressed archive.
    pub diff_id: Digest,
    /// Bytes of the blob.
    pub size: u64,
    /// Bytes uncompressed; unknown when the archive leaves the layer out.
    pub uncompressed_size: Option<u64>,
    /// Whether the blob is in the archive; one that is not must be on the target already.
    pub present: bool,
    /// The packages in it, if we made it.
    pub packages: Vec<String>,
}

/// What a blob turned out to be.
#[derive(Clone, Copy)]
struct Blob {
    digest: Digest,
    size: u64,
    diff_id: Digest,
    uncompressed_size: u64,
}

/// Reads and verifies an archive.
///
/// # Errors
/// An environment failure for a file that is no such archive, and for any content that is not what its digest says;
/// [`crate::error::Error::Interrupted`].
pub fn inspect(path: &Path) -> Result<Inspection> {
    let archive = Sections::open(path)?;
    let mut found: BTreeMap<Digest, Found> = BTreeMap::new();
    let oci = archive.document("index.json")?;
    let docker = archive.document("manifest.json")?;
    if oci.is_none() && docker.is_none() {
        return Err(archive.wrong("it has neither index.json nor manifest.json"));
    }
    if let Some(index) = &oci {
        read_index(&archive, index, &mut found)?;
    }
    if let Some(manifest) = &docker {
        read_docker(&archive, manifest, oci.is_some(), &mut found)?;
    }
    let mut blobs = BTreeMap::new();
    let mut images = Vec::new();
    for (digest, image) in found {
        images.push(complete(&archive, digest, image, &mut blobs)?);
    }
    images.sort_by(|one, other| one.names.cmp(&other.names));
    let mut seen = BTreeSet::new();
    let size = blobs.values().filter(|blob: &&Blob| seen.insert(blob.digest)).map(|blob| blob.size).sum();
    Ok(Inspection { images, size })
}

fn complete(archive: &Sections, config_digest: Digest, image: Found, blobs: &mut BTreeMap<String, Blob>) -> Result<Image> {
    let document: ImageConfiguration = parse(archive, &config_digest.to_string(), &image.config)?;
    let diff_ids = document.rootfs().diff_ids();
    if diff_ids.len() != image.layers.len() {
        return Err(archive.wrong(format!("{config_digest} has {} diff ids for {} layers", diff_ids.len(), image.layers.len())));
    }
    let history: Vec<&str> = document
        .history()
        .iter()
        .flatten()
        .filter(|entry| entry.empty_layer() != Some(true))
        .map(|entry| entry.created_by().as_deref().unwrap_or_default())
        .collect();
    let mut layers = Vec::with_capacity(image.layers.len());
    for (number, ((path, expected), diff_id)) in image.layers.into_iter().zip(diff_ids).enumerate() {
        let diff_id: Digest = diff_id.parse().map_err(|why| archive.wrong(why))?;
        let blob = match (blobs.get(&path), archive.get(&path)) {
            (Some(blob), _) => Some(*blob),
            (None, Some((section, size))) => {
                let blob = verify(archive, &path, section, size)?;
                blobs.insert(path.clone(), blob);
                Some(blob)
            }
            (None, None) => None,
        };
        let (digest, size) = match (blob, expected) {
            (Some(blob), expected) => {
                if expected.is_some_and(|expected| expected != (blob.digest, blob.size)) {
                    return Err(archive.wrong(format!("{path} has the digest {} and {} bytes", blob.digest, blob.size)));
                }
                if blob.diff_id != diff_id {
                    return Err(archive.wrong(format!("{path} has the diff id {}, its image says {diff_id}", blob.diff_id)));
                }
                (blob.digest, blob.size)
            }
            (None, Some(expected)) => expected,
            (None, None) => return Err(archive.wrong(format!("{path} is missing"))),
        };
        let text = history.get(number).copied().unwrap_or_default();
        let (name, packages) = match text.strip_prefix("synapse-site layer ") {
            Some(ours) => {
                let (name, packages) = ours.split_once(": ").unwrap_or((ours, ""));
                (name.to_owned(), packages.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect())
            }
            None => (text.to_owned(), Vec::new()),
        };
        let uncompressed_size = blob.map(|blob| blob.uncompressed_size);
        layers.push(Layer { name, digest, diff_id, size, uncompressed_size, present: blob.is_some(), packages });
    }
    let config = document.config().clone().unwrap_or_default();
    let mut ports = config.exposed_ports().clone().unwrap_or_default();
    ports.sort();
    Ok(Image {
        names: image.names.into_iter().collect(),
        config_digest,
        manifest_digest: image.manifest_digest,
        architecture: document.architecture().to_string(),
        user: config.user().clone(),
        env: config.env().clone().unwrap_or_default(),
        entrypoint: config.entrypoint().clone().unwrap_or_default(),
        cmd: config.cmd().clone().unwrap_or_default(),
        working_dir: config.working_dir().clone(),
        ports,
        labels: config.labels().clone().unwrap_or_default().into_iter().collect(),
        layers,
    })
}

/// Reads a layer's blob once: its digest, and that of what it unpacks to.
fn verify(archive: &Sections, path: &str, section: Section<'_>, size: u64) -> Result<Blob> {
    let broken = |error: io::Error| archive.wrong(format!("{path} cannot be unpacked: {error}"));
    let mut blob = BufReader::with_capacity(1 << 18, Summing::new(section));
    let magic = blob.fill_buf().map_err(broken)?;
    let (diff_id, uncompressed_size) = if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(archive.wrong(format!("{path} is compressed with zstd, which this version does not read")));
    } else if magic.starts_with(&[0x1f, 0x8b]) {
        drain(MultiGzDecoder::new(&mut blob)).map_err(broken)??
    } else {
        drain(&mut blob).map_err(broken)??
    };
    // What a decoder leaves is part of the blob, too.
    drain(&mut blob).map_err(broken)??;
    let (_, digest, read) = blob.into_inner().finish();
    if read != size {
        return Err(archive.wrong(format!("{path} ends after {read} of {size} bytes")));
    }
    if let Some(hex) = path.strip_prefix("blobs/sha256/")
        && hex != digest.hex()
    {
        return Err(archive.wrong(format!("{path} has the digest {digest}")));
    }
    Ok(Blob { digest, size, diff_id, uncompressed_size })
}

/// Digest and length of everything a reader gives; the outer result is the reader's, the inner one the user's.
fn drain(reader: impl Read) -> io::Result<Result<(Digest, u64)>> {
    let mut reader = Summing::new(reader);
    let mut buffer = vec![0; 1 << 18];
    loop {
        if let Err(stop) = interrupt::check() {
            return Ok(Err(stop));
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let (_, digest, length) = reader.finish();
    Ok(Ok((digest, length)))
}

impl std::fmt::Display for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for image in &self.images {
            writeln!(f, "{}", if image.names.is_empty() { "(no name)".to_owned() } else { image.names.join(", ") })?;
            writeln!(f, "  config      {}", image.config_digest)?;
            if let Some(digest) = &image.manifest_digest {
                writeln!(f, "  manifest    {digest}")?;
            }
            writeln!(f, "  platform    linux/{}", image.architecture)?;
            writeln!(f, "  runs        {}", [&image.entrypoint[..], &image.cmd[..]].concat().join(" "))?;
            writeln!(f, "  as          {}", image.user.as_deref().unwrap_or("root"))?;
            for layer in &image.layers {
                let note = if layer.present { String::new() } else { ", not in this archive".into() };
                let kilobytes = layer.size.div_ceil(1000);
                writeln!(f, "  {:<14} {kilobytes:>8} kB  {}  {} packages{note}", layer.name, layer.digest, layer.packages.len())?;
            }
        }
        write!(f, "{} images, {} kB of layers, all digests right", self.images.len(), self.size.div_ceil(1000))
    }
}
