//! A Python wheel (PEP 427), installed as a stream. Takes a `.whl` whose SHA-256 is known and a [`Scheme`], and gives the
//! files that pip would install, in the order of their paths: the wheel's own under the scheme's directories, and the
//! console scripts of its `entry_points.txt`. Every member must have the hash that the wheel's RECORD gives for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zip::ZipArchive;
use zip::unstable::read::ZipIterable;

use super::record::{self, Record};
use super::tarball::{Exact, LIMITS, Limits, refuse};
use super::{Entry, Kind, Package, Visit, entry_points};
use crate::definition::Python;
use crate::definition::lock::normalised;
use crate::error::Result;
use crate::{hash, path};

/// Raised whenever the same wheel and scheme would give other files.
const FORMAT: u32 = 1;

/// The longest RECORD. That of the largest wheels here has 1 MB.
const RECORD_LIMIT: u64 = 32 << 20;

/// The longest other text file of a wheel's metadata.
const METADATA_LIMIT: u64 = 1 << 20;

/// The longest directory of a wheel. That of 10,000 files has about 1 MB.
const DIRECTORY_LIMIT: u64 = 32 << 20;

/// Where a wheel's parts go; paths from the image's root without slashes around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// Modules, pure and compiled alike.
    pub site_packages: String,
    /// What `bin`, `include` and `data` files lie under.
    pub prefix: String,
    /// The interpreter that scripts start with, an absolute path.
    pub interpreter: String,
    /// Whether to make console scripts.
    pub scripts: bool,
}

impl Scheme {
    /// The scheme of an image. The prefix is what stands before `lib/pythonX.Y/` in `site_packages`, else `usr/local`.
    pub fn of(python: &Python) -> Self {
        let site_packages = python.site_packages.trim_matches('/').to_owned();
        let prefix = match site_packages.find("/lib/python") {
            Some(index) => site_packages[..index].to_owned(),
            None => "usr/local".to_owned(),
        };
        Self { site_packages, prefix, interpreter: python.interpreter.clone(), scripts: true }
    }
}

/// One `.whl` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// The file.
    pub path: PathBuf,
    /// The distribution's normalised name (PEP 503): `matrix-synapse`.
    pub name: String,
    /// Its version: `1.163.2`.
    pub version: String,
    /// The file's SHA-256, in lower-case hexadecimal; nothing is read from a file with another one.
    pub sha256: String,
    /// Where its files go.
    pub scheme: Scheme,
}

type Zip = ZipArchive<BufReader<File>>;

/// What a path of the image is made from.
enum Source {
    /// A member of the wheel, by its index.
    Member { index: usize, name: String, script: bool },
    /// A console script.
    Script(String),
}

impl Package for Wheel {
    fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    fn key(&self) -> String {
        let Scheme { site_packages, prefix, interpreter, scripts } = &self.scheme;
        format!("wheel:{FORMAT}:{}:{site_packages}:{prefix}:{interpreter}:{scripts}", self.sha256)
    }

    /// Files in the order of their paths; directories are implied (0755, root).
    fn walk(&self, visit: &mut Visit<'_>) -> Result<()> {
        let label = self.label();
        let bad = |member: &str, what: &str| refuse(&label, member, what);
        let file = hash::open_verified(&label, &self.path, &self.sha256)?;
        check_directory(&file, LIMITS).map_err(|reason| bad("the wheel file", &reason))?;
        let mut zip = ZipArchive::new(BufReader::with_capacity(64 << 10, file)).map_err(|e| bad("the wheel file", &e.to_string()))?;
        zip.validate_header_consistency().map_err(|e| bad("the wheel file", &e.to_string()))?;
        if zip.offset() != 0 {
            return Err(bad("the wheel file", "something stands before its first member"));
        }
        let names = list(&mut zip, LIMITS).map_err(|(name, reason)| bad(&name, &reason))?;
        let info = self.metadata_dir(&names).map_err(|reason| bad("the wheel file", &reason))?;
        let mut text = |file: &str| -> Result<Option<String>> {
            let name = format!("{info}.dist-info/{file}");
            let Some(index) = names.get(&name) else {
                return Ok(None);
            };
            let limit = if file == "RECORD" { RECORD_LIMIT } else { METADATA_LIMIT };
            read_text(&mut zip, *index, limit).map(Some).map_err(|reason| bad(&name, &reason))
        };
        let wheel = text("WHEEL")?.ok_or_else(|| bad("WHEEL", "the wheel has no such file"))?;
        if !wheel.lines().any(|line| line.starts_with("Wheel-Version: 1.")) {
            return Err(bad("WHEEL", "only version 1 of the wheel format is known"));
        }
        let record = text("RECORD")?.ok_or_else(|| bad("RECORD", "the wheel has no such file"))?;
        // The signatures of RECORD need not be there.
        let record = record::parse(&record, names.len() + 2).map_err(|reason| bad("RECORD", &reason))?;
        check_record(&info, &names, &record).map_err(|(name, reason)| bad(&name, &reason))?;
        let points = text("entry_points.txt")?;

        let mut plan = BTreeMap::new();
        for (name, index) in &names {
            let (path, script) = self.destination(&info, name).map_err(|reason| bad(name, &reason))?;
            let source = Source::Member { index: *index, name: name.clone(), script };
            if plan.insert(path.clone(), source).is_some() {
                return Err(bad(name, &format!("another member goes to {path}, too")));
            }
        }
        if let Some(points) = points.filter(|_| self.scheme.scripts) {
            let scripts = entry_points::scripts(&points, &self.scheme.interpreter).map_err(|reason| bad("entry_points.txt", &reason))?;
            for (name, text) in scripts {
                let path = format!("{}/bin/{name}", self.scheme.prefix);
                if plan.insert(path.clone(), Source::Script(text)).is_some() {
                    return Err(bad("entry_points.txt", &format!("{path} is in the wheel, too")));
                }
            }
        }
        for path in plan.keys() {
            if path.match_indices('/').any(|(end, _)| plan.contains_key(&path[..end])) {
                return Err(bad(path, "it lies below another member that is a file"));
            }
        }
        for (path, source) in &plan {
            match source {
                Source::Script(text) => visit(&file_entry(path, 0o755, text.len() as u64), &mut text.as_bytes())?,
                Source::Member { index, name, script } => {
                    let expected = record.get(name).and_then(|record| record.sha256);
                    self.give(&label, &mut zip, *index, path, *script, expected, visit)?;
                }
            }
        }
        Ok(())
    }
}

