//! The two forms of an archive: an OCI layout's `index.json` and Docker's `manifest.json`. Each gives images as [`Found`] values, by the
//! digest of their configuration; where both are there, they must agree, since it depends on the engine which one is read.

use std::collections::{BTreeMap, BTreeSet};

use oci_spec::image::{ANNOTATION_REF_NAME, ImageIndex, ImageManifest, MediaType};
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
pub(super) struct Found {
    pub(super) names: BTreeSet<String>,
    pub(super) manifest_digest: Option<Digest>,
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
    for descriptor in index.manifests() {
        if !matches!(descriptor.media_type(), MediaType::ImageManifest) {
            return Err(archive.wrong(format!("index.json names a {}, and only image manifests are read", descriptor.media_type())));
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
        let annotation = |key: &str| descriptor.annotations().as_ref().and_then(|all| all.get(key)).cloned();
        let name = annotation("io.containerd.image.name").or_else(|| annotation(ANNOTATION_REF_NAME));
        match found.get_mut(&config_digest) {
            Some(image) => image.names.extend(name),
            None => {
                let config = blob_document(archive, &config_digest)?;
                let image = Found { names: name.into_iter().collect(), manifest_digest: Some(manifest_digest), config, layers };
                found.insert(config_digest, image);
            }
        }
    }
    Ok(())
}

/// Adds the images of Docker's manifest; with an index beside it, both must speak of the same images.
pub(super) fn read_docker(archive: &Sections, bytes: &[u8], has_index: bool, found: &mut BTreeMap<Digest, Found>) -> Result<()> {
    let images: Vec<DockerImage> = parse(archive, "manifest.json", bytes)?;
    let mut named = BTreeSet::new();
    for image in images {
        let config = archive.document(&image.config)?.ok_or_else(|| archive.wrong(format!("{} is missing", image.config)))?;
        let digest = Digest::of(&config);
        named.insert(digest);
        let tags = image.repo_tags.unwrap_or_default();
        match found.get_mut(&digest) {
            Some(known) => {
                let paths: Vec<&String> = known.layers.iter().map(|(path, _)| path).collect();
                if has_index && paths != image.layers.iter().collect::<Vec<_>>() {
                    return Err(archive.wrong(format!("index.json and manifest.json give {digest} other layers")));
                }
                known.names.extend(tags);
            }
            None => {
                let layers = image.layers.into_iter().map(|path| (path, None)).collect();
                found.insert(digest, Found { names: tags.into_iter().collect(), manifest_digest: None, config, layers });
            }
        }
    }
    // An engine reads one of the two documents, which one depends on its store: they must speak of the same images.
    if has_index && (found.values().any(|image| image.manifest_digest.is_none()) || found.keys().any(|digest| !named.contains(digest))) {
        return Err(archive.wrong("index.json and manifest.json name different images"));
    }
    Ok(())
}
