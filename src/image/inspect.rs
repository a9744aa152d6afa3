//! What an archive of images holds, and whether it is whole. Takes a tar file in either form that engines load (an OCI layout,
//! Docker's `manifest.json`, or both), verifies every digest and diff id in it, looks at the members of every layer, and gives plain
//! data for people and for `--json`.
//!
//! Digests cover layers, configurations and manifests, not the names of images, the headers of the archive and what lies between
//! its files. Of an archive that this tool wrote, all of that follows from the images, and every byte is compared
//! ([`exact`]). An archive of another program, or one that was packed anew, is only as right as its digests; that is said.

mod contents;
mod exact;
mod forms;
mod print;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

pub use contents::{Contents, Kind, Sighting};
use flate2::bufread::MultiGzDecoder;
use oci_spec::image::ImageConfiguration;
use serde::Serialize;

use crate::error::Result;
use crate::image::digest::{Digest, Summing};
use crate::image::members::Source;
use crate::image::section::{Section, Sections};
use crate::interrupt;

use forms::{Found, agree, parse, read_docker, read_index};

/// What the commands of our layers start with in the history of an image.
const OURS: &str = "synapse-site layer ";

/// The most layers of an archive, counted once each.
const MOST_LAYERS: usize = 10_000;

/// Everything in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The images, sorted by name.
    pub images: Vec<Image>,
    /// Compressed bytes of all layers in the archive, shared ones once.
    pub size: u64,
    /// Whether every byte of the archive is as this tool writes it for these images: names, order, headers, and what lies between.
    /// False for an archive that another program wrote, of which digests cover the images and nothing covers their names.
    pub exact: bool,
    /// What the layers in the archive hold, by the digest of their blob.
    pub contents: BTreeMap<Digest, Contents>,
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
    /// Bytes of the manifest.
    pub manifest_size: Option<u64>,
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
    /// Whether the image says that this tool made it.
    pub ours: bool,
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
    if oci.is_some() && docker.is_some() {
        agree(&archive, &found)?;
    }
    let mut blobs = Blobs::default();
    let mut images = Vec::new();
    for (digest, image) in found {
        images.push(complete(&archive, digest, image, &mut blobs)?);
    }
    images.sort_by(|one, other| one.names.cmp(&other.names));
    let mut seen = BTreeSet::new();
    let size = blobs.known.values().filter(|blob| seen.insert(blob.digest)).map(|blob| blob.size).sum();
    refuse_foreign_members(&archive, &images, &blobs.contents)?;
    let exact = exact::is_ours(&archive);
    if exact {
        exact::check(&archive, &images)?;
    }
    Ok(Inspection { images, size, exact, contents: blobs.contents })
}

