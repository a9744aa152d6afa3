//! What an archive of images holds, and whether it is whole. Takes a tar file in either form that engines load (an OCI layout,
//! Docker's `manifest.json`, or both), verifies every digest and diff id in it, gives plain data for people and for `--json`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use oci_spec::image::{
    ANNOTATION_REF_NAME, ImageConfiguration, ImageIndex, ImageManifest, MediaType,
};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::image::digest::{Digest, Summing};
use crate::image::section::{Section, Sections};
use crate::interrupt;

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

/// An entry of Docker's `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// What both forms of archive say about an image.
struct Found {
    names: BTreeSet<String>,
    manifest_digest: Option<Digest>,
    config: Vec<u8>,
    /// Where each layer lies, and what the manifest says about it.
    layers: Vec<(String, Option<(Digest, u64)>)>,
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
    let size = blobs
        .values()
        .filter(|blob: &&Blob| seen.insert(blob.digest))
        .map(|blob| blob.size)
        .sum();
    Ok(Inspection { images, size })
}

fn parse<'a, T: Deserialize<'a>>(archive: &Sections, name: &str, bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| archive.wrong(format!("{name}: {error}")))
}

/// A document that is named by its digest.
fn blob_document(archive: &Sections, digest: &Digest) -> Result<Vec<u8>> {
    let path = digest.blob_path();
    let bytes = archive
        .document(&path)?
        .ok_or_else(|| archive.wrong(format!("{path} is missing")))?;
    let is = Digest::of(&bytes);
    if is == *digest {
        Ok(bytes)
    } else {
        Err(archive.wrong(format!("{path} has the digest {is}")))
    }
}

fn read_index(archive: &Sections, bytes: &[u8], found: &mut BTreeMap<Digest, Found>) -> Result<()> {
    let index: ImageIndex = parse(archive, "index.json", bytes)?;
    let digest = |text: &oci_spec::image::Digest| {
        text.to_string()
            .parse::<Digest>()
            .map_err(|why| archive.wrong(why))
    };
    for descriptor in index.manifests() {
        if !matches!(descriptor.media_type(), MediaType::ImageManifest) {
            return Err(archive.wrong(format!(
                "index.json names a {}, and only image manifests are read",
                descriptor.media_type()
            )));
        }
        let manifest_digest = digest(descriptor.digest())?;
        let bytes = blob_document(archive, &manifest_digest)?;
        let manifest: ImageManifest = parse(archive, &manifest_digest.blob_path(), &bytes)?;
        let config_digest = digest(manifest.config().digest())?;
        let layers = manifest
            .layers()
            .iter()
            .map(|layer| {
                let digest = digest(layer.digest())?;
                Ok((digest.blob_path(), Some((digest, layer.size()))))
            })
            .collect::<Result<_>>()?;
        let annotation = |key: &str| {
            descriptor
                .annotations()
                .as_ref()
                .and_then(|all| all.get(key))
                .cloned()
        };
        let name =
            annotation("io.containerd.image.name").or_else(|| annotation(ANNOTATION_REF_NAME));
        match found.get_mut(&config_digest) {
            Some(image) => image.names.extend(name),
            None => {
                let config = blob_document(archive, &config_digest)?;
                let image = Found {
                    names: name.into_iter().collect(),
                    manifest_digest: Some(manifest_digest),
                    config,
                    layers,
                };
                found.insert(config_digest, image);
            }
        }
    }
    Ok(())
}

fn read_docker(
    archive: &Sections,
    bytes: &[u8],
    has_index: bool,
    found: &mut BTreeMap<Digest, Found>,
) -> Result<()> {
    let images: Vec<DockerImage> = parse(archive, "manifest.json", bytes)?;
    let mut named = BTreeSet::new();
    for image in images {
        let config = archive
            .document(&image.config)?
            .ok_or_else(|| archive.wrong(format!("{} is missing", image.config)))?;
        let digest = Digest::of(&config);
        named.insert(digest);
        let tags = image.repo_tags.unwrap_or_default();
        match found.get_mut(&digest) {
            Some(known) => {
                let paths: Vec<&String> = known.layers.iter().map(|(path, _)| path).collect();
                if has_index && paths != image.layers.iter().collect::<Vec<_>>() {
                    return Err(archive.wrong(format!(
                        "index.json and manifest.json give {digest} other layers"
                    )));
                }
                known.names.extend(tags);
            }
            None => {
                let layers = image.layers.into_iter().map(|path| (path, None)).collect();
                found.insert(
                    digest,
                    Found {
                        names: tags.into_iter().collect(),
                        manifest_digest: None,
                        config,
                        layers,
                    },
                );
            }
        }
    }
    // An engine reads one of the two documents, which one depends on its store: they must speak of the same images.
    if has_index
        && (found.values().any(|image| image.manifest_digest.is_none())
            || found.keys().any(|digest| !named.contains(digest)))
    {
        return Err(archive.wrong("index.json and manifest.json name different images"));
    }
    Ok(())
}

