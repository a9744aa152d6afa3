//! Whether an archive is, to the byte, what this tool writes for the images in it. Digests cover blobs; this covers the rest, which
//! follows from them: the names of images, the two documents that list them, the order of the members and their headers, and what
//! fills the gaps.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Image;
use crate::error::Result;
use crate::image::digest::Digest;
use crate::image::name::Reference;
use crate::image::oci::canonical;
use crate::image::section::Sections;

/// Whether this tool wrote the archive: most of its members are described as we describe them. No other program does; one changed
/// byte changes one header, and the answer stays the same.
pub(super) fn is_ours(archive: &Sections) -> bool {
    let ours = archive.members().iter().filter(|(_, ours)| *ours).count();
    ours > 0 && ours * 2 > archive.members().len()
}

/// Compares an archive that this tool wrote with what it writes.
///
/// # Errors
/// An environment failure that names everything that is different.
pub(super) fn check(archive: &Sections, images: &[Image]) -> Result<()> {
    let mut images: Vec<&Image> = images.iter().collect();
    images.sort_by_key(|image| image.names.first().and_then(|name| name.rsplit_once(':')));
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(archive.members().iter().filter(|(_, ours)| !ours).take(10).map(|(name, _)| format!("the header of {name}")));
    if !archive.has_only_zeros_between() {
        wrong.push("what lies between and behind the files, which is zeros".into());
    }
    wrong.extend(images.iter().filter_map(|image| wrong_name(image)));
    let expected = documents(&images)?;
    for (name, bytes) in &expected {
        if archive.document(name)?.as_ref() != Some(bytes) {
            wrong.push(format!("the content of {name}"));
        }
    }
    let order = order(&images);
    if let Some(at) = (0..order.len().max(archive.members().len())).find(|at| order.get(*at) != archive.members().get(*at).map(|(name, _)| name)) {
        let name = |name: Option<&str>| name.unwrap_or("nothing").to_owned();
        let (has, should) = (archive.members().get(at).map(|(name, _)| name.as_str()), order.get(at).map(String::as_str));
        wrong.push(format!("the order of the files: {} stands where {} belongs", name(has), name(should)));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(archive.wrong(format!("synapse-site wrote it, and it was changed since: {}", wrong.join("; "))))
}

/// What is wrong with the name of an image: its tag follows from the digests of its manifest and configuration, and the rest but
/// for the repository from its title.
fn wrong_name(image: &Image) -> Option<String> {
    let [name] = image.names.as_slice() else { return Some(format!("the names of {}, which has one", image.config_digest)) };
    let manifest = image.manifest_digest.as_ref()?;
    let title = image.labels.get("org.opencontainers.image.title").and_then(|title| title.split_once(" for "));
    let expected = match title {
        Some((service, site)) => Reference::new("", site, service, &image.config_digest, manifest).to_string(),
        None => format!(":{}", Reference::new("", "", "", &image.config_digest, manifest).tag()),
    };
    (!name.ends_with(&expected)).then(|| format!("the name {name}, which ends with {expected}"))
}

/// The documents at the top of the archive.
fn documents(images: &[&Image]) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut manifests = Vec::new();
    let mut docker = Vec::new();
    for image in images {
        let name = image.names.first().map_or("", String::as_str);
        manifests.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": image.manifest_digest,
            "size": image.manifest_size,
            "annotations": {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name.rsplit(':').next(),
            },
        }));
        let layers: Vec<Value> = image.layers.iter().map(|layer| layer.digest.blob_path().into()).collect();
        docker.push(json!({ "Config": image.config_digest.blob_path(), "RepoTags": [name], "Layers": layers }));
    }
    let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests });
    Ok(vec![("oci-layout", canonical(&json!({ "imageLayoutVersion": "1.0.0" }))?), ("index.json", canonical(&index)?), ("manifest.json", canonical(&docker)?)])
}

/// The members in their order; see [`crate::image::archive`].
fn order(images: &[&Image]) -> Vec<String> {
    let mut order: Vec<String> = ["oci-layout", "index.json", "manifest.json", "blobs/", "blobs/sha256/"].map(String::from).into();
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    // Layers are noted first, so that a document with a layer's digest would not be written twice.
    let layers: Vec<Digest> = images.iter().flat_map(|image| &image.layers).map(|layer| layer.digest).filter(|digest| seen.insert(*digest)).collect();
    let documents = images.iter().flat_map(|image| image.manifest_digest.into_iter().chain([image.config_digest]));
    order.extend(documents.filter(|digest| seen.insert(*digest)).map(|digest| digest.blob_path()));
    order.extend(layers.iter().map(Digest::blob_path));
    order
}
