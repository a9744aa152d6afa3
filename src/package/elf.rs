//! Shared libraries that programs ask for. Takes the packages of an image and gives every DT_NEEDED entry (ELF
//! specification, "Dynamic Section") that no file of the image answers: packages are listed by hand in `image.toml`, without
//! Debian's closure, so something has to say when a list is too short.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::Elf;
use goblin::elf::dynamic::{DT_NEEDED, Dynamic as Section};
use goblin::elf::program_header::{PT_DYNAMIC, ProgramHeader};
use serde::Serialize;

use super::{Entry, Kind, Package};
use crate::error::{Error, Result};

/// The longest ELF file that is looked at. Debian's longest, of compilers and browsers, are below.
const LONGEST: u64 = 512 << 20;

/// The longest dynamic section. Programs that link hundreds of libraries have about 10 kB.
const LONGEST_SECTION: u64 = 1 << 20;

/// The most libraries that a file may ask for.
const MOST_NEEDED: usize = 4096;

/// The longest name of a library: that of a file.
const LONGEST_NAME: usize = 255;

/// The dynamic section of one ELF file, as far as it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// The libraries it asks for.
    pub needed: Vec<String>,
    /// Its own name as a library.
    pub soname: Option<String>,
}

/// Reads the dynamic section; none when this is no ELF file. The whole file is held in memory while it is read.
///
/// # Errors
/// When reading fails, or the file starts like an ELF file and is none.
pub fn needed(reader: &mut dyn Read) -> io::Result<Option<Dynamic>> {
    let mut bytes = Vec::new();
    reader.take(4).read_to_end(&mut bytes)?;
    if bytes != *b"\x7fELF" {
        return Ok(None);
    }
    reader.take(LONGEST).read_to_end(&mut bytes)?;
    dynamic(&bytes).map(Some).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
}

/// The dynamic section alone: a full parse takes memory for every string, symbol and section that the headers speak of.
fn dynamic(bytes: &[u8]) -> std::result::Result<Dynamic, String> {
    let broken = |error: goblin::error::Error| error.to_string();
    let elf = Elf::lazy_parse(Elf::parse_header(bytes).map_err(broken)?).map_err(broken)?;
    let container = if elf.is_64 { Container::Big } else { Container::Little };
    let ctx = Ctx::new(container, if elf.little_endian { Endian::Little } else { Endian::Big });
    let place = usize::try_from(elf.header.e_phoff).map_err(|_| "its program headers lie outside of it")?;
    let segments = ProgramHeader::parse(bytes, place, elf.header.e_phnum.into(), ctx).map_err(broken)?;
    if let Some(segment) = segments.iter().find(|segment| segment.p_type == PT_DYNAMIC && segment.p_filesz > LONGEST_SECTION) {
        return Err(format!("its dynamic section of {} bytes is too long (at most {LONGEST_SECTION})", segment.p_filesz));
    }
    let Some(section) = Section::parse(bytes, &segments, ctx).map_err(broken)? else { return Ok(Dynamic::default()) };
    let info = &section.info;
    let strings = info.strtab.checked_add(info.strsz).and_then(|end| bytes.get(info.strtab..end)).unwrap_or_default();
    let text = |at: u64| {
        let rest = usize::try_from(at).ok().and_then(|at| strings.get(at..)).unwrap_or_default();
        let name = rest.iter().take(LONGEST_NAME + 1).position(|byte| *byte == 0).map(|end| &rest[..end]);
        name.and_then(|name| std::str::from_utf8(name).ok()).map(str::to_owned).ok_or("the name of a library is no name")
    };
    let needed = || section.dyns.iter().filter(|entry| entry.d_tag == DT_NEEDED);
    if needed().nth(MOST_NEEDED).is_some() {
        return Err(format!("it asks for more than {MOST_NEEDED} libraries"));
    }
    let needed = needed().map(|entry| text(entry.d_val)).collect::<std::result::Result<_, _>>()?;
    let soname = (info.soname != 0).then(|| text(info.soname as u64)).transpose()?;
    Ok(Dynamic { needed, soname })
}

/// One package of an image, and what the image takes of it.
pub struct Part<'a> {
    /// The package.
    pub package: &'a dyn Package,
    /// Whether a member gets into the image.
    pub keeps: &'a dyn Fn(&Entry) -> bool,
    /// The Debian packages that it depends on by its own account; where a missing library is likely to be.
    pub dependencies: Vec<String>,
}

/// A library that nobody provides.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Its name: `libfoo.so.1`.
    pub library: String,
    /// The package that asks.
    pub package: String,
    /// The file that asks.
    pub file: String,
    /// Debian packages that this package depends on and the image has not; one of them has the library.
    pub candidates: Vec<String>,
}

/// Every library that an ELF file of the image asks for and neither the directories of the dynamic linker nor the file's own
/// package (private directories, found through a run path) hold. `present` are the Debian packages of the image.
///
/// # Errors
/// An environment error when a package cannot be read.
pub fn missing(parts: &[Part<'_>], present: &BTreeSet<String>) -> Result<Vec<Missing>> {
    let mut public = BTreeSet::new();
    let mut asking = Vec::new();
    for part in parts {
        let mut own = BTreeSet::new();
        let mut needs = BTreeMap::<String, String>::new();
        part.package.walk(&mut |entry, content| {
            if entry.kind == Kind::Directory || !(part.keeps)(entry) {
                return Ok(());
            }
            let (dir, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
            own.insert(name.to_owned());
            if is_public(dir) {
                public.insert(name.to_owned());
            }
            if let Kind::File { .. } = entry.kind {
                let dynamic = needed(content).map_err(|e| {
                    let what = format!("{}: {} cannot be read as an ELF file: {e}", part.package.label(), entry.path);
                    Error::environment(what, "choose another version of the package")
                })?;
                for library in dynamic.into_iter().flat_map(|dynamic| dynamic.needed) {
                    needs.entry(library).or_insert_with(|| entry.path.clone());
                }
            }
            Ok(())
        })?;
        needs.retain(|library, _| !own.contains(library));
        asking.push((part, needs));
    }
    let mut missing = Vec::new();
    for (part, needs) in asking {
        for (library, file) in needs.into_iter().filter(|(library, _)| !public.contains(library)) {
            let candidates = candidates(&library, part.dependencies.iter().filter(|name| !present.contains(*name)));
            missing.push(Missing { library, package: part.package.label(), file, candidates });
        }
    }
    missing.sort();
    Ok(missing)
}

/// Where the dynamic linker of Debian's amd64 looks (ld.so(8) and /etc/ld.so.conf.d).
fn is_public(dir: &str) -> bool {
    matches!(dir, "usr/lib" | "usr/lib64" | "usr/lib/x86_64-linux-gnu" | "usr/local/lib" | "usr/local/lib/x86_64-linux-gnu")
}

/// Dependencies whose name looks like the library's (Debian Policy 8.1: soname, version, perhaps a suffix), else all.
fn candidates<'a>(library: &str, dependencies: impl Iterator<Item = &'a String>) -> Vec<String> {
    let all: Vec<String> = dependencies.cloned().collect();
    let stem: String = library.split(".so").next().unwrap_or_default().to_ascii_lowercase().replace('_', "-");
    let alike: Vec<String> = all.iter().filter(|name| name.starts_with(&stem)).cloned().collect();
    if alike.is_empty() { all } else { alike }
}
