//! From names in image definitions to packages that can be walked: the lock says which file it is, the cache has it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::progress::ProgressReporter;
use crate::definition::lock::{DebianPackage, WheelFile};
use crate::definition::{Definitions, chain};
use crate::definition::{ImageSpec, LayerSpec, Python};
use crate::error::{Error, Result};
use crate::image::exclude::Rules;
use crate::image::layer::SharedPackage;
use crate::image::oci::Image;
use crate::image::sbom::{self, Component};
use crate::package::Entry;
use crate::package::bytecode::{Compiled, Compiler};
use crate::package::cache::Cache;
use crate::package::deb::Deb;
use crate::package::wheel::{Scheme, Wheel};

/// Gives the packages of layers.
pub struct Packages<'a> {
    cache: &'a Cache,
    sources: &'a Definitions,
    shown: Arc<ProgressReporter>,
}

impl<'a> Packages<'a> {
    /// From these sources, as far as the cache holds them.
    pub fn new(cache: &'a Cache, sources: &'a Definitions, shown: Arc<ProgressReporter>) -> Self {
        Self { cache, sources, shown }
    }

    /// The packages of one layer of an image.
    pub fn of(&self, image: &str, layer: &LayerSpec) -> Result<Vec<SharedPackage>> {
        let spec = self.spec(image)?;
        let mut packages: Vec<SharedPackage> = Vec::new();
        for name in &layer.debian {
            packages.push(Box::new(self.deb(image, name)?));
        }
        if let Some(python) = &spec.python {
            let scheme = Scheme::of(python);
            for wheel in self.wheels(image, spec, layer)? {
                packages.push(Box::new(self.wheel(wheel, scheme.clone())?));
            }
            packages = self.compiled(image, python, layer, packages)?;
        }
        Ok(packages)
    }

    fn compiled(&self, image: &str, python: &Python, layer: &LayerSpec, packages: Vec<SharedPackage>) -> Result<Vec<SharedPackage>> {
        // The interpreter's packages may be those of a lower image.
        let interpreter = python.interpreter_packages.iter().map(|name| self.deb(image, name)).collect::<Result<Vec<_>>>()?;
        let compiler = Arc::new(Compiler::new(self.cache.clone(), python, interpreter, self.shown.clone()));
        let rules = Arc::new(Rules::new(&layer.exclude, &layer.include)?);
        let text = serde_json::json!([layer.exclude, layer.include]).to_string();
        Ok(packages
            .into_iter()
            .map(|package| -> SharedPackage {
                let rules = Arc::clone(&rules);
                Box::new(Compiled::new(package, Arc::clone(&compiler), Arc::new(move |entry: &Entry| rules.keeps(entry)), &text))
            })
            .collect())
    }

    /// The wheels that a layer names; `*` means those that no other layer of the image names.
    fn wheels(&self, image: &str, spec: &ImageSpec, layer: &LayerSpec) -> Result<Vec<&'a WheelFile>> {
        if layer.wheels.is_empty() {
            return Ok(Vec::new());
        }
        let lock = self.sources.python.get(image).ok_or_else(|| unlocked(image, "python.lock"))?;
        if layer.wheels == ["*"] {
            let named: BTreeSet<&str> = spec.layers.iter().flat_map(|layer| &layer.wheels).map(String::as_str).collect();
            return Ok(lock.wheels.iter().filter(|wheel| !named.contains(wheel.name.as_str())).collect());
        }
        layer.wheels.iter().map(|name| lock.get(name).ok_or_else(|| missing(image, name, "python.lock"))).collect()
    }

    /// A Debian package of an image or of those below it.
    fn deb(&self, image: &str, name: &str) -> Result<Deb> {
        let package = locked_deb(self.sources, image, name)?;
        let path = self.cached(&package.sha256, name)?;
        Ok(Deb { path, name: package.name.clone(), version: package.version.clone(), sha256: package.sha256.clone() })
    }

    fn wheel(&self, wheel: &WheelFile, scheme: Scheme) -> Result<Wheel> {
        let path = self.cached(&wheel.sha256, &wheel.name)?;
        Ok(Wheel { path, name: wheel.name.clone(), version: wheel.version.clone(), sha256: wheel.sha256.clone(), scheme })
    }

    fn cached(&self, sha256: &str, name: &str) -> Result<std::path::PathBuf> {
        self.cache.package(sha256).ok_or_else(|| {
            Error::environment(format!("{name} vanished from the cache while this program ran"), "do not clear the cache during a build; build again")
        })
    }

    fn spec(&self, image: &str) -> Result<&'a ImageSpec> {
        self.sources
            .specs
            .get(image)
            .ok_or_else(|| Error::environment(format!("there is no definition of the image {image}"), "name the right directory with --images"))
    }
}

fn locked_deb<'a>(sources: &'a Definitions, image: &str, name: &str) -> Result<&'a DebianPackage> {
    let chain = chain(&sources.specs, image)?;
    chain.into_iter().find_map(|(place, _)| sources.debian.get(place)?.get(name)).ok_or_else(|| missing(image, name, "debian.lock"))
}

fn unlocked(image: &str, file: &str) -> Error {
    Error::environment(format!("images/{image} has no {file}"), "run `synapse-site lock`")
}

fn missing(image: &str, name: &str, file: &str) -> Error {
    Error::environment(
        format!("images/{image}/image.toml names {name}, which its {file} does not have"),
        "run `synapse-site lock` after a change of image.toml",
    )
}

/// What an image is made of, for scanners.
pub fn bill_of_materials(sources: &Definitions, image: &Image) -> Result<Vec<u8>> {
    let mut components = Vec::new();
    for (name, _) in chain(&sources.specs, &image.name)? {
        for package in sources.debian.get(name).into_iter().flat_map(|lock| &lock.packages) {
            let version = package.version.replace('+', "%2B").replace(':', "%3A");
            let purl = format!("pkg:deb/debian/{}@{version}?arch={}", package.name.replace('+', "%2B"), package.architecture);
            components.push(Component { name: package.name.clone(), version: package.version.clone(), purl, sha256: package.sha256.clone() });
        }
        for wheel in sources.python.get(name).into_iter().flat_map(|lock| &lock.wheels) {
            let purl = format!("pkg:pypi/{}@{}", wheel.name, wheel.version.replace('+', "%2B"));
            components.push(Component { name: wheel.name.clone(), version: wheel.version.clone(), purl, sha256: wheel.sha256.clone() });
        }
    }
    sbom::cyclonedx(image, &components)
}
