//! The documents of an image as the OCI image specification (1.1) defines them: configuration and manifest. Takes layers and what
//! the image says about itself, gives bytes that depend on nothing else: keys are sorted and the only date is a fixed one.

use std::collections::BTreeMap;
use std::sync::Arc;

use oci_spec::OciSpecError;
use oci_spec::image as spec;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::image::digest::Digest;
use crate::image::layer::Layer;
use crate::image::name::Reference;
use crate::image::tarball::MTIME_RFC3339;

pub use oci_spec::image::Arch;

/// Docker's limit is 125 layers of a running container, its own among them; this leaves room for images built on ours.
pub const MAX_LAYERS: usize = 100;

/// What an image says about itself and about how to run it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The machine that the programs are made for.
    pub architecture: Arch,
    /// Numeric user and group.
    pub user: Option<u32>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// The program that is always started.
    pub entrypoint: Vec<String>,
    /// Its arguments, unless a manifest gives others.
    pub cmd: Vec<String>,
    /// Where it starts.
    pub working_dir: Option<String>,
    /// Ports, `8008/tcp`.
    pub ports: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A complete image: documents and the layers that they speak of.
#[derive(Debug, Clone)]
pub struct Image {
    /// The name under `images/`: `synapse`.
    pub name: String,
    /// The name for an engine.
    pub reference: Reference,
    /// The configuration document.
    pub config: Vec<u8>,
    /// Its digest.
    pub config_digest: Digest,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Its digest.
    pub manifest_digest: Digest,
    /// The layers, lowest first.
    pub layers: Vec<Arc<Layer>>,
}

impl Image {
    /// Puts an image together.
    ///
    /// # Errors
    /// An environment failure for more than [`MAX_LAYERS`] layers.
    pub fn new(repository: &str, server_name: &str, name: &str, settings: &Settings, layers: Vec<Arc<Layer>>) -> Result<Self> {
        if layers.len() > MAX_LAYERS {
            return Err(Error::environment(
                format!("the image {name} has {} layers, and engines take no more than {MAX_LAYERS} of ours", layers.len()),
                "join some of its layers in image.toml",
            ));
        }
        let config = canonical(&configuration(settings, &layers).map_err(document_failed)?)?;
        let config_digest = Digest::of(&config);
        let manifest = canonical(&manifest(&config, &config_digest, &layers).map_err(document_failed)?)?;
        let manifest_digest = Digest::of(&manifest);
        let reference = Reference::new(repository, server_name, name, &config_digest, &manifest_digest);
        Ok(Self { name: name.to_owned(), reference, config, config_digest, manifest, manifest_digest, layers })
    }

