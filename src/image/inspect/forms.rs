//! The two forms of an archive: an OCI layout's `index.json` and Docker's `manifest.json`. Each gives images as [`Found`] values, by the
//! digest of their configuration; where both are there, they must agree, since it depends on the engine which one is read.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use oci_spec::image::{ANNOTATION_REF_NAME, Descriptor, ImageIndex, ImageManifest, MediaType};
use serde::Deserialize;

use crate::error::Result;
use crate::image::digest::Digest;
use crate::image::section::Sections;

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
#[derive(Default)]
pub(super) struct Found {
    /// The names of the index and of Docker's manifest.
    pub(super) names: BTreeSet<String>,
    /// Those of the index: full names, or tags alone.
    index_names: BTreeSet<String>,
    /// Those of Docker's manifest.
    docker_names: BTreeSet<String>,
    pub(super) manifest_digest: Option<Digest>,
    pub(super) manifest_size: Option<u64>,
    pub(super) config: Vec<u8>,
    /// Where each layer lies, and what the manifest says about it.
    pub(super) layers: Vec<(String, Option<(Digest, u64)>)>,
}

/// A JSON document of the archive.
pub(super) fn parse<'a, T: Deserialize<'a>>(archive: &Sections, name: &str, bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| archive.wrong(format!("{name}: {error}")))
}

/// A document that is named by its digest.
fn blob_document(archive: &Sections, digest: &Digest) -> Result<Vec<u8>> {
    let path = digest.blob_path();
    let bytes = archive.document(&path)?.ok_or_else(|| archive.wrong(format!("{path} is missing")))?;
    let is = Digest::of(&bytes);
    if is == *digest { Ok(bytes) } else { Err(archive.wrong(format!("{path} has the digest {is}"))) }
}

/// Adds the images of an OCI layout.
pub(super) fn read_index(archive: &Sections, bytes: &[u8], found: &mut BTreeMap<Digest, Found>) -> Result<()> {
    let index: ImageIndex = parse(archive, "index.json", bytes)?;
    let digest = |text: &oci_spec::image::Digest| text.to_string().parse::<Digest>().map_err(|why| archive.wrong(why));
    // A manifest may have any number of names, and is read once.
    let mut read: BTreeMap<Digest, Digest> = BTreeMap::new();
    for descriptor in index.manifests() {
        if !matches!(descriptor.media_type(), MediaType::ImageManifest) {
            return Err(archive.wrong(format!("index.json names a {}, and only image manifests are read", descriptor.media_type())));
        }
        let manifest_digest = digest(descriptor.digest())?;
        let name = descriptor_name(archive, descriptor)?;
        if let Some(image) = read.get(&manifest_digest).and_then(|config| found.get_mut(config)) {
            image.index_names.extend(name);
            continue;
        }
        let bytes = blob_document(archive, &manifest_digest)?;
        let manifest: ImageManifest = parse(archive, &manifest_digest.blob_path(), &bytes)?;
        let config_digest = digest(manifest.config().digest())?;
        let layers: Vec<_> = manifest
            .layers()
            .iter()
            .map(|layer| {
                let digest = digest(layer.digest())?;
                Ok((digest.blob_path(), Some((digest, layer.size()))))
            })
            .collect::<Result<_>>()?;
        read.insert(manifest_digest, config_digest);
        let image = match found.entry(config_digest) {
            Entry::Occupied(known) if known.get().layers != layers => {
                return Err(archive.wrong(format!("two manifests of index.json give {config_digest} other layers")));
            }
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let config = blob_document(archive, &config_digest)?;
                new.insert(Found { manifest_digest: Some(manifest_digest), manifest_size: Some(bytes.len() as u64), config, layers, ..Found::default() })
            }
        };
        image.index_names.extend(name);
    }
    for image in found.values_mut() {
        image.names.extend(image.index_names.iter().cloned());
    }
    Ok(())
}

/// The name that an index gives an image: a full one for containerd, and a tag for tools that copy images, which must fit.
fn descriptor_name(archive: &Sections, descriptor: &Descriptor) -> Result<Option<String>> {
    let annotation = |key: &str| descriptor.annotations().as_ref().and_then(|all| all.get(key)).cloned();
    match (annotation("io.containerd.image.name"), annotation(ANNOTATION_REF_NAME)) {
        (Some(name), Some(tag)) if !name.ends_with(&tag) => {
            Err(archive.wrong(format!("index.json gives {} the name {name} and the tag {tag}", descriptor.digest())))
        }
        (name, tag) => Ok(name.or(tag)),
    }
}

/// Compares the names in the two documents, where both give an image names: it depends on the engine which of them is read.
pub(super) fn agree(archive: &Sections, found: &BTreeMap<Digest, Found>) -> Result<()> {
    // Docker leaves out what containerd writes in full.
    let short = |name: &str| name.strip_prefix("docker.io/").map_or(name, |rest| rest.strip_prefix("library/").unwrap_or(rest)).to_owned();
    let tag = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
    for (config, image) in found {
        let docker: BTreeSet<String> = image.docker_names.iter().map(|name| short(name)).collect();
        let index: BTreeSet<String> = image.index_names.iter().map(|name| short(name)).collect();
        if docker.is_empty() || index.is_empty() {
            continue;
        }
        let (docker_tags, index_tags): (BTreeSet<_>, BTreeSet<_>) =
            (docker.iter().map(|name| tag(name)).collect(), index.iter().filter(|name| !name.contains(['/', ':'])).cloned().collect());
        let odd = index.iter().find(|name| !docker.contains(*name) && !docker_tags.contains(*name));
        let odd = odd.or_else(|| docker.iter().find(|name| !index.contains(*name) && !index_tags.contains(&tag(name))));
        if let Some(name) = odd {
            return Err(archive.wrong(format!("only one of index.json and manifest.json gives {config} the name {name}")));
        }
    }
    Ok(())
}

/// Adds the images of Docker's manifest; with an index beside it, both must speak of the same images.
pub(super) fn read_docker(archive: &Sections, bytes: &[u8], has_index: bool, found: &mut BTreeMap<Digest, Found>) -> Result<()> {
    let images: Vec<DockerImage> = parse(archive, "manifest.json", bytes)?;
    let mut named = BTreeSet::new();
    let mut read: BTreeMap<String, Digest> = BTreeMap::new();
    for image in images {
        // A configuration may have any number of names, and is read once.
        let digest = match read.get(&image.config) {
            Some(digest) => *digest,
            None => {
                let config = archive.document(&image.config)?.ok_or_else(|| archive.wrong(format!("{} is missing", image.config)))?;
                let digest = Digest::of(&config);
                if let Entry::Vacant(new) = found.entry(digest) {
                    let layers = image.layers.iter().map(|path| (path.clone(), None)).collect();
                    new.insert(Found { config, layers, ..Found::default() });
                }
                read.insert(image.config, digest);
                digest
            }
        };
        named.insert(digest);
        let Some(known) = found.get_mut(&digest) else { continue };
        if !known.layers.iter().map(|(path, _)| path).eq(&image.layers) {
            return Err(archive.wrong(format!("two entries of index.json and manifest.json give {digest} other layers")));
        }
        let tags = image.repo_tags.unwrap_or_default();
        known.docker_names.extend(tags.iter().cloned());
        known.names.extend(tags);
    }
    // An engine reads one of the two documents, which one depends on its store: they must speak of the same images.
    if has_index && (found.values().any(|image| image.manifest_digest.is_none()) || found.keys().any(|digest| !named.contains(digest))) {
        return Err(archive.wrong("index.json and manifest.json name different images"));
    }
    Ok(())
}
