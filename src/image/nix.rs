//! The definitions of images for a Nix closure. Takes `image.toml` as it is read for both sources, the store paths that nixpkgs
//! gave for its names, and the division of their closure; gives definitions of the same kind that hold layers of store paths,
//! and above them, from the same tables, the directories, files, accounts and links that are made. So everything behind
//! [`crate::image::plan`] is the same for both sources.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::{self, ImageSpec, LayerSpec, Link, Nix};
use crate::error::{Error, Result};
use crate::image::layering::{Needs, Stacks};

/// The store paths of an image's packages, by their names in `image.toml`; those of the image that it is built from are apart.
pub type Found = BTreeMap<String, BTreeMap<String, String>>;

/// What the images need, those that they are built from included.
///
/// # Errors
/// An environment failure for an image without a definition or without packages in nixpkgs, and for a package that was not found.
pub fn needs(specs: &BTreeMap<String, ImageSpec>, found: &Found, images: &BTreeSet<String>) -> Result<BTreeMap<String, Needs>> {
    images
        .iter()
        .map(|image| {
            let chain = chain(specs, image)?;
            let roots = paths(&chain, found)?.into_values().collect();
            let applications = chain.iter().flat_map(|(_, spec)| spec.nix.path.iter().cloned()).collect();
            Ok((image.clone(), Needs { roots, applications }))
        })
        .collect()
}

/// The definitions of these images, each complete in itself.
///
/// # Errors
/// As [`needs`]; an environment failure for a `${NAME}` that names no package.
pub fn definitions(specs: &BTreeMap<String, ImageSpec>, found: &Found, stacks: &Stacks) -> Result<BTreeMap<String, ImageSpec>> {
    stacks
        .iter()
        .map(|(image, groups)| {
            let chain = chain(specs, image)?;
            let paths = paths(&chain, found)?;
            let fill = |place: &str, text: &str| filled(text, &paths).map_err(|name| unknown(image, place, &name));
            // What is made lies above the closure: a new store path in a link then leaves the layers below as they are.
            let mut layers: Vec<LayerSpec> = groups.iter().map(|group| LayerSpec { name: group.name.clone(), ..LayerSpec::default() }).collect();
            let mut env = BTreeMap::new();
            let mut directories = Vec::new();
            for (name, spec) in &chain {
                env.extend(spec.env.clone());
                for (variable, value) in &spec.nix.env {
                    env.insert(variable.clone(), fill(variable, value)?);
                }
                directories.extend(search_path(image, &spec.nix, &paths)?);
                layers.extend(made(name, spec, &fill)?);
            }
            env.insert("PATH".to_owned(), directories.join(":"));
            let spec = definition::find(specs, image)?.1;
            Ok((image.clone(), ImageSpec { from: None, python: None, nix: Nix::default(), env, layers, ..spec.clone() }))
        })
        .collect()
}

/// An image and those that it is built from, lowest first.
fn chain<'a>(specs: &'a BTreeMap<String, ImageSpec>, image: &str) -> Result<Vec<(&'a str, &'a ImageSpec)>> {
    let mut chain = definition::chain(specs, image)?;
    chain.reverse();
    match chain.last() {
        Some((_, spec)) if spec.nix.path.is_empty() => Err(Error::environment(
            format!("images/{image}/image.toml does not say what the image holds of nixpkgs"),
            "add [nix] with the packages and the path of its programs, or build it with `synapse-site build`",
        )),
        _ => Ok(chain),
    }
}

/// The store paths by name; an upper image's packages come before those of the images below it.
fn paths(chain: &[(&str, &ImageSpec)], found: &Found) -> Result<BTreeMap<String, String>> {
    let mut paths = BTreeMap::new();
    for (image, spec) in chain {
        for (name, package) in &spec.nix.packages {
            let path = found.get(*image).and_then(|packages| packages.get(name)).ok_or_else(|| {
                Error::environment(
                    format!("the builder was given no store path for {name} ({}) of images/{image}/image.toml", package.attribute),
                    "use nix/images.nix and the tool of the same version",
                )
            })?;
            paths.insert(name.clone(), path.clone());
        }
    }
    Ok(paths)
}

fn search_path(image: &str, nix: &Nix, paths: &BTreeMap<String, String>) -> Result<Vec<String>> {
    nix.path.iter().map(|name| Ok(format!("{}/bin", paths.get(name).ok_or_else(|| unknown(image, "path", name))?))).collect()
}

/// What an image definition makes, as layers without packages.
fn made(image: &str, spec: &ImageSpec, fill: &dyn Fn(&str, &str) -> Result<String>) -> Result<Option<LayerSpec>> {
    let mut made = LayerSpec { name: format!("system of {image}"), ..LayerSpec::default() };
    for layer in &spec.layers {
        made.directories.extend(layer.directories.iter().cloned());
        made.files.extend(layer.files.iter().cloned());
        made.accounts.extend(layer.accounts.iter().cloned());
    }
    for link in &spec.nix.links {
        made.links.push(Link { path: link.path.clone(), target: fill(&link.path, &link.target)? });
    }
    let empty = made.directories.is_empty() && made.files.is_empty() && made.accounts.is_empty() && made.links.is_empty();
    Ok((!empty).then_some(made))
}

