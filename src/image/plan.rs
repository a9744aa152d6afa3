//! From definitions of images to plans of their layers. Takes every `image.toml`, the packages of each layer, and per image what was
//! rendered for it; gives one [`ImagePlan`] an image. Layers of a `from` image are planned once and shared.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::definition::{ImageSpec, LayerSpec, User, chain, find};
use crate::error::{Error, Result};
use crate::files;
use crate::image::accounts;
use crate::image::elf::check_static;
use crate::image::layer::{FileContent, LayerPlan, SharedPackage};
use crate::image::oci::{Arch, Settings};
use crate::image::tree::{Meta, resolve};

/// Where the launcher lies in every image.
pub const LAUNCH_PATH: &str = "/launch";

/// What an image of a site holds besides its definition.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Rendered configuration by absolute path.
    pub files: BTreeMap<String, FileContent>,
    /// Arguments of the launcher unless the manifest gives others: `["run", "synapse"]`.
    pub cmd: Vec<String>,
    /// Labels besides title and description; `org.opencontainers.image.version` is a good one.
    pub labels: BTreeMap<String, String>,
}

/// Everything that a site's images are made of, but for their packages.
pub struct Site<'a> {
    /// The site's `server_name`; part of the names of its images.
    pub server_name: &'a str,
    /// What the names of its images begin with: `localhost/synapse-site`.
    pub repository: &'a str,
    /// Every definition, those that are only bases among them.
    pub specs: &'a BTreeMap<String, ImageSpec>,
    /// The images to make.
    pub contents: &'a BTreeMap<String, Content>,
    /// The launcher, a static program.
    pub launch: &'a Path,
    /// The machine that all of it is for.
    pub architecture: Arch,
}

/// One image before its layers are made.
#[derive(Clone)]
pub struct ImagePlan {
    /// The name under `images/`.
    pub name: String,
    /// The site's `server_name`.
    pub server_name: String,
    /// What the names of its images begin with.
    pub repository: String,
    /// What the image says about itself.
    pub settings: Settings,
    /// The layers, lowest first.
    pub layers: Vec<Arc<LayerPlan>>,
}

/// Gives the packages of a layer: name of the image that defines it, and its definition.
pub type PackagesOf<'a> = dyn FnMut(&str, &LayerSpec) -> Result<Vec<SharedPackage>> + 'a;

/// The most bytes of a launcher; with all that a debugger wants to know, it has less than half of it.
const LARGEST_LAUNCHER: u64 = 512 << 20;

/// Plans the images of `site.contents`.
///
/// # Errors
/// An environment failure for a definition that is missing, contradicts itself or goes round in circles, for a launcher that
/// is not a static program, and whatever `packages` gives.
pub fn plan(site: &Site<'_>, packages: &mut PackagesOf<'_>) -> Result<Vec<ImagePlan>> {
    let bytes = files::read(site.launch, LARGEST_LAUNCHER).map_err(|problem| problem.error("read", site.launch))?;
    check_static(&site.launch.display().to_string(), &bytes, &site.architecture)?;
    let launcher = FileContent { bytes, mode: 0o755 };
    let launcher = Arc::new(LayerPlan { name: "launcher".into(), files: BTreeMap::from([(inner(LAUNCH_PATH)?, launcher)]), ..LayerPlan::default() });
    let mut stacks = BTreeMap::new();
    site.contents.iter().map(|(name, content)| image(site, name, content, &launcher, &mut stacks, packages)).collect()
}

/// What the layers of an image add up to, so far as layers above depend on it.
#[derive(Clone, Default)]
struct Stack {
    layers: Vec<Arc<LayerPlan>>,
    directories: BTreeMap<String, Meta>,
    aliases: BTreeMap<String, String>,
    accounts: Vec<User>,
    env: BTreeMap<String, String>,
}

fn image(
    site: &Site<'_>,
    name: &str,
    content: &Content,
    launcher: &Arc<LayerPlan>,
    stacks: &mut BTreeMap<String, Stack>,
    packages: &mut PackagesOf<'_>,
) -> Result<ImagePlan> {
    let stack = stack(site.specs, name, stacks, packages)?;
    let (_, spec) = find(site.specs, name)?;
    let mut layers = stack.layers.clone();
    layers.push(Arc::clone(launcher));
    if !content.files.is_empty() {
        let files = content.files.iter().map(|(path, file)| Ok((inner(path)?, file.clone()))).collect::<Result<_>>()?;
        layers.push(Arc::new(LayerPlan { name: "configuration".into(), files, inherited: stack.directories, aliases: stack.aliases, ..LayerPlan::default() }));
    }
    let mut labels = BTreeMap::from([
        ("org.opencontainers.image.title".to_owned(), format!("{} for {}", name, site.server_name)),
        ("org.opencontainers.image.description".to_owned(), spec.description.clone()),
    ]);
    labels.extend(content.labels.clone());
    let settings = Settings {
        architecture: site.architecture.clone(),
        user: spec.user.as_ref().map(|user| user.id),
        env: stack.env,
        entrypoint: vec![LAUNCH_PATH.into()],
        cmd: content.cmd.clone(),
        working_dir: spec.working_dir.clone(),
        ports: spec.ports.clone(),
        labels,
    };
    Ok(ImagePlan { name: name.to_owned(), server_name: site.server_name.to_owned(), repository: site.repository.to_owned(), settings, layers })
}

