//! What the members of a layer are, besides ordinary files: everything that hides files of lower layers, gives rights, or is read
//! differently by different programs. A layer is read once, as a stream, while its digests are taken; of each kind of finding the
//! number and the first few names are kept, so that the memory depends on the number of members only.

use std::collections::{BTreeMap, HashMap};
use std::io;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use crate::error::Result;
use crate::image::members::{Member, Members, Source};
use crate::interrupt;
use crate::path::WHITEOUT;
use crate::printable::printable;

/// The most members of a layer, of which each takes about 40 bytes of memory. Large images have some 100,000.
const MOST_MEMBERS: u64 = 2_000_000;

/// How many names are kept of a kind, and how many bytes of each.
const EXAMPLES: usize = 5;
const EXAMPLE_LENGTH: usize = 120;

/// How many different owners are told apart.
const MOST_OWNERS: usize = 32;

/// What is worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A name that removes a file of lower layers, or all of a directory.
    Whiteout,
    /// A file that runs with the rights of its owner or group.
    SetId,
    /// A file with capabilities (`security.capability`).
    Capability,
    /// A character or block device.
    Device,
    /// A FIFO.
    Fifo,
    /// A name or a hard link's target with `..`.
    Climbing,
    /// A name or a hard link's target that starts with `/`.
    Absolute,
    /// A name that an earlier member has.
    Duplicate,
    /// A name below a symbolic link of the same layer.
    BelowLink,
    /// A sparse file.
    Sparse,
    /// A member that programs understand in different ways.
    Ambiguous,
    /// A member of a kind that is not known.
    Unknown,
    /// A file or directory that everybody may change, without the sticky bit.
    WorldWritable,
}

impl Kind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whiteout => "whiteouts, which hide files of lower layers",
            Self::SetId => "set-uid or set-gid files",
            Self::Capability => "files with capabilities",
            Self::Device => "devices",
            Self::Fifo => "FIFOs",
            Self::Climbing => "names with `..`",
            Self::Absolute => "absolute names",
            Self::Duplicate => "names given twice",
            Self::BelowLink => "names below a symbolic link",
            Self::Sparse => "sparse files",
            Self::Ambiguous => "members that programs understand differently",
            Self::Unknown => "members of an unknown kind",
            Self::WorldWritable => "files that everybody may change",
        }
    }

    /// Whether no layer that this tool makes has it.
    pub fn is_never_ours(self) -> bool {
        self != Self::WorldWritable
    }
}

/// How often something was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The number of members.
    pub count: u64,
    /// The names of the first ones, cut if they are long.
    pub members: Vec<String>,
}

/// What a layer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// The number of members.
    pub members: u64,
    /// The numeric owners and groups, `uid:gid`, with the number of their members; what is beyond 32 of them is counted as `others`.
    pub owners: BTreeMap<String, u64>,
    /// What is worth a look.
    pub findings: BTreeMap<Kind, Sighting>,
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq)]
enum Is {
    Directory,
    Link,
    Other,
}

/// Reads the members of a layer up to the end of its archive; the outer result is the reader's, the inner one the user's.
///
/// # Errors
/// When the layer cannot be read or is no tar archive; [`crate::error::Error::Interrupted`].
pub(super) fn read(source: impl Source) -> io::Result<Result<Contents>> {
    let mut members = Members::new(source);
    let mut contents = Contents::default();
    let mut seen = Seen::default();
    while let Some(member) = members.next_member()? {
        if let Err(stop) = interrupt::check() {
            return Ok(Err(stop));
        }
        contents.members += 1;
        if contents.members > MOST_MEMBERS {
            return Err(io::Error::other(format!("it has more than {MOST_MEMBERS} members")));
        }
        contents.look_at(&member, &mut seen);
    }
    Ok(Ok(contents))
}

impl Contents {
    fn look_at(&mut self, member: &Member, seen: &mut Seen) {
        let owner = format!("{}:{}", member.uid, member.gid);
        let key = if self.owners.len() < MOST_OWNERS || self.owners.contains_key(&owner) { owner } else { "others".to_owned() };
        *self.owners.entry(key).or_default() += 1;

        let parts = || member.name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
        let climbs = |name: &[u8]| name.split(|byte| *byte == b'/').any(|part| part == b"..");
        let is_link = member.kind == EntryType::Link;
        let is_file = matches!(member.kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse | EntryType::Link);
        let is_directory = member.kind == EntryType::Directory;
        let mut note = |kind: Kind, is: bool| {
            if is {
                self.findings.entry(kind).or_default().add(&member.name);
            }
        };
        note(Kind::Whiteout, parts().any(|part| part.starts_with(WHITEOUT.as_bytes())));
        note(Kind::SetId, is_file && member.mode & 0o6000 != 0);
        note(Kind::Capability, member.attributes.iter().any(|name| name == "security.capability"));
        note(Kind::Device, matches!(member.kind, EntryType::Char | EntryType::Block));
        note(Kind::Fifo, member.kind == EntryType::Fifo);
        note(Kind::Climbing, climbs(&member.name) || (is_link && climbs(&member.link)));
        note(Kind::Absolute, member.name.starts_with(b"/") || (is_link && member.link.starts_with(b"/")));
        note(Kind::Sparse, member.sparse);
        note(Kind::Ambiguous, member.ambiguous || parts().next().is_none() && !is_directory);
        let known = is_file || is_directory || matches!(member.kind, EntryType::Symlink | EntryType::Char | EntryType::Block | EntryType::Fifo);
        note(Kind::Unknown, !known);
        note(Kind::WorldWritable, (is_file || is_directory) && member.mode & 0o1002 == 0o002);

        let is = match member.kind {
            EntryType::Directory => Is::Directory,
            EntryType::Symlink => Is::Link,
            _ => Is::Other,
        };
        let (twice, below) = seen.add(parts(), is);
        note(Kind::Duplicate, twice);
        note(Kind::BelowLink, below);
    }
}

impl Sighting {
    fn add(&mut self, name: &[u8]) {
        self.count += 1;
        if self.members.len() < EXAMPLES {
            let mut text = String::from_utf8_lossy(&name[..name.len().min(EXAMPLE_LENGTH)]).into_owned();
            if name.len() > EXAMPLE_LENGTH {
                text.push('…');
            }
            self.members.push(text);
        }
    }
}

impl std::fmt::Display for Sighting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.members.iter().map(|name| printable(name)).collect();
        let more = if self.count > names.len() as u64 { ", …" } else { "" };
        write!(f, "{}: {}{more}", self.count, names.join(", "))
    }
}

/// The names of a layer, as the first 16 bytes of their SHA-256: nobody finds two names with the same.
#[derive(Default)]
struct Seen {
    names: HashMap<[u8; 16], Is>,
    links: bool,
}

impl Seen {
    /// Adds a name: whether it was there, and whether it lies below a symbolic link.
    fn add<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>, is: Is) -> (bool, bool) {
        let mut hash = Sha256::new();
        let mut below = false;
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return (false, false);
        }
        while let Some(part) = parts.next() {
            hash.update(part);
            if parts.peek().is_some() {
                below |= self.links && self.names.get(&short(&hash)) == Some(&Is::Link);
                hash.update(b"/");
            }
        }
        self.links |= is == Is::Link;
        let before = self.names.insert(short(&hash), is);
        (before.is_some_and(|before| before != Is::Directory || is != Is::Directory), below)
    }
}

fn short(hash: &Sha256) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&hash.clone().finalize()[..16]);
    first
}
