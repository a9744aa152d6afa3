//! `nix-builder`: what `nix/images.nix` names as the builder of its derivations. Nix gives it structured attributes and an empty
//! directory; it gives back what `build` writes, with the store paths of the derivation's reference graph in place of Debian
//! packages and wheels. There is no network, no cache and no shell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::build::{contents, launch_beside, write_beside};
use super::progress::Shown;
use super::sources::From;
use crate::error::{Error, Result};
use crate::files;
use crate::image::build::build_archive;
use crate::image::layer::SharedPackage;
use crate::image::nix::{Found, definitions, needs};
use crate::image::oci::{Arch, Image};
use crate::image::plan::{self, plan};
use crate::image::sbom::{self, Component};
use crate::image::spec::LayerSpec;
use crate::image::store::LayerStore;
use crate::image::strata::{self, Stacks};
use crate::package::cache::Cache;
use crate::package::closure::{self, Closure, Graph};
use crate::render::synapse::routes;

/// Build inside a Nix derivation. Called by nix/images.nix, not by people.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only copy this file to the output.
    #[arg(long, value_name = "FILE")]
    take: Option<PathBuf>,
}

/// The attributes of the derivation, in `.attrs.json`.
#[derive(Deserialize)]
struct Attributes {
    closure: Value,
    request: Request,
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
    /// The version of this agreement: 1.
    format: u32,
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
    if request.format != 1 {
        return Err(Error::environment(
            format!("nix/images.nix speaks format {} of the builder's request, this program format 1", request.format),
            "take nix/images.nix and the tool from the same version of synapse-site",
        ));
    }
    let loaded = description(&top, &request)?;
    let site = &loaded.site;
    let mut rendered = crate::render::render(&loaded);
    if request.part == Part::Image {
        rendered.services.retain(|service| service.image == crate::render::synapse::IMAGE);
    }
    let shown = Shown::lines();
    unchecked(&request, &shown);

    let graph = Graph::parse(&closure)?;
    let specs = From { images: Some(request.definitions.clone()) }.specs()?;
    let found: Found = request
        .packages
        .iter()
        .map(|(image, packages)| (image.clone(), packages.iter().map(|(name, package)| (name.clone(), package.path.clone())).collect()))
        .collect();
    let wanted: BTreeSet<String> = rendered.services.iter().filter(|service| service.from.is_none()).map(|service| service.image.to_owned()).collect();
    let stacks = strata::divide(&graph, &needs(&specs, &found, &wanted)?, strata::MOST)?;
    let specs = definitions(&specs, &found, &stacks)?;
    let launch = launch_beside()?;
    let plans = plan(
        &plan::Site {
            server_name: site.server.server_name.as_str(),
            repository: site.images.repository.as_str(),
            specs: &specs,
            contents: &contents(&rendered),
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
        write_beside(&out, site, &rendered, (&images, &specs, &launch), &origin, &bill)?;
    }
    Ok(())
}

/// The attributes. Nix 2.8 names their file by a path that is not the one in the sandbox; the file itself is where it always was.
fn attributes<T: DeserializeOwned>(top: &Path) -> Result<T> {
    let path = top.join(".attrs.json");
    let bytes = files::read(&path, LARGEST_ATTRIBUTES).map_err(|problem| problem.error("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::environment(
            format!("the attributes of the derivation cannot be understood: {error}"),
            "take nix/images.nix and the tool from the same version of synapse-site",
        )
    })
}

fn directory(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute()).ok_or_else(|| {
        Error::Usage(format!("this verb is for the builder of a Nix derivation, which has {variable} set; use `synapse-site build` or `nix build`"))
    })
}

/// Loads and checks the description from a place where its files lie beside it.
fn description(top: &Path, request: &Request) -> Result<crate::site::load::Loaded> {
    let place = top.join("description");
    let file = place.join("site.json");
    super::render::write(&file, serde_json::to_string_pretty(&request.description).unwrap_or_default().as_bytes())?;
    for (name, source) in &request.files {
        let relative = Path::new(name);
        if !relative.components().all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)) {
            return Err(Error::Usage(format!("`files` holds `{name}`; a file's name is relative and stays below the description")));
        }
        copy(source, &place.join(relative))?;
    }
    super::checked(&file, false).map(|(loaded, _)| loaded)
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

/// Says what is not known of a version of Synapse that the tables were not read for.
fn unchecked(request: &Request, shown: &Shown) {
    let Some(version) = versions(request).get("matrix-synapse").copied() else { return };
    if !routes::covers(version) {
        let (from, to) = routes::COVERS;
        shown.step(&format!(
            "warning: nixpkgs has Synapse {version}; which requests workers can answer was read for {from} up to, but not including, {to}, and is unchecked here: \
             compare \"Scaling synapse via workers\" of that version before you use workers"
        ));
    }
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
