//! Which store paths share a layer. Takes the reference graph and the paths that each image needs, gives layers and each
//! image's stack of them. Three questions decide, in this order.
//!
//! *Which images need it?* Only paths that exactly the same images need share a layer, so that no image holds what it does not
//! need. Layers of more images lie lower: engines with the classic store share a layer only with all that is below it. A path
//! is never above one that depends on it, since whoever needs the dependent needs the path.
//!
//! *How often does it change?* A store path changes whenever something that it depends on does, so what many paths depend on
//! changes least often: otherwise nearly everything would be new each time. Counted over the whole graph, paths that half of
//! all depend on are the `base` (the C library and what it needs), those with an eighth the `runtime` (an interpreter, TLS), the
//! rest are `libraries`. What a service was asked for, and what bears its name, is its `application`: it changes with every
//! release. Popularity alone, which other builders use, puts each of the popular paths into a layer of its own and all the rest,
//! most of the bytes, into one.
//!
//! *How big is it?* A path of half the target size or more is a layer of its own (with other such paths of the same package). Smaller ones are spread over buckets by a hash of
//! the package's name (not of its version or store hash), where the number of buckets is the power of two that makes them about
//! as big as the target. So a path that gets another version stays in its bucket and moves no other: only when the sum passes a
//! power of two are buckets split. The target begins at 32 MiB and is doubled until no image has more than the layers it may
//! have; at last, the division by frequency is given up.
//!
//! Nothing depends on the order of the graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::image::digest::Digest;
use crate::package::closure::{Graph, StorePath, name, package_name};

/// Layers of store paths that an image may have, besides those for the launcher, accounts and configuration.
pub const MOST: usize = 60;
/// The size that layers are made for, in bytes of Nix archives.
const TARGET: u64 = 32 << 20;
/// No closure comes near: from here on there is nothing to be won.
const LARGEST_TARGET: u64 = 1 << 40;

/// What one image needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The store paths that it asks for.
    pub roots: BTreeSet<String>,
    /// The names of the packages that hold its programs: `matrix-synapse`.
    pub applications: BTreeSet<String>,
}

/// How often something changes, least often first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stratum {
    Base,
    Runtime,
    Libraries,
    Application,
}

/// A layer of store paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Unique among the layers of a site: `libraries 2 of synapse`.
    pub name: String,
    /// The paths, sorted.
    pub paths: BTreeSet<String>,
}

/// The layers of each image, lowest first.
pub type Stacks = BTreeMap<String, Vec<Group>>;

/// What decides the layer of a path, in the order in which layers lie.
type Place<'a> = (std::cmp::Reverse<usize>, Vec<&'a str>, Stratum, String);

/// Divides the closures of all images into layers.
///
/// # Errors
/// An environment failure when an image asks for a path that the graph does not have.
pub fn divide(graph: &Graph, images: &BTreeMap<String, Needs>, most: usize) -> Result<Stacks> {
    let mut needed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (image, needs) in images {
        for path in graph.closure(needs.roots.iter().map(String::as_str))? {
            needed.entry(path).or_default().push(image);
        }
    }
    let layering = layering(graph, images, &needed);
    let mut target = TARGET;
    loop {
        let stacks = stack(graph, &needed, images, &layering, target);
        if stacks.values().all(|stack| stack.len() <= most) {
            return Ok(stacks);
        }
        if target >= LARGEST_TARGET {
            return Ok(stack(graph, &needed, images, &BTreeMap::new(), target));
        }
        target *= 2;
    }
}

/// How often each path changes.
fn layering<'a>(graph: &'a Graph, images: &BTreeMap<String, Needs>, needed: &BTreeMap<&'a str, Vec<&str>>) -> BTreeMap<&'a str, Stratum> {
    let dependents = dependents(graph, needed);
    // A family of packages: the service, the same without its wrapper, its modules.
    let families: Vec<(&str, &str)> =
        images.iter().flat_map(|(image, needs)| needs.applications.iter().map(move |family| (image.as_str(), family.as_str()))).collect();
    let all = needed.len();
    needed
        .iter()
        .map(|(path, users)| {
            let is_family = |(image, family): &(&str, &str)| users.as_slice() == [*image] && bears(name(path), family);
            let stratum = match dependents.get(path).copied().unwrap_or_default() {
                _ if families.iter().any(is_family) => Stratum::Application,
                count if count * 2 >= all => Stratum::Base,
                count if count * 8 >= all => Stratum::Runtime,
                _ => Stratum::Libraries,
            };
            (*path, stratum)
        })
        .collect()
}

