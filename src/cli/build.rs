//! `build`: the main job. Description in; images, manifest and everything else that a target needs out.

use std::collections::{BTreeMap, BTreeSet};
use std::env::consts::OS;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::TARGET;
use super::progress::ProgressReporter;
use super::render::write;
use super::sources::From;
use crate::definition::{Definitions, chain};
use crate::definition::{ImageSpec, LayerSpec};
use crate::deploy::{self, BESIDE, Commands, ImageFacts, Images, Target as _};
use crate::deployment::Deployment;
use crate::error::{Error, Result};
use crate::files;
use crate::image::build::build_archive;
use crate::image::layer::{FileContent, SharedPackage};
use crate::image::oci::{Arch, Image};
use crate::image::outdir::{self, OutDir};
use crate::image::plan::{self, Content, plan};
use crate::image::store::LayerStore;
use crate::package::cache::Cache;
use crate::package::fetch;
use crate::package::interpreter;
use crate::site::Site;

/// Build the images and the manifest of a site.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  synapse-site build site.yaml --out out
  synapse-site build examples/example.com/site.nix --out out --cache /var/cache/synapse-site
On the target: docker load -i out/images.tar, synapse-site secrets init out, docker compose up -d --remove-orphans
Two builds of one site give the same bytes. A changed option rebuilds the layer with the configuration only.")]
pub struct Arguments {
    /// The description: a .nix, .yaml or .json file, or a directory that holds one site.* file.
    site: PathBuf,
    #[command(flatten)]
    nix: super::description::Nix,
    /// Where to write. What an earlier build wrote there is replaced as a whole. Your own files stay, also those in directories that a
    /// build writes, such as well-known. A file of the build that you changed is not replaced: the build says which and ends.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    machine: Machine,
    /// When an archive no longer carries a locked Debian version: lock anew, say what moved, and go on. Needs --images.
    #[arg(long, requires = "images")]
    relock_if_gone: bool,
    /// Print what was built as JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// Options about this machine; none of them changes a byte of the output.
#[derive(Debug, clap::Args)]
pub struct Machine {
    #[command(flatten)]
    cache: CacheAt,
    /// The static program that starts every image; absent means the `launch` beside this program.
    #[arg(long, value_name = "FILE", env = "SYNAPSE_SITE_LAUNCH")]
    launch: Option<PathBuf>,
    /// Threads that compress; absent means one a processor.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// Where downloads and layers are kept.
#[derive(Debug, clap::Args)]
pub struct CacheAt {
    /// Where downloads and layers are kept; absent means $XDG_CACHE_HOME/synapse-site.
    #[arg(long, value_name = "DIR", env = "SYNAPSE_SITE_CACHE")]
    pub cache: Option<PathBuf>,
}

/// What builds write at the top of their directory.
pub const OUTPUTS: [&str; 8] = [".env", "images.tar", "compose.yaml", "site.json", "secrets.example", "services", "well-known", "sbom"];

pub fn run(arguments: &Arguments) -> Result<()> {
    let asked = super::description::Asked::from((&*arguments.site, &arguments.nix)).on(arguments.from.running()?);
    let loaded = asked.load()?;
    interpreter::check_system(OS)?;
    let deployment = super::deployment(&loaded)?;
    let orderly = crate::interrupt::orderly()?;
    let site = &loaded.site;
    let cache = Cache::open(arguments.machine.cache.cache.clone())?;
    let shown = Arc::new(ProgressReporter::new());
    let mut sources = arguments.from.source().load()?;
    // Claimed before the work, so that a second build into the same directory fails at once.
    outdir::check_kind(&arguments.out, "build")?;
    let out = OutDir::create(&arguments.out, &OUTPUTS, outputs(&deployment))?;

    let wanted = wanted(&sources, &deployment)?;
    let gone = missing_packages(&cache, &sources, &wanted, &shown)?;
    if !gone.is_empty() {
        if !arguments.relock_if_gone {
            return Err(fetch::gone(&gone));
        }
        shown.step(&format!("no longer offered: {}; choosing anew", gone.join(", ")));
        super::lock::relock(&arguments.from, &cache, &shown)?;
        sources = arguments.from.source().load()?;
        let gone = missing_packages(&cache, &sources, &wanted, &shown)?;
        if !gone.is_empty() {
            return Err(fetch::gone(&gone));
        }
    }

    let launch = arguments.machine.launch()?;
    let contents = contents(&deployment);
    let packages = super::packages::Packages::new(&cache, &sources, Arc::clone(&shown));
    let plans = plan(
        &plan::Site {
            server_name: site.server.server_name.as_str(),
            repository: site.images.repository.as_str(),
            specs: &sources.specs,
            contents: &contents,
            launch: &launch,
            architecture: Arch::Amd64,
        },
        &mut |image: &str, layer: &LayerSpec| -> Result<Vec<SharedPackage>> { packages.of(image, layer) },
    )?;
    let store = LayerStore::new(&cache);
    let threads = arguments.machine.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let archive = out.path().join("images.tar");
    let build = || build_archive(&plans, &store, threads, &*shown, &archive);
    let (images, bytes) = match build() {
        Err(Error::Environment { .. }) if replaced_damaged(&cache, &sources, &wanted, &shown)? => build()?,
        other => other?,
    };

    let origin = json!({ "debian": sources.debian.values().next().map(|lock| lock.release.clone()) });
    let bill = |image: &Image| super::packages::bill_of_materials(&sources, image);
    let text = write_beside(out.path(), site, &deployment, (&images, &sources.specs, &launch), &origin, &bill)?;
    out.commit()?;
    drop(orderly);

    if arguments.json {
        super::print::answer(&crate::printable::printable_json(&text))?;
    }
    print_next_steps(&deployment, &images, bytes, &shown, &arguments.out);
    Ok(())
}

/// Writes all that a target needs beside the archive: the manifest, the documents, the bills of materials and `site.json`, whose
/// text it gives back. `origin` says where the packages are from.
pub(super) fn write_beside(
    out: &Path,
    site: &Site,
    deployment: &Deployment,
    (images, specs, launch): (&[Image], &BTreeMap<String, ImageSpec>, &Path),
    origin: &Value,
    bill: &dyn Fn(&Image) -> Result<Vec<u8>>,
) -> Result<String> {
    let mut facts = Images::new();
    for image in images {
        let user = specs.get(&image.name).and_then(|spec| spec.user.as_ref());
        let reference = image.reference.to_string();
        // The image below the others runs nothing by itself.
        facts.extend(user.map(|user| (image.name.clone(), ImageFacts { reference, user: user.id })));
    }
    for (name, content) in TARGET.files(deployment, &facts)? {
        write(&out.join(name), &content)?;
    }
    let services = out.join(BESIDE);
    for (path, content) in deployment.beside() {
        write(&services.join(path), &content)?;
    }
    if deployment.mounts_launch() {
        let copy = services.join("launch");
        files::copy(launch, &copy)?;
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).map_err(|error| Error::io("change the permissions of", &copy, &error))?;
    }
    for (name, content) in &deployment.well_known {
        write(&out.join("well-known").join(name), content)?;
    }
    write(&out.join("secrets.example/README.txt"), deploy::secrets_page(deployment).as_bytes())?;
    for image in images {
        write(&out.join("sbom").join(format!("{}.cdx.json", image.name)), &bill(image)?)?;
    }
    outdir::mark(out, report(site, deployment, images, origin))
}

/// The files of the output: those of [`write_beside`] and the archive.
fn outputs(deployment: &Deployment) -> BTreeSet<PathBuf> {
    let mut files: BTreeSet<PathBuf> = ["images.tar", outdir::MARKER, "secrets.example/README.txt"].map(PathBuf::from).into();
    files.extend(TARGET.names().iter().map(PathBuf::from));
    let services = Path::new(BESIDE);
    files.extend(deployment.beside().keys().map(|path| services.join(path)));
    files.extend(deployment.mounts_launch().then(|| services.join("launch")));
    files.extend(deployment.well_known.keys().map(|name| Path::new("well-known").join(name)));
    files.extend(contents(deployment).keys().map(|image| Path::new("sbom").join(format!("{image}.cdx.json"))));
    files
}

/// The images that the site's services run, and those below them.
fn wanted(sources: &Definitions, deployment: &Deployment) -> Result<BTreeSet<String>> {
    let mut wanted = BTreeSet::new();
    for service in deployment.services.iter().filter(|service| service.external.is_none()) {
        wanted.extend(chain(&sources.specs, service.image)?.into_iter().map(|(name, _)| name.to_owned()));
    }
    Ok(wanted)
}

/// Fetches what the cache lacks, and gives what cannot be had any more.
fn missing_packages(cache: &Cache, sources: &Definitions, wanted: &BTreeSet<String>, shown: &ProgressReporter) -> Result<Vec<String>> {
    let debian: Vec<_> = sources.debian.iter().filter(|(name, _)| wanted.contains(*name)).map(|(_, lock)| lock).collect();
    let python: Vec<_> = sources.python.iter().filter(|(name, _)| wanted.contains(*name)).map(|(_, lock)| lock).collect();
    fetch::ensure_or_gone(cache, &debian, &python, shown)
}

/// After a build that failed: whether packages in the cache were damaged, which are then fetched again. They are not looked at
/// before, because a build whose layers are in the cache does not need them.
fn replaced_damaged(cache: &Cache, sources: &Definitions, wanted: &BTreeSet<String>, shown: &ProgressReporter) -> Result<bool> {
    let debian =
        sources.debian.iter().filter(|(name, _)| wanted.contains(*name)).flat_map(|(_, lock)| &lock.packages).map(|package| (&package.name, &package.sha256));
    let python = sources.python.iter().filter(|(name, _)| wanted.contains(*name)).flat_map(|(_, lock)| &lock.wheels).map(|wheel| (&wheel.name, &wheel.sha256));
    let mut damaged = Vec::new();
    for (name, sha256) in debian.chain(python) {
        if cache.package(sha256).is_some() && cache.verified(sha256)?.is_none() {
            damaged.push(name.as_str());
        }
    }
    if damaged.is_empty() {
        return Ok(false);
    }
    let damaged = format!("damaged in the cache: {}", damaged.join(", "));
    shown.step(&format!("{damaged}; fetching anew"));
    match missing_packages(cache, sources, wanted, shown) {
        Ok(gone) if gone.is_empty() => Ok(true),
        Ok(gone) => Err(fetch::gone(&gone)),
        Err(Error::Environment { what, remedy }) => Err(Error::environment(format!("{damaged}, and they could not be fetched again: {what}"), remedy)),
        Err(other) => Err(other),
    }
}

/// What each image holds besides its definition.
pub(super) fn contents(deployment: &Deployment) -> BTreeMap<String, Content> {
    let mut contents: BTreeMap<String, Content> = BTreeMap::new();
    for service in deployment.services.iter().filter(|service| service.external.is_none()) {
        let content = contents.entry(service.image.to_owned()).or_default();
        if content.cmd.is_empty() {
            content.cmd.clone_from(&service.command);
        }
    }
    for (image, files) in &deployment.images {
        if let Some(content) = contents.get_mut(image) {
            content.files = files.iter().map(|(path, bytes)| (path.clone(), FileContent { bytes: bytes.clone(), mode: 0o644 })).collect();
        }
    }
    contents
}

/// `site.json`: what was built, for programs.
fn report(site: &Site, deployment: &Deployment, images: &[Image], origin: &Value) -> Value {
    let packages = |image: &Image| -> Vec<Value> {
        image
            .layers
            .iter()
            .map(|layer| json!({ "name": layer.name, "digest": layer.digest, "diff_id": layer.diff_id, "size": layer.size, "packages": layer.packages }))
            .collect()
    };
    let mut report = json!({
        "format": 1,
        "kind": "build",
        "tool": { "name": "synapse-site", "version": env!("CARGO_PKG_VERSION") },
        "server_name": site.server.server_name,
        "images": images.iter().map(|image| json!({
            "name": image.name,
            "reference": image.reference,
            "manifest": image.manifest_digest,
            "config": image.config_digest,
            "size": image.size(),
            "layers": packages(image),
        })).collect::<Vec<_>>(),
        "services": deployment.services.iter().map(|service| json!({ "name": service.name, "image": service.image })).collect::<Vec<_>>(),
        "secrets": deployment.secrets,
        // What was known and accepted when these images were built.
        "accepted_warnings": site.checks.accept,
        "ports": deployment.ports().collect::<Vec<_>>(),
    });
    let external = deployment.external_images();
    if !external.is_empty() {
        report["images_from_elsewhere"] = json!(external);
    }
    if let (Value::Object(report), Value::Object(origin)) = (&mut report, origin) {
        report.extend(origin.clone());
    }
    report
}

fn print_next_steps(deployment: &Deployment, images: &[Image], bytes: u64, shown: &ProgressReporter, out: &Path) {
    let sizes: Vec<String> = images.iter().map(|image| format!("{} {}", image.name, HumanBytes(image.size()))).collect();
    let reused = match shown.reused() {
        0 => String::new(),
        1 => ", 1 layer from the cache".to_owned(),
        number => format!(", {number} layers from the cache"),
    };
    shown.step(&format!("images.tar: {} ({}){reused}", HumanBytes(bytes), sizes.join(", ")));
    let Commands { load, make_secrets, start, pull } = TARGET.commands();
    let external = deployment.external_images();
    if !external.is_empty() {
        let list = external.join(" ");
        shown.step(&format!(
            "The target needs these images from elsewhere; `{pull}` fetches them. Without a way out, on a machine with one:\n  docker pull each of them; docker save -o others.tar {list}\n  and on the target: docker load -i others.tar"
        ));
    }
    let out = out.display();
    shown.step(&format!(
        "\n{} is built. Carry {out} to the target, and there:\n  cd {out}\n  {load}\n  synapse-site secrets init .      (or: {make_secrets})\n  {start}",
        deployment.server_name
    ));
    for job in deployment.services.iter().filter(|service| service.is_job) {
        shown.step(&format!("  {}", TARGET.run_job(&job.name)));
    }
}

impl Machine {
    /// The launcher.
    fn launch(&self) -> Result<PathBuf> {
        if let Some(path) = &self.launch {
            return Ok(path.clone());
        }
        launch_beside()
    }
}

/// The launcher that was built with this program.
pub(super) fn launch_beside() -> Result<PathBuf> {
    let this = std::env::current_exe()
        .map_err(|error| Error::environment(format!("cannot find this program's own place: {error}"), "name the launcher with --launch"))?;
    let beside = this.with_file_name("launch");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(Error::environment(
        format!("there is no `launch` beside {}", this.display()),
        "build it with `cargo build --release`, which makes both programs, or name it with --launch",
    ))
}
