//! A layer: packages, the rules that leave some of their members out, and what is made in place of maintainer scripts. Takes a
//! [`LayerPlan`], gives a [`Layer`] whose blob lies in the cache under a key that is a pure function of the plan.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::image::digest::{Digest, Summing};
use crate::image::exclude::{EXCLUDE, INCLUDE, Rules};
use crate::image::gzip::GzipWriter;
use crate::image::progress::Progress;
use crate::image::store::{LayerStore, Record};
use crate::image::tree::{Meta, Tree};
use crate::interrupt;
use crate::package::{Entry, Kind, Package};

/// Raised whenever equal plans would give other bytes than before: a change of the tar or gzip writer, of the order of
/// members, of libdeflate.
pub const FORMAT: u32 = 1;

/// A package that threads can share.
pub type SharedPackage = Box<dyn Package + Send + Sync>;

/// A file with its whole content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// The content.
    pub bytes: Vec<u8>,
    /// Permission bits; the owner is root.
    pub mode: u32,
}

/// Everything that decides what a layer holds. Paths are written as in [`Entry::path`].
#[derive(Default)]
pub struct LayerPlan {
    /// What people call it: `base`, `launcher`. Does not decide anything.
    pub name: String,
    /// The packages, in any order.
    pub packages: Vec<SharedPackage>,
    /// Patterns of members to leave out, besides [`EXCLUDE`].
    pub exclude: Vec<String>,
    /// Exceptions.
    pub include: Vec<String>,
    /// Directories to make.
    pub directories: BTreeMap<String, Meta>,
    /// Directories that lower layers made.
    pub inherited: BTreeMap<String, Meta>,
    /// Symbolic links to make: path to target.
    pub links: BTreeMap<String, String>,
    /// Links that this and lower layers made, resolved by [`crate::image::tree::resolve`]: what lies below one goes to its target.
    pub aliases: BTreeMap<String, String>,
    /// Files to make.
    pub files: BTreeMap<String, FileContent>,
    /// Where to put the sorted concatenation of the packages' CA certificates.
    pub ca_bundle: Option<String>,
}

/// A finished layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// As in the plan.
    pub name: String,
    /// What its content is a pure function of.
    pub key: Digest,
    /// Digest of the uncompressed archive.
    pub diff_id: Digest,
    /// Digest of the compressed blob.
    pub digest: Digest,
    /// Compressed bytes.
    pub size: u64,
    /// Uncompressed bytes.
    pub uncompressed_size: u64,
    /// The compressed blob.
    #[serde(skip)]
    pub blob: PathBuf,
    /// The packages in it, sorted.
    pub packages: Vec<String>,
}

/// What the key is the digest of.
#[derive(Serialize)]
struct KeyParts<'a> {
    format: u32,
    packages: Vec<(String, String)>,
    exclude: Vec<&'a str>,
    include: Vec<&'a str>,
    directories: &'a BTreeMap<String, Meta>,
    inherited: &'a BTreeMap<String, Meta>,
    links: &'a BTreeMap<String, String>,
    aliases: &'a BTreeMap<String, String>,
    files: BTreeMap<&'a str, (u32, Digest)>,
    ca_bundle: Option<&'a str>,
}

/// Lets packages do side by side what can be done ahead. What they do does not depend on the order; of several errors the one of
/// the first package is told.
fn prepare(packages: &[SharedPackage], threads: usize) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> std::result::Result<(), (usize, Error)> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(package) = packages.get(at) else { return Ok(()) };
            package.prepare().map_err(|error| {
                // The others stop at their next package.
                next.store(packages.len(), Ordering::Relaxed);
                (at, error)
            })?;
        }
    };
    let mut failures: Vec<(usize, Error)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(packages.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).err()).collect()
    });
    failures.sort_by_key(|failure| failure.0);
    failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
}

impl LayerPlan {
    /// The packages in the order in which they go into the layer: by label, then by key.
    fn ordered(&self) -> Vec<(String, String, &SharedPackage)> {
        let mut packages: Vec<_> = self.packages.iter().map(|package| (package.label(), package.key(), package)).collect();
        packages.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        packages
    }

    /// The labels of the packages, sorted.
    pub fn labels(&self) -> Vec<String> {
        self.ordered().into_iter().map(|(label, ..)| label).collect()
    }