/// How many of the needed paths depend on each of them, itself included. Sixty-four dependents at a time are passed down the whole
/// graph as the bits of a number: a store path after the other would take the square of the graph's length for a long chain.
fn dependents<'a>(graph: &'a Graph, needed: &BTreeMap<&'a str, Vec<&str>>) -> BTreeMap<&'a str, usize> {
    let ordered: Vec<&StorePath> = graph.ordered().into_iter().filter(|path| needed.contains_key(path.path.as_str())).collect();
    let places: BTreeMap<&str, usize> = ordered.iter().enumerate().map(|(place, path)| (path.path.as_str(), place)).collect();
    // What a needed path refers to is needed, too.
    let references: Vec<Vec<usize>> =
        ordered.iter().map(|path| path.references.iter().filter_map(|reference| places.get(reference.as_str()).copied()).collect()).collect();
    let mut counts = vec![0; ordered.len()];
    let mut bits = vec![0_u64; ordered.len()];
    for first in (0..ordered.len()).step_by(u64::BITS as usize) {
        bits.fill(0);
        // Nothing before the first of them depends on one of them.
        for place in first..ordered.len() {
            if place - first < u64::BITS as usize {
                bits[place] |= 1 << (place - first);
            }
            counts[place] += bits[place].count_ones() as usize;
            for reference in &references[place] {
                bits[*reference] |= bits[place];
            }
        }
    }
    ordered.iter().zip(counts).map(|(path, count)| (path.path.as_str(), count)).collect()
}

/// Whether a name holds another as whole words: `python3.13-matrix-synapse-ldap3-0.4.0` bears `matrix-synapse`.
fn bears(name: &str, family: &str) -> bool {
    format!("-{name}-").contains(&format!("-{family}-"))
}

fn stack(
    graph: &Graph,
    needed: &BTreeMap<&str, Vec<&str>>,
    images: &BTreeMap<String, Needs>,
    layering: &BTreeMap<&str, Stratum>,
    target: u64,
) -> BTreeMap<String, Vec<Group>> {
    let stratum = |path: &StorePath| layering.get(path.path.as_str()).copied().unwrap_or(Stratum::Base);
    let small = |path: &StorePath| path.nar_size < target / 2;
    let mut sums: BTreeMap<(&[&str], Stratum), u64> = BTreeMap::new();
    let paths = || needed.iter().filter_map(|(path, users)| Some((graph.get(path)?, users)));
    for (path, users) in paths().filter(|(path, _)| small(path)) {
        *sums.entry((users, stratum(path))).or_default() += path.nar_size;
    }
    let mut groups: BTreeMap<Place<'_>, BTreeSet<String>> = BTreeMap::new();
    for (path, users) in paths() {
        let stratum = stratum(path);
        let within = if small(path) {
            let sum = sums.get(&(users.as_slice(), stratum)).copied().unwrap_or_default();
            bucket(package_name(&path.path), sum.div_ceil(target).next_power_of_two())
        } else {
            package_name(&path.path).to_owned()
        };
        groups.entry((std::cmp::Reverse(users.len()), users.clone(), stratum, within)).or_default().insert(path.path.clone());
    }
    let mut stacks: BTreeMap<String, Vec<Group>> = images.keys().map(|image| (image.clone(), Vec::new())).collect();
    for ((_, users, stratum, within), paths) in groups {
        let kind = format!("{stratum:?}").to_lowercase();
        let name = format!("{kind} {within} of {}", users.join("+"));
        for image in users {
            if let Some(stack) = stacks.get_mut(image) {
                stack.push(Group { name: name.clone(), paths: paths.clone() });
            }
        }
    }
    stacks
}

/// The bucket of a package's name among so many, which are a power of two: `3/4`.
fn bucket(package: &str, buckets: u64) -> String {
    let digits = &Digest::of(package.as_bytes()).hex()[..8];
    // Eight hexadecimal digits are always a number.
    let number = u64::from_str_radix(digits, 16).unwrap_or_default();
    format!("{}/{buckets}", number % buckets + 1)
}

#[cfg(test)]
mod tests;
