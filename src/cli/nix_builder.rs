//! `nix-builder`: what `nix/images.nix` names as the builder of its derivations. Nix gives it structured attributes and an empty
//! directory; it gives back what `build` writes, with the store paths of the derivation's reference graph in place of Debian
//! packages and wheels. There is no network, no cache and no shell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::build::{contents, launch_beside, write_beside};
use super::description::Asked;
use super::progress::ProgressReporter;
use super::sources::From;
use crate::definition::LayerSpec;
use crate::error::{Error, Result};
use crate::files;
use crate::image::build::build_archive;
use crate::image::layer::SharedPackage;
use crate::image::layering::{self, Stacks};
use crate::image::nix::{Found, definitions, needs};
use crate::image::oci::{Arch, Image};
use crate::image::plan::{self, plan};
use crate::image::sbom::{self, Component};
use crate::image::store::LayerStore;
use crate::package::cache::Cache;
use crate::package::closure::{self, Closure, Graph};
use crate::synapse::Running;

/// Build inside a Nix derivation. Called by nix/images.nix, not by people.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only copy this file to the output.
    #[arg(long, value_name = "FILE")]
    take: Option<PathBuf>,
}

/// The format of [`Request`] that this program speaks.
const FORMAT: u32 = 1;

/// The attributes of the derivation, in `.attrs.json`.
#[derive(Deserialize)]
struct Attributes {
    closure: Value,
    request: Value,
}

/// What every derivation has.
#[derive(Deserialize)]
struct Outputs {
    outputs: Output,
}

#[derive(Deserialize)]
struct Output {
    out: PathBuf,
}

/// What `nix/images.nix` asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// The version of this agreement.
    #[serde(rename = "format")]
    _format: u32,
    /// What the output is.
    part: Part,
    /// Nix's name of the machine that the images are for: `x86_64-linux`.
    system: String,
    /// The description of the site.
    description: Value,
    /// Files that the description names, by the names that it uses.
    files: BTreeMap<String, PathBuf>,
    /// A directory of image definitions.
    definitions: PathBuf,
    /// Packages by image and by their names in its definition.
    packages: BTreeMap<String, BTreeMap<String, Package>>,
    /// The version of Synapse that the image holds; empty where its package does not say.
    #[serde(default)]
    synapse_version: String,
    /// The entry point of the images, where they are for another machine than the one that builds.
    #[serde(default)]
    launch: Option<PathBuf>,
}

/// A package that nixpkgs gave.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    path: String,
    version: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// A directory with everything that a target needs.
    Bundle,
    /// The archive of Synapse's image alone.
    Image,
    /// A directory with the configuration files, without images.
    Configuration,
}

/// The most bytes of the attributes: those of a closure with all that nixpkgs has would be a quarter of it.
const LARGEST_ATTRIBUTES: u64 = 256 << 20;