    /// What the layer's bytes are a pure function of.
    ///
    /// # Errors
    /// None in practice: plain text always serialises.
    pub fn key(&self) -> Result<Digest> {
        let sorted = |own: &[&'static str], more: &'_ [String]| -> Vec<String> {
            let mut all: Vec<String> = own.iter().map(|p| (*p).to_owned()).chain(more.iter().cloned()).collect();
            all.sort();
            all.dedup();
            all
        };
        let (exclude, include) = (sorted(EXCLUDE, &self.exclude), sorted(INCLUDE, &self.include));
        let parts = KeyParts {
            format: FORMAT,
            packages: self.ordered().into_iter().map(|(label, key, _)| (label, key)).collect(),
            exclude: exclude.iter().map(String::as_str).collect(),
            include: include.iter().map(String::as_str).collect(),
            directories: &self.directories,
            inherited: &self.inherited,
            links: &self.links,
            aliases: &self.aliases,
            files: self.files.iter().map(|(path, file)| (path.as_str(), (file.mode, Digest::of(&file.bytes)))).collect(),
            ca_bundle: self.ca_bundle.as_deref(),
        };
        let text = serde_json::to_vec(&parts)
            .map_err(|error| Error::environment(format!("the layer {} has no key: {error}", self.name), "report this as a defect"))?;
        Ok(Digest::of(&text))
    }

    /// Takes the layer from the store, or makes it and puts it there.
    ///
    /// # Errors
    /// An environment failure when a package cannot be read, its members contradict each other, or the store cannot be
    /// written; [`Error::Interrupted`]. Nothing half made stays in the store.
    pub fn build(&self, store: &LayerStore, threads: usize, progress: &dyn Progress) -> Result<Layer> {
        let key = self.key()?;
        let (found, reused) = match store.find(&key)? {
            Some(found) => (found, true),
            None => (self.make(&key, store, threads, progress)?, false),
        };
        let (blob, Record { diff_id, digest, size, uncompressed_size, .. }) = found;
        let layer = Layer { name: self.name.clone(), key, diff_id, digest, size, uncompressed_size, blob, packages: self.labels() };
        progress.layer_finished(&layer, reused);
        Ok(layer)
    }

    fn make(&self, key: &Digest, store: &LayerStore, threads: usize, progress: &dyn Progress) -> Result<(PathBuf, Record)> {
        progress.layer_started(&self.name, self.packages.len());
        prepare(&self.packages, threads)?;
        let unwritable = |error: &std::io::Error| {
            Error::environment(
                format!("the layer {} cannot be written to the cache: {error}", self.name),
                "free some space, or choose another place for the cache",
            )
        };
        let blob = Summing::new(store.create(key)?);
        let gzip = GzipWriter::new(blob, threads).map_err(|error| unwritable(&error))?;
        let (gzip, members) = self.write(Summing::new(gzip), progress)?;
        let (gzip, diff_id, uncompressed_size) = gzip.finish();
        let (blob, digest, size) = gzip.finish().map_err(|error| unwritable(&error))?.finish();
        let record = Record { diff_id, digest, size, uncompressed_size, members };
        Ok((store.commit(key, blob, &record)?, record))
    }

    /// Writes the uncompressed archive; gives back `out` and the number of members.
    ///
    /// # Errors
    /// As [`LayerPlan::build`].
    pub fn write<W: Write>(&self, out: W, progress: &dyn Progress) -> Result<(W, u64)> {
        let rules = Rules::new(&self.exclude, &self.include)?;
        let mut tree = Tree::new(out, &self.aliases, &self.inherited);
        // Directories first, so that what image.toml says about one holds against packages; links last, since by then
        // every parent has the mode that its package gives it.
        for (path, meta) in &self.directories {
            tree.make_directory(path, *meta)?;
        }
        let mut certificates = BTreeMap::new();
        let mut bytes = 0;
        for (label, _, package) in self.ordered() {
            progress.layer_package(&self.name, &label);
            tree.begin_package(label.clone());
            package.walk(&mut |entry, content| {
                interrupt::check()?;
                if let Kind::File { size } = entry.kind {
                    bytes += size;
                    progress.layer_advanced(&self.name, bytes);
                    if self.ca_bundle.is_some() && is_certificate(entry) {
                        let certificate = read_certificate(&label, entry, size, content)?;
                        if rules.keeps(entry) {
                            tree.add_package_entry(entry, &mut &certificate[..])?;
                        }
                        certificates.insert(entry.path.clone(), certificate);
                        return Ok(());
                    }
                }
                if rules.keeps(entry) { tree.add_package_entry(entry, content) } else { tree.describe(entry) }
            })?;
        }
        for (path, file) in &self.files {
            interrupt::check()?;
            tree.make_file(path, file.mode, &file.bytes)?;
        }
        if let Some(path) = &self.ca_bundle {
            tree.make_file(path, 0o644, &self.bundle(&certificates)?)?;
        }
        for (path, target) in &self.links {
            tree.make_link(path, target)?;
        }
        tree.finish()
    }

    fn bundle(&self, certificates: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
        if certificates.is_empty() {
            return Err(Error::environment(
                format!("the layer {} shall have a CA bundle, but no package in it has certificates", self.name),
                "add ca-certificates to the layer's packages in image.toml",
            ));
        }
        let mut bundle = Vec::new();
        for certificate in certificates.values() {
            bundle.extend_from_slice(certificate);
            if !certificate.ends_with(b"\n") {
                bundle.push(b'\n');
            }
        }
        Ok(bundle)
    }
}

/// What update-ca-certificates(8) puts together.
fn is_certificate(entry: &Entry) -> bool {
    entry.path.starts_with("usr/share/ca-certificates/") && entry.path.ends_with(".crt")
}

fn read_certificate(label: &str, entry: &Entry, size: u64, content: &mut dyn Read) -> Result<Vec<u8>> {
    // A certificate has a few kilobytes; this only keeps a hostile package from filling the memory.
    const MOST: u64 = 1 << 20;
    let damaged = |what: String| Error::environment(format!("{label}: {}: {what}", entry.path), "do not use this package; it is damaged or hostile");
    if size > MOST {
        return Err(damaged(format!("a certificate of {size} bytes")));
    }
    let mut bytes = Vec::new();
    content.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(damaged(format!("{} bytes instead of {size}", bytes.len()))) }
}