/// Refuses in our layers what we never put there.
fn refuse_foreign_members(archive: &Sections, images: &[Image], contents: &BTreeMap<Digest, Contents>) -> Result<()> {
    let ours: BTreeMap<Digest, &str> =
        images.iter().flat_map(|image| &image.layers).filter(|layer| layer.ours).map(|layer| (layer.digest, layer.name.as_str())).collect();
    let mut wrong = Vec::new();
    for (digest, name) in ours {
        for (kind, sighting) in contents.get(&digest).into_iter().flat_map(|contents| &contents.findings) {
            if kind.is_never_ours() {
                wrong.push(format!("{name} ({digest}) has {} ({sighting})", kind.name()));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(archive.wrong(format!("layers that are said to be made by synapse-site hold what it never makes: {}", wrong.join("; "))))
}

/// The layers that were read.
#[derive(Default)]
struct Blobs {
    /// By where they lie in the archive: several names may lead there.
    known: BTreeMap<u64, Blob>,
    contents: BTreeMap<Digest, Contents>,
}

impl Blobs {
    /// The layer of that path, if the archive has it.
    fn get(&mut self, archive: &Sections, path: &str) -> Result<Option<Blob>> {
        let Some((section, place, size)) = archive.get(path) else { return Ok(None) };
        let blob = match self.known.get(&place) {
            Some(blob) => *blob,
            None if self.known.len() == MOST_LAYERS => return Err(archive.wrong(format!("it has more than {MOST_LAYERS} layers"))),
            None => {
                let (blob, contents) = verify(archive, path, section, size)?;
                self.known.insert(place, blob);
                self.contents.insert(blob.digest, contents);
                blob
            }
        };
        match path.strip_prefix("blobs/sha256/") {
            Some(hex) if hex != blob.digest.hex() => Err(archive.wrong(format!("{path} has the digest {}", blob.digest))),
            _ => Ok(Some(blob)),
        }
    }
}

fn complete(archive: &Sections, config_digest: Digest, image: Found, blobs: &mut Blobs) -> Result<Image> {
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
        let blob = blobs.get(archive, &path)?;
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
        let ours = text.strip_prefix(OURS);
        let (name, packages) = match ours {
            Some(ours) => {
                let (name, packages) = ours.split_once(": ").unwrap_or((ours, ""));
                (name.to_owned(), packages.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect())
            }
            None => (text.to_owned(), Vec::new()),
        };
        let uncompressed_size = blob.map(|blob| blob.uncompressed_size);
        layers.push(Layer { name, digest, diff_id, size, uncompressed_size, present: blob.is_some(), packages, ours: ours.is_some() });
    }
    let config = document.config().clone().unwrap_or_default();
    let mut ports = config.exposed_ports().clone().unwrap_or_default();
    ports.sort();
    Ok(Image {
        names: image.names.into_iter().collect(),
        config_digest,
        manifest_digest: image.manifest_digest,
        manifest_size: image.manifest_size,
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

/// Reads a layer's blob once: its digest, that of what it unpacks to, and what it holds.
fn verify(archive: &Sections, path: &str, section: Section<'_>, size: u64) -> Result<(Blob, Contents)> {
    // A signal ends the reading early, which the reader takes for an early end.
    let broken = |error: io::Error| interrupt::check().err().unwrap_or_else(|| archive.wrong(format!("{path} cannot be unpacked: {error}")));
    let mut blob = BufReader::with_capacity(1 << 18, Summing::new(section));
    let magic = blob.fill_buf().map_err(broken)?;
    let (contents, diff_id, uncompressed_size) = if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(archive.wrong(format!("{path} is compressed with zstd, which this version does not read")));
    } else if magic.starts_with(&[0x1f, 0x8b]) {
        unpack(MultiGzDecoder::new(&mut blob)).map_err(broken)??
    } else {
        unpack(&mut blob).map_err(broken)??
    };
    // What a decoder leaves is part of the blob, too.
    drain(&mut blob).map_err(broken)??;
    let (_, digest, read) = blob.into_inner().finish();
    if read != size {
        return Err(archive.wrong(format!("{path} ends after {read} of {size} bytes")));
    }
    Ok((Blob { digest, size, diff_id, uncompressed_size }, contents))
}

/// The members of an unpacked layer, its digest and its length; the outer result is the reader's, the inner one the user's.
fn unpack(reader: impl Read) -> io::Result<Result<(Contents, Digest, u64)>> {
    let mut reader = Stream(Summing::new(BufReader::with_capacity(1 << 16, reader)));
    let contents = match contents::read(&mut reader)? {
        Ok(contents) => contents,
        Err(stop) => return Ok(Err(stop)),
    };
    if let Err(stop) = drain(&mut reader)? {
        return Ok(Err(stop));
    }
    let (_, digest, length) = reader.0.finish();
    Ok(Ok((contents, digest, length)))
}

/// A stream whose content is read to be passed over, since a digest covers it.
struct Stream<R>(Summing<R>);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Source for &mut Stream<R> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let mut left = bytes;
        while left > 0 {
            interrupt::check().map_err(|_| io::Error::other("stopped"))?;
            let some = left.min(1 << 24);
            if io::copy(&mut self.take(some), &mut io::sink())? < some {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends inside a member"));
            }
            left -= some;
        }
        Ok(())
    }
}

/// Reads what a reader still gives; the outer result is the reader's, the inner one the user's.
fn drain(mut reader: impl Read) -> io::Result<Result<()>> {
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
    Ok(Ok(()))
}