    /// Bytes of all layers, compressed.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

fn configuration(settings: &Settings, layers: &[Arc<Layer>]) -> std::result::Result<spec::ImageConfiguration, OciSpecError> {
    let mut config = spec::ConfigBuilder::default()
        .env(settings.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
        .entrypoint(settings.entrypoint.clone())
        .labels(settings.labels.clone().into_iter().collect::<std::collections::HashMap<_, _>>());
    if let Some(user) = settings.user {
        config = config.user(format!("{user}:{user}"));
    }
    if !settings.cmd.is_empty() {
        config = config.cmd(settings.cmd.clone());
    }
    if let Some(directory) = &settings.working_dir {
        config = config.working_dir(directory.clone());
    }
    if !settings.ports.is_empty() {
        config = config.exposed_ports(settings.ports.clone());
    }
    let history = layers
        .iter()
        .map(|layer| {
            let packages = if layer.packages.is_empty() { String::new() } else { format!(": {}", layer.packages.join(", ")) };
            spec::HistoryBuilder::default().created(MTIME_RFC3339).created_by(format!("synapse-site layer {}{packages}", layer.name)).build()
        })
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let rootfs = spec::RootFsBuilder::default().typ("layers").diff_ids(layers.iter().map(|layer| layer.diff_id.to_string()).collect::<Vec<_>>()).build()?;
    spec::ImageConfigurationBuilder::default()
        .architecture(settings.architecture.clone())
        .os(spec::Os::Linux)
        // Optional in the specification, but engines of the classic store show the year 1 where it is missing.
        .created(MTIME_RFC3339)
        .config(config.build()?)
        .rootfs(rootfs)
        .history(history)
        .build()
}

fn manifest(config: &[u8], digest: &Digest, layers: &[Arc<Layer>]) -> std::result::Result<spec::ImageManifest, OciSpecError> {
    spec::ImageManifestBuilder::default()
        .schema_version(spec::SCHEMA_VERSION)
        .media_type(spec::MediaType::ImageManifest)
        .config(descriptor(spec::MediaType::ImageConfig, config.len() as u64, digest)?.build()?)
        .layers(
            layers
                .iter()
                .map(|layer| descriptor(spec::MediaType::ImageLayerGzip, layer.size, &layer.digest)?.build())
                .collect::<std::result::Result<Vec<_>, _>>()?,
        )
        .build()
}

/// The index of an OCI layout with all images in it, named for engines (`io.containerd.image.name`) and for
/// tools that copy images (`org.opencontainers.image.ref.name`).
///
/// # Errors
/// None in practice.
pub fn index(images: &[Image]) -> Result<Vec<u8>> {
    let manifests = images
        .iter()
        .map(|image| {
            let names = [
                ("io.containerd.image.name".to_owned(), image.reference.to_string()),
                (spec::ANNOTATION_REF_NAME.to_owned(), image.reference.tag().to_owned()),
            ];
            descriptor(spec::MediaType::ImageManifest, image.manifest.len() as u64, &image.manifest_digest)?
                .annotations(std::collections::HashMap::from(names))
                .build()
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(document_failed)?;
    let index = spec::ImageIndexBuilder::default()
        .schema_version(spec::SCHEMA_VERSION)
        .media_type(spec::MediaType::ImageIndex)
        .manifests(manifests)
        .build()
        .map_err(document_failed)?;
    canonical(&index)
}

fn descriptor(kind: spec::MediaType, size: u64, digest: &Digest) -> std::result::Result<spec::DescriptorBuilder, OciSpecError> {
    let digest: spec::Digest = digest.to_string().parse()?;
    Ok(spec::DescriptorBuilder::default().media_type(kind).size(size).digest(digest))
}

/// JSON without blanks, the keys of every object sorted: labels, annotations and ports are hash maps in oci-spec, whose order
/// differs from run to run.
///
/// # Errors
/// None in practice.
pub fn canonical(document: &impl Serialize) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(document).map_err(document_failed)?;
    value.sort_all_objects();
    serde_json::to_vec(&value).map_err(document_failed)
}

fn document_failed(error: impl std::fmt::Display) -> Error {
    Error::environment(format!("a document of an image cannot be written: {error}"), "report this as a defect")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn layer(name: &str) -> Arc<Layer> {
        Arc::new(Layer {
            name: name.into(),
            key: Digest::of(name.as_bytes()),
            diff_id: Digest::of(b"diff"),
            digest: Digest::of(b"blob"),
            size: 4,
            uncompressed_size: 8,
            blob: PathBuf::new(),
            packages: vec!["libc6 2.41-12".into(), "zlib1g 1.3".into()],
        })
    }

    fn settings() -> Settings {
        Settings {
            architecture: Arch::Amd64,
            user: Some(991),
            env: BTreeMap::from([("PATH".into(), "/usr/bin".into()), ("LANG".into(), "C.UTF-8".into())]),
            entrypoint: vec!["/launch".into()],
            cmd: vec!["run".into(), "main".into()],
            working_dir: Some("/data".into()),
            ports: (1..20).map(|n| format!("{n}/tcp")).collect(),
            labels: (1..20).map(|n| (format!("label.{n}"), n.to_string())).collect(),
        }
    }

    #[test]
    fn documents_as_engines_read_them() {
        let image = Image::new("localhost/synapse-site", "example.com", "synapse", &settings(), vec![layer("base")]).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&image.config).unwrap();
        assert_eq!(config["architecture"], "amd64");
        assert_eq!(config["os"], "linux");
        assert_eq!(config["created"], MTIME_RFC3339);
        assert_eq!(config["config"]["User"], "991:991");
        assert_eq!(config["config"]["Env"], serde_json::json!(["LANG=C.UTF-8", "PATH=/usr/bin"]));
        assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/launch"]));
        assert_eq!(config["config"]["Cmd"], serde_json::json!(["run", "main"]));
        assert_eq!(config["config"]["WorkingDir"], "/data");
        assert_eq!(config["config"]["ExposedPorts"]["19/tcp"], serde_json::json!({}));
        assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!([Digest::of(b"diff").to_string()]));
        assert_eq!(config["history"][0]["created_by"], "synapse-site layer base: libc6 2.41-12, zlib1g 1.3");
        let manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
        assert_eq!(manifest["config"]["digest"], image.config_digest.to_string());
        assert_eq!(manifest["config"]["size"], image.config.len());
        assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(manifest["layers"][0]["size"], 4);
    }

    #[test]
    fn maps_have_one_order() {
        let bytes: Vec<_> = (0..8).map(|_| Image::new("localhost/r", "a", "b", &settings(), vec![layer("base")]).unwrap().config).collect();
        assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]));
        let text = String::from_utf8(bytes[0].clone()).unwrap();
        let at = |what: &str| text.find(what).unwrap();
        assert!(at("\"label.1\"") < at("\"label.10\"") && at("\"label.10\"") < at("\"label.2\""));
        assert!(at("\"1/tcp\"") < at("\"10/tcp\"") && at("\"10/tcp\"") < at("\"2/tcp\""));
    }

    #[test]
    fn too_many_layers() {
        let layers = (0..=MAX_LAYERS).map(|n| layer(&n.to_string())).collect();
        assert!(Image::new("localhost/r", "a", "b", &settings(), layers).unwrap_err().to_string().contains("101 layers"));
    }
}