fn complete(
    archive: &Sections,
    config_digest: Digest,
    image: Found,
    blobs: &mut BTreeMap<String, Blob>,
) -> Result<Image> {
    let document: ImageConfiguration = parse(archive, &config_digest.to_string(), &image.config)?;
    let diff_ids = document.rootfs().diff_ids();
    if diff_ids.len() != image.layers.len() {
        return Err(archive.wrong(format!(
            "{config_digest} has {} diff ids for {} layers",
            diff_ids.len(),
            image.layers.len()
        )));
    }
    let history: Vec<&str> = document
        .history()
        .iter()
        .flatten()
        .filter(|entry| entry.empty_layer() != Some(true))
        .map(|entry| entry.created_by().as_deref().unwrap_or_default())
        .collect();
    let mut layers = Vec::with_capacity(image.layers.len());
    for (number, ((path, expected), diff_id)) in image.layers.into_iter().zip(diff_ids).enumerate()
    {
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
                    return Err(archive.wrong(format!(
                        "{path} has the digest {} and {} bytes",
                        blob.digest, blob.size
                    )));
                }
                if blob.diff_id != diff_id {
                    return Err(archive.wrong(format!(
                        "{path} has the diff id {}, its image says {diff_id}",
                        blob.diff_id
                    )));
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
                (
                    name.to_owned(),
                    packages
                        .split(", ")
                        .filter(|name| !name.is_empty())
                        .map(str::to_owned)
                        .collect(),
                )
            }
            None => (text.to_owned(), Vec::new()),
        };
        let uncompressed_size = blob.map(|blob| blob.uncompressed_size);
        layers.push(Layer {
            name,
            digest,
            diff_id,
            size,
            uncompressed_size,
            present: blob.is_some(),
            packages,
        });
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
        labels: config
            .labels()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
        layers,
    })
}

/// Reads a layer's blob once: its digest, and that of what it unpacks to.
fn verify(archive: &Sections, path: &str, section: Section<'_>, size: u64) -> Result<Blob> {
    let broken = |error: io::Error| archive.wrong(format!("{path} cannot be unpacked: {error}"));
    let mut blob = BufReader::with_capacity(1 << 18, Summing::new(section));
    let magic = blob.fill_buf().map_err(broken)?;
    let (diff_id, uncompressed_size) = if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(archive.wrong(format!(
            "{path} is compressed with zstd, which this version does not read"
        )));
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
    Ok(Blob {
        digest,
        size,
        diff_id,
        uncompressed_size,
    })
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
            writeln!(
                f,
                "{}",
                if image.names.is_empty() {
                    "(no name)".to_owned()
                } else {
                    image.names.join(", ")
                }
            )?;
            writeln!(f, "  config      {}", image.config_digest)?;
            if let Some(digest) = &image.manifest_digest {
                writeln!(f, "  manifest    {digest}")?;
            }
            writeln!(f, "  platform    linux/{}", image.architecture)?;
            writeln!(
                f,
                "  runs        {}",
                [&image.entrypoint[..], &image.cmd[..]].concat().join(" ")
            )?;
            writeln!(
                f,
                "  as          {}",
                image.user.as_deref().unwrap_or("root")
            )?;
            for layer in &image.layers {
                let note = if layer.present {
                    String::new()
                } else {
                    ", not in this archive".into()
                };
                let kilobytes = layer.size.div_ceil(1000);
                writeln!(
                    f,
                    "  {:<14} {kilobytes:>8} kB  {}  {} packages{note}",
                    layer.name,
                    layer.digest,
                    layer.packages.len()
                )?;
            }
        }
        write!(
            f,
            "{} images, {} kB of layers, all digests right",
            self.images.len(),
            self.size.div_ceil(1000)
        )
    }
}