pub fn run(arguments: &Arguments) -> Result<()> {
    let _orderly = crate::interrupt::orderly()?;
    let top = directory("NIX_BUILD_TOP")?;
    let Outputs { outputs: Output { out } } = attributes(&top)?;
    if let Some(file) = &arguments.take {
        return files::copy(file, &out);
    }
    let Attributes { closure, request } = attributes(&top)?;
    let request = understood(request)?;
    let graph = Graph::parse(&closure)?;
    let shown = ProgressReporter::lines();
    let running = running(&request, &graph).unwrap_or_else(|| {
        let assumed = Running::default();
        shown.step(&format!("warning: the package of Synapse says no version; the site is checked for {}", assumed.version));
        assumed
    });
    let loaded = description(&top, &request, running)?;
    let site = &loaded.site;
    let mut deployment = super::deployment(&loaded)?;
    if request.part == Part::Configuration {
        std::fs::create_dir(&out).map_err(|error| Error::io("create", &out, &error))?;
        return super::render::write_all(&deployment, &out);
    }
    if request.part == Part::Image {
        deployment.services.retain(|service| service.image == crate::component::synapse::IMAGE);
    }
    let specs = From { images: Some(request.definitions.clone()) }.source().specs()?;
    let found: Found = request
        .packages
        .iter()
        .map(|(image, packages)| (image.clone(), packages.iter().map(|(name, package)| (name.clone(), package.path.clone())).collect()))
        .collect();
    let wanted: BTreeSet<String> = deployment.services.iter().filter(|service| service.external.is_none()).map(|service| service.image.to_owned()).collect();
    let stacks = layering::divide(&graph, &needs(&specs, &found, &wanted)?, layering::MOST)?;
    let specs = definitions(&specs, &found, &stacks)?;
    let launch = request.launch.clone().map_or_else(launch_beside, Ok)?;
    let plans = plan(
        &plan::Site {
            server_name: site.server.server_name.as_str(),
            repository: site.images.repository.as_str(),
            specs: &specs,
            contents: &contents(&deployment),
            launch: &launch,
            architecture: architecture(&request.system)?,
        },
        &mut |image: &str, layer: &LayerSpec| Ok(packages(&graph, &stacks, image, layer)),
    )?;

    let store = LayerStore::new(&Cache::open(Some(top.join("synapse-site-cache")))?);
    let bundle = request.part == Part::Bundle;
    if bundle {
        std::fs::create_dir(&out).map_err(|error| Error::io("create", &out, &error))?;
    }
    let archive = if bundle { out.join("images.tar") } else { out.clone() };
    let (images, _) = build_archive(&plans, &store, threads(), &shown, &archive)?;
    if bundle {
        let origin = json!({ "nix": { "system": request.system, "versions": versions(&request) } });
        let bill = |image: &Image| bill_of_materials(&graph, &stacks, image);
        write_beside(&out, site, &deployment, (&images, &specs, &launch), &origin, &bill)?;
    }
    Ok(())
}

/// The attributes. Nix 2.8 names their file by a path that is not the one in the sandbox; the file itself is where it always was.
fn attributes<T: DeserializeOwned>(top: &Path) -> Result<T> {
    let path = top.join(".attrs.json");
    let bytes = files::read(&path, LARGEST_ATTRIBUTES).map_err(|problem| problem.error("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|error| stranger(&format!("{} cannot be understood: {error}", path.display())))
}

/// The request, if it is of the format that this program speaks; looked at first, since another one has other members.
fn understood(request: Value) -> Result<Request> {
    match request.get("format") {
        Some(format) if *format == json!(FORMAT) => {}
        Some(format) => return Err(stranger(&format!("nix/images.nix speaks format {format} of the builder's request, this program format {FORMAT}"))),
        None => return Err(stranger("nix/images.nix does not say the format of the builder's request")),
    }
    serde_json::from_value(request).map_err(|error| stranger(&format!("the request of nix/images.nix cannot be understood: {error}")))
}

/// `nix/images.nix` and this program do not belong together.
fn stranger(found: &str) -> Error {
    Error::environment(found, "take nix/images.nix and the tool from the same version of synapse-site; mkSite's `tool` may name another one")
}

fn directory(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute()).ok_or_else(|| {
        Error::Usage(format!("this verb is for the builder of a Nix derivation, which has {variable} set; use `synapse-site build` or `nix build`"))
    })
}

/// Loads the description from a place where its files lie beside it.
fn description(top: &Path, request: &Request, synapse: Running) -> Result<crate::site::load::Loaded> {
    let place = top.join("description");
    let file = place.join("site.json");
    super::render::write(&file, format!("{:#}", request.description).as_bytes())?;
    for (name, source) in &request.files {
        let relative = Path::new(name);
        if !relative.components().all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)) {
            return Err(Error::Usage(format!("`files` holds `{name}`; a file's name is relative and stays below the description")));
        }
        copy(source, &place.join(relative))?;
    }
    Asked::from(&file).on(synapse).load()
}