/// The layers of an image and of those below it, planned once.
fn stack(specs: &BTreeMap<String, ImageSpec>, image: &str, stacks: &mut BTreeMap<String, Stack>, packages: &mut PackagesOf<'_>) -> Result<Stack> {
    let mut sum = Stack::default();
    for (name, spec) in chain(specs, image)?.into_iter().rev() {
        if let Some(stack) = stacks.get(name) {
            sum = stack.clone();
            continue;
        }
        sum.env.extend(spec.env.clone());
        // The service's user has a name in the lowest layer of its own image, unless a layer names it.
        let mut user = spec.user.as_ref().filter(|user| !sum.accounts.contains(user) && !spec.layers.iter().any(|layer| layer.accounts.contains(user)));
        for layer in &spec.layers {
            let packages = packages(name, layer)?;
            let layer = self::layer(name, layer, user.take(), &mut sum, packages)?;
            sum.layers.push(Arc::new(layer));
        }
        if let Some(user) = user {
            return Err(Error::environment(
                format!("the user {} of the image {name} has no account, and the image no layer to put one into", user.name),
                "add an [[layer.account]] to the image that it is built from",
            ));
        }
        stacks.insert(name.to_owned(), sum.clone());
    }
    Ok(sum)
}

fn layer(image: &str, spec: &LayerSpec, user: Option<&User>, sum: &mut Stack, packages: Vec<SharedPackage>) -> Result<LayerPlan> {
    let inherited = sum.directories.clone();
    let mut directories = BTreeMap::new();
    for directory in &spec.directories {
        let mode = mode(image, &directory.path, directory.mode.as_deref(), 0o755, 0o1777)?;
        directories.insert(inner(&directory.path)?, Meta { mode, uid: directory.owner, gid: directory.owner });
    }
    let mut links = BTreeMap::new();
    for link in &spec.links {
        let path = inner(&link.path)?;
        sum.aliases.insert(path.clone(), resolve(&path, &link.target));
        links.insert(path, link.target.clone());
    }
    let mut files = BTreeMap::new();
    for file in &spec.files {
        let mode = mode(image, &file.path, file.mode.as_deref(), 0o644, 0o775)?;
        files.insert(inner(&file.path)?, FileContent { bytes: file.content.clone().into_bytes(), mode });
    }
    if !spec.accounts.is_empty() || user.is_some() {
        // A layer's file hides that of a lower layer: it lists the accounts of both.
        sum.accounts.extend(spec.accounts.iter().chain(user).cloned());
        let (passwd, group) = accounts::files(&sum.accounts)?;
        for (path, text) in [("etc/passwd", passwd), ("etc/group", group)] {
            if files.insert(path.to_owned(), FileContent { bytes: text.into_bytes(), mode: 0o644 }).is_some() {
                return Err(Error::environment(
                    format!("the image {image} has both accounts and a file /{path}"),
                    "leave the file out of image.toml; it is made from the accounts",
                ));
            }
        }
    }
    let ca_bundle = spec.ca_bundle.as_deref().map(inner).transpose()?;
    sum.directories.extend(directories.clone());
    Ok(LayerPlan {
        name: spec.name.clone(),
        packages,
        exclude: spec.exclude.clone(),
        include: spec.include.clone(),
        directories,
        inherited,
        links,
        aliases: sum.aliases.clone(),
        files,
        ca_bundle,
    })
}

/// An absolute path as members are written.
fn inner(path: &str) -> Result<String> {
    let inside = path.strip_prefix('/').filter(|path| !path.split('/').any(|part| matches!(part, "" | "." | "..")));
    inside
        .map(str::to_owned)
        .ok_or_else(|| Error::environment(format!("`{path}` is no absolute path of a file in an image"), "write it like /etc/synapse/homeserver.yaml"))
}

/// Octal permission bits out of those that are `allowed`.
fn mode(image: &str, path: &str, text: Option<&str>, default: u32, allowed: u32) -> Result<u32> {
    let Some(text) = text else { return Ok(default) };
    u32::from_str_radix(text, 8).ok().filter(|mode| mode & !allowed == 0).ok_or_else(|| {
        Error::environment(format!("images/{image}/image.toml: `{text}` is no mode for {path}"), format!("write octal digits, no more than \"{allowed:04o}\""))
    })
}