impl Wheel {
    /// The stem `NAME-VERSION` of the one `.dist-info` directory, which must be that of the locked distribution.
    fn metadata_dir(&self, names: &BTreeMap<String, usize>) -> std::result::Result<String, String> {
        let stems: BTreeSet<&str> = names.keys().filter_map(|name| name.split_once('/')?.0.strip_suffix(".dist-info")).collect();
        let [stem] = stems.into_iter().collect::<Vec<_>>()[..] else {
            return Err("a wheel has exactly one .dist-info directory".into());
        };
        match stem.rsplit_once('-') {
            Some((name, _)) if normalised(name) == self.name => Ok(stem.to_owned()),
            _ => Err(format!("it is a wheel of {stem}, not of {}", self.name)),
        }
    }

    /// Where a member goes, and whether it is a script.
    fn destination(&self, info: &str, name: &str) -> std::result::Result<(String, bool), String> {
        let Scheme { site_packages, prefix, .. } = &self.scheme;
        let Some((top, rest)) = name.split_once('/').filter(|(top, _)| top.ends_with(".data")) else {
            return Ok((format!("{site_packages}/{name}"), false));
        };
        if top.strip_suffix(".data") != Some(info) {
            return Err(format!("its directory is not {info}.data"));
        }
        let (kind, rest) = rest.split_once('/').ok_or("it lies in no category of the .data directory")?;
        match kind {
            "purelib" | "platlib" => Ok((format!("{site_packages}/{rest}"), false)),
            "scripts" => Ok((format!("{prefix}/bin/{rest}"), true)),
            "data" => Ok((format!("{prefix}/{rest}"), false)),
            "headers" => Ok((format!("{prefix}/include/{}/{rest}", self.name), false)),
            _ => Err(format!("`{kind}` is no category of the .data directory that PEP 427 names")),
        }
    }

    /// Gives one member to the visitor and checks it against RECORD.
    #[allow(clippy::too_many_arguments)]
    fn give(&self, label: &str, zip: &mut Zip, index: usize, path: &str, script: bool, expected: Option<[u8; 32]>, visit: &mut Visit<'_>) -> Result<()> {
        let bad = |what: &str| refuse(label, path, what);
        let member = zip.by_index(index).map_err(|e| bad(&e.to_string()))?;
        let size = member.size();
        let mut content = hash::Hashing::new(Exact { label, path, inner: member, left: size });
        // pip rewrites `#!python` in scripts, and so must we: no image has a program of that name.
        let first = if script { first_line(&mut content).map_err(|e| bad(&e.to_string()))? } else { Vec::new() };
        let line = match first.strip_prefix(b"#!python") {
            Some(_) if first.ends_with(b"\n") => format!("#!{}\n", self.scheme.interpreter).into_bytes(),
            _ => first.clone(),
        };
        let entry = file_entry(path, if script { 0o755 } else { 0o644 }, size - first.len() as u64 + line.len() as u64);
        visit(&entry, &mut line.as_slice().chain(&mut content))?;
        std::io::copy(&mut content, &mut std::io::sink()).map_err(|e| bad(&e.to_string()))?;
        let (digest, exact) = content.finish();
        // The decoder compares the member's CRC only when it is asked for more than there is.
        let mut member = exact.inner;
        if member.read(&mut [0]).map_err(|e| bad(&e.to_string()))? != 0 {
            return Err(bad("it is longer than the wheel's directory says"));
        }
        match expected {
            Some(expected) if expected != digest => Err(bad(&format!("RECORD gives it the hash {}", URL_SAFE_NO_PAD.encode(expected)))),
            _ => Ok(()),
        }
    }
}