/// A text with store paths in place of `${NAME}`, or the name that has none.
fn filled(text: &str, paths: &BTreeMap<String, String>) -> std::result::Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| after.to_owned())?;
        filled.push_str(before);
        filled.push_str(paths.get(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn unknown(image: &str, place: &str, name: &str) -> Error {
    Error::environment(
        format!("images/{image}/image.toml: [nix] {place} names the package `{name}`, which is not among its packages"),
        "add [nix.package.…] for it, or correct the name",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::layering::Group;

    const DEFINITIONS: [(&str, &str); 2] = [
        (
            "base",
            r#"
            description = "base"
            [nix.package.tzdata]
            attribute = "tzdata"
            [nix.env]
            TZDIR = "${tzdata}/zones"
            [[layer]]
            name = "base"
            debian = ["libc6"]
            ca_bundle = "/etc/ssl/bundle"
            [[layer.link]]
            path = "/lib"
            target = "usr/lib"
            [[layer.directory]]
            path = "/tmp"
            mode = "1777"
            [[layer.account]]
            name = "redis"
            id = 10003
            "#,
        ),
        (
            "redis",
            r#"
            description = "redis"
            from = "base"
            ports = ["6379/tcp"]
            [user]
            name = "redis"
            id = 10003
            [env]
            PATH = "/usr/bin"
            LANG = "C.UTF-8"
            [nix]
            path = ["redis"]
            [nix.package.redis]
            attribute = "redis"
            [[nix.link]]
            path = "/bin/r"
            target = "${redis}/bin/r"
            [[layer]]
            name = "application"
            debian = ["redis-server"]
            "#,
        ),
    ];

    fn specs() -> BTreeMap<String, ImageSpec> {
        DEFINITIONS.iter().map(|(name, text)| ((*name).to_owned(), toml::from_str(text).unwrap())).collect()
    }

    fn found() -> Found {
        [("base", "tzdata"), ("redis", "redis")]
            .map(|(image, name)| (image.to_owned(), BTreeMap::from([(name.to_owned(), format!("/nix/store/x-{name}"))])))
            .into()
    }

    #[test]
    fn the_same_image_of_other_packages() {
        let (specs, found) = (specs(), found());
        let needs = needs(&specs, &found, &BTreeSet::from(["redis".to_owned()])).unwrap();
        assert_eq!(needs["redis"].roots, BTreeSet::from(["/nix/store/x-redis".to_owned(), "/nix/store/x-tzdata".to_owned()]));
        assert_eq!(needs["redis"].applications, BTreeSet::from(["redis".to_owned()]));
        let group = Group { name: "one".into(), paths: needs["redis"].roots.clone() };
        let definitions = definitions(&specs, &found, &BTreeMap::from([("redis".to_owned(), vec![group])])).unwrap();
        let redis = &definitions["redis"];
        assert_eq!((&redis.from, &redis.user, &redis.ports), (&None, &specs["redis"].user, &specs["redis"].ports));
        assert_eq!(redis.env["PATH"], "/nix/store/x-redis/bin");
        assert_eq!(redis.env["TZDIR"], "/nix/store/x-tzdata/zones");
        assert_eq!(redis.env["LANG"], "C.UTF-8");
        assert_eq!(redis.layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>(), ["one", "system of base", "system of redis"]);
        let base = &redis.layers[1];
        assert_eq!((&base.directories, &base.accounts), (&specs["base"].layers[0].directories, &specs["base"].layers[0].accounts));
        assert!(base.debian.is_empty() && base.links.is_empty() && base.ca_bundle.is_none());
        assert_eq!(redis.layers[2].links, [Link { path: "/bin/r".into(), target: "/nix/store/x-redis/bin/r".into() }]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let images = BTreeSet::from(["redis".to_owned()]);
        let error = |specs: &BTreeMap<String, ImageSpec>, found: &Found| needs(specs, found, &images).unwrap_err().to_string();
        let mut less = found();
        less.get_mut("redis").unwrap().clear();
        assert!(error(&specs(), &less).contains("no store path for redis (redis) of images/redis/image.toml"));
        let mut bare = specs();
        bare.get_mut("redis").unwrap().nix = Nix::default();
        assert!(error(&bare, &found()).contains("does not say what the image holds of nixpkgs"));
        assert!(error(&BTreeMap::new(), &found()).contains("no definition of the image redis"));
        let mut round = specs();
        round.get_mut("base").unwrap().from = Some("redis".into());
        assert!(error(&round, &found()).contains("is built from itself"));
        let mut other = specs();
        other.get_mut("redis").unwrap().nix.links[0].target = "${valkey}/bin".into();
        let stacks = BTreeMap::from([("redis".to_owned(), Vec::new())]);
        assert!(definitions(&other, &found(), &stacks).unwrap_err().to_string().contains("[nix] /bin/r names the package `valkey`"));
    }
}
