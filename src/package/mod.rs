//! Where files come from. A *package* is an archive with a known hash (a Debian package, a Python wheel, a Nix store
//! path) that can be walked entry by entry without being unpacked to disk. Everything after this stage sees only
//! [`Entry`] values and their content.

pub mod ar;
pub mod bytecode;
pub mod cache;
pub mod closure;
pub mod confinement;
pub mod deb;
pub mod elf;
pub mod entry_points;
pub mod fetch;
pub mod interpreter;
pub mod patient;
pub mod progress;
pub mod record;
pub mod relock;
pub mod resolve;
pub mod tarball;
pub mod wheel;

use std::io::Read;

use crate::error::Result;

/// One member of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root of the image, without a leading or trailing slash, without `.` and `..`; `usr/bin/python3`.
    pub path: String,
    /// Permission bits, including set-uid and sticky bits as the package has them.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a member of a package is. Devices and FIFOs are refused by the readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file of that many bytes.
    File {
        /// Length of the content in bytes.
        size: u64,
    },
    /// A symbolic link; the target is kept as the package has it.
    Symlink {
        /// The target, absolute or relative.
        target: String,
    },
    /// A hard link to a member that came before it in the same package.
    Hardlink {
        /// The path of that member, in the form of [`Entry::path`].
        target: String,
    },
}

impl Kind {
    /// The target of a link.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Symlink { target } | Self::Hardlink { target } => Some(target),
            Self::Directory | Self::File { .. } => None,
        }
    }
}

/// What is called for each member, in an order that depends only on the package's bytes. The reader gives exactly
/// [`Kind::File::size`] bytes for a file and none for anything else.
pub type Visit<'a> = dyn FnMut(&Entry, &mut dyn Read) -> Result<()> + 'a;

/// A source of files.
pub trait Package {
    /// What a person calls it: `libc6 2.41-12`.
    fn label(&self) -> String;
    /// What its content is a pure function of: a hash, and whatever else decides (an installation prefix, an interpreter).
    fn key(&self) -> String;
    /// Does ahead what [`Package::walk`] would otherwise do first, so that several packages can do it side by side.
    ///
    /// # Errors
    /// As `walk`.
    fn prepare(&self) -> Result<()> {
        Ok(())
    }
    /// Calls `visit` for each member.
    fn walk(&self, visit: &mut Visit<'_>) -> Result<()>;
}

impl<P: Package + ?Sized> Package for Box<P> {
    fn label(&self) -> String {
        (**self).label()
    }

    fn key(&self) -> String {
        (**self).key()
    }

    fn prepare(&self) -> Result<()> {
        (**self).prepare()
    }

    fn walk(&self, visit: &mut Visit<'_>) -> Result<()> {
        (**self).walk(visit)
    }
}