fn file_entry(path: &str, mode: u32, size: u64) -> Entry {
    Entry { path: path.to_owned(), mode, uid: 0, gid: 0, kind: Kind::File { size } }
}

/// The first line with its end, or what there is of it within 512 bytes (the kernel reads no more than 256 of a `#!` line).
fn first_line(reader: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < 512 && reader.read(&mut byte)? == 1 {
        line.push(byte[0]);
        if byte == *b"\n" || !b"#!".starts_with(&line[..line.len().min(2)]) {
            break;
        }
    }
    Ok(line)
}

/// Looks at the directory without keeping any of it: the decoder keeps all, and takes memory for as many members as the end of
/// the file speaks of.
fn check_directory(file: &File, limits: Limits) -> std::result::Result<(), String> {
    let reader = file.try_clone().map(|file| BufReader::with_capacity(1 << 10, file)).map_err(|e| e.to_string())?;
    let mut zip = ZipIterable::try_new(reader, zip::read::Config::default()).map_err(|e| e.to_string())?;
    if zip.len() > limits.members {
        return Err(format!("it has more than {} members", limits.members));
    }
    let mut first = None;
    for member in zip.files().map_err(|e| e.to_string())? {
        let member = member.map_err(|e| e.to_string())?;
        let start = member.central_header_start();
        if start.saturating_sub(*first.get_or_insert(start)) > DIRECTORY_LIMIT {
            return Err(format!("its directory has more than {DIRECTORY_LIMIT} bytes"));
        }
    }
    Ok(())
}

/// The names of all files with their indices, after a look at everything that the directory says about them.
fn list(zip: &mut Zip, limits: Limits) -> std::result::Result<BTreeMap<String, usize>, (String, String)> {
    let whole = |reason: String| ("the wheel file".to_owned(), reason);
    let mut names = BTreeMap::new();
    let mut total = 0_u64;
    for index in 0..zip.len() {
        let member = zip.by_index_raw(index).map_err(|e| whole(e.to_string()))?;
        let shown = String::from_utf8_lossy(member.name_raw()).escape_debug().to_string();
        let fail = |reason: String| (shown.clone(), reason);
        let name = path::member(member.name_raw()).map_err(fail)?;
        if name.contains('\\') {
            return Err(fail("its name holds a backslash".into()));
        }
        if member.is_symlink() {
            return Err(fail("it is a symbolic link, which wheels cannot hold".into()));
        }
        if member.encrypted() {
            return Err(fail("it is encrypted".into()));
        }
        if member.size() > limits.member {
            return Err(fail(format!("its {} bytes are too many (at most {})", member.size(), limits.member)));
        }
        total += member.size();
        if total > limits.total {
            return Err(whole(format!("it unpacks to more than {} bytes", limits.total)));
        }
        if member.is_dir() {
            if member.size() != 0 {
                return Err(fail("it is a directory with content".into()));
            }
        } else if name.is_empty() || names.insert(name, index).is_some() {
            return Err(fail("the wheel names it twice".into()));
        }
    }
    Ok(names)
}

/// The content of a text member of at most `limit` bytes.
fn read_text(zip: &mut Zip, index: usize, limit: u64) -> std::result::Result<String, String> {
    let member = zip.by_index(index).map_err(|e| e.to_string())?;
    if member.size() > limit {
        return Err(format!("its {} bytes are too many for metadata", member.size()));
    }
    let size = member.size();
    let mut text = String::new();
    member.take(size + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 != size {
        return Err("its size is not what the wheel's directory says".into());
    }
    Ok(text)
}

/// Every member is in RECORD with a hash, and RECORD names nothing that is not there.
fn check_record(info: &str, names: &BTreeMap<String, usize>, record: &BTreeMap<String, Record>) -> std::result::Result<(), (String, String)> {
    let signature =
        |name: &str| name.strip_prefix(info).is_some_and(|rest| matches!(rest, ".dist-info/RECORD" | ".dist-info/RECORD.jws" | ".dist-info/RECORD.p7s"));
    for name in names.keys().filter(|name| !signature(name)) {
        match record.get(name) {
            Some(Record { sha256: Some(_) }) => {}
            Some(_) => return Err((name.clone(), "RECORD gives no SHA-256 for it".into())),
            None => return Err((name.clone(), "RECORD does not name it".into())),
        }
    }
    match record.keys().find(|name| !names.contains_key(*name) && !signature(name)) {
        Some(name) => Err((name.clone(), "RECORD names it, and the wheel does not hold it".into())),
        None => Ok(()),
    }
}