/// Copies a file, or the plain files of a directory.
fn copy(source: &Path, target: &Path) -> Result<()> {
    if !source.is_dir() {
        let content = files::read(source, files::LARGEST).map_err(|problem| problem.error("read", source))?;
        return super::render::write(target, &content);
    }
    std::fs::create_dir_all(target).map_err(|error| Error::io("make", target, &error))?;
    for entry in std::fs::read_dir(source).map_err(|error| Error::io("read", source, &error))? {
        let entry = entry.map_err(|error| Error::io("read", source, &error))?.path();
        if let Some(name) = entry.file_name().filter(|_| entry.is_file()) {
            copy(&entry, &target.join(name))?;
        }
    }
    Ok(())
}

/// The packages of a layer: those of the group that bears its name, none for a layer that is made.
fn packages(graph: &Graph, stacks: &Stacks, image: &str, layer: &LayerSpec) -> Vec<SharedPackage> {
    let group = stacks.get(image).and_then(|stack| stack.iter().find(|group| group.name == layer.name));
    let paths = group.into_iter().flat_map(|group| &group.paths).filter_map(|path| graph.get(path));
    paths.map(|path| -> SharedPackage { Box::new(Closure::new(path)) }).collect()
}

fn architecture(system: &str) -> Result<Arch> {
    match system {
        "x86_64-linux" => Ok(Arch::Amd64),
        "aarch64-linux" => Ok(Arch::ARM64),
        other => Err(Error::environment(format!("there are no images for {other}"), "build for x86_64-linux or aarch64-linux")),
    }
}

/// As many as Nix allows this build; none or zero means one a processor.
fn threads() -> usize {
    let allowed = std::env::var("NIX_BUILD_CORES").ok().and_then(|cores| cores.parse().ok()).filter(|cores| *cores > 0);
    allowed.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// The versions of the packages that programs come from.
fn versions(request: &Request) -> BTreeMap<&str, &str> {
    request.packages.values().flatten().map(|(name, package)| (name.as_str(), package.version.as_str())).collect()
}

/// The Synapse that the images will hold, as far as something says it: the version that Nix knows, else what its own files say, else its store path.
/// A package that only wraps another one may have none of its own.
fn running(request: &Request, graph: &Graph) -> Option<Running> {
    let named = |name: &str| ["matrix-synapse", "matrix-synapse-wrapped", "matrix-synapse-unwrapped"].contains(&name);
    let installed = || graph.paths().find_map(|path| installed(Path::new(&path.path)));
    let of_path = || graph.paths().filter(|path| named(closure::package_name(&path.path))).find_map(|path| Running::of(closure::version(&path.path)));
    Running::of(&request.synapse_version).or_else(installed).or_else(of_path)
}

/// The version in the metadata of a store path that has Synapse: `lib/python3.13/site-packages/matrix_synapse-1.155.0.dist-info`.
fn installed(path: &Path) -> Option<Running> {
    let within = |path: &Path| std::fs::read_dir(path).into_iter().flatten().filter_map(std::result::Result::ok).map(|entry| entry.path()).collect::<Vec<_>>();
    let sites = within(&path.join("lib")).into_iter().map(|python| python.join("site-packages"));
    sites.flat_map(|site| within(&site)).find_map(|path| {
        let name = path.file_name()?.to_str()?;
        Running::of(name.strip_prefix("matrix_synapse-")?.strip_suffix(".dist-info")?)
    })
}

/// What an image is made of, for scanners.
fn bill_of_materials(graph: &Graph, stacks: &Stacks, image: &Image) -> Result<Vec<u8>> {
    let paths = stacks.get(&image.name).into_iter().flatten().flat_map(|group| &group.paths).filter_map(|path| graph.get(path));
    let components: Vec<Component> = paths
        .map(|path| {
            let (name, version) = (closure::package_name(&path.path), closure::version(&path.path));
            let at = if version.is_empty() { String::new() } else { format!("@{}", version.replace('+', "%2B")) };
            let purl = format!("pkg:nix/{}{at}", name.replace('+', "%2B"));
            Component { name: name.to_owned(), version: version.to_owned(), purl, sha256: path.nar_hash.clone() }
        })
        .collect();
    sbom::cyclonedx(image, &components)
}
