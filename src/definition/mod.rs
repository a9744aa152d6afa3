//! What images hold, as data: `images/<name>/image.toml` and the locks beside it. One reader for both sources of packages, Debian's
//! and PyPI's files as well as nixpkgs.

mod image;
pub mod lock;
mod source;

use std::collections::BTreeMap;

use crate::error::{Error, Result};

pub use image::{Directory, ImageSpec, LayerSpec, Link, Nix, NixPackage, Python, TextFile, User};
pub use source::{Definitions, Source};

/// An image and those that it is built from, its own first.
///
/// # Errors
/// [`Error::Environment`] for an image without a definition, and for one that is built from itself.
pub fn chain<'a>(images: &'a BTreeMap<String, ImageSpec>, image: &str) -> Result<Vec<(&'a str, &'a ImageSpec)>> {
    let mut chain: Vec<(&str, &ImageSpec)> = Vec::new();
    let mut next = Some(image);
    while let Some(name) = next {
        if chain.iter().any(|(other, _)| *other == name) {
            return Err(Error::environment(format!("the image {name} is built from itself"), "correct `from` in its image.toml"));
        }
        let (name, spec) = find(images, name)?;
        chain.push((name, spec));
        next = spec.from.as_deref();
    }
    Ok(chain)
}

/// The definition of an image, with its name.
///
/// # Errors
/// [`Error::Environment`] for an image without one.
pub fn find<'a>(images: &'a BTreeMap<String, ImageSpec>, image: &str) -> Result<(&'a str, &'a ImageSpec)> {
    images.get_key_value(image).map(|(name, spec)| (name.as_str(), spec)).ok_or_else(|| {
        let names = images.keys().cloned().collect::<Vec<_>>().join(", ");
        Error::environment(
            format!("there is no definition of the image {image}; there are {names}"),
            "name the directory images/ of this version with --images, or add an image.toml for it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(definitions: &str) -> BTreeMap<String, ImageSpec> {
        toml::from_str(definitions).expect("definitions")
    }

    #[test]
    fn an_image_has_those_below_it() {
        let all = images("[base]\ndescription=''\n[app]\ndescription=''\nfrom='base'\n");
        let names: Vec<&str> = chain(&all, "app").expect("a chain").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["app", "base"]);
    }

    #[test]
    fn a_chain_ends() {
        let round = images("[base]\ndescription=''\nfrom='app'\n[app]\ndescription=''\nfrom='base'\n");
        assert!(chain(&round, "app").expect_err("a circle").to_string().contains("built from itself"));
        let torn = images("[app]\ndescription=''\nfrom='gone'\n");
        assert!(chain(&torn, "app").expect_err("nothing below").to_string().contains("no definition of the image gone; there are app"));
    }
}
