//! Files that are either complete or absent, and that only the service's user may read.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use synapse_site::error::{Error, Result};

/// Whether a file has to survive a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// It lies on a volume.
    Yes,
    /// It lies in memory.
    No,
}

/// What temporary files begin with, and how many random characters follow.
const TEMPORARY: &str = ".launch-";
const RANDOM: usize = 6;

/// Removes the temporary files that a killed [`replace`] left in a directory on a volume.
pub fn sweep(directory: &Path) -> Result<()> {
    let is_ours = |name: &str| name.strip_prefix(TEMPORARY).is_some_and(|rest| rest.len() == RANDOM && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let swept = File::open(directory).and_then(|directory| synapse_site::files::sweep(directory, is_ours));
    swept.map(drop).map_err(|error| Error::io("remove leftovers in", directory, &error))
}

/// Writes a file of mode 0600 under a temporary name and renames it into place.
pub fn replace(path: &Path, content: &[u8], durable: Durable) -> Result<()> {
    let attempt = || -> std::io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        // tempfile creates its files with mode 0600 whatever the umask is.
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).rand_bytes(RANDOM).tempfile_in(parent)?;
        file.write_all(content)?;
        if durable == Durable::Yes {
            file.as_file().sync_all()?;
        }
        file.persist(path).map_err(|error| error.error)?;
        if durable == Durable::Yes {
            sync_directory(parent)?;
        }
        Ok(())
    };
    attempt().map_err(|error| Error::io("write", path, &error))
}

/// Makes renames in a directory survive a power failure.
pub fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Closes the run directory to other users, if it is ours to close, and creates the directories below it down to `path`.
pub fn create_private_directories(run: &Path, path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("create the directory", path, &error);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let found = fs::metadata(run).map_err(failed)?;
    if found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 != 0 {
        fs::set_permissions(run, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// Whether the running user can create files in a directory: one line for the person who has to mend it, or nothing.
/// Asking the kernel for permissions would miss full disks and read-only mounts, so a file without a name is created.
pub fn unwritable(path: &Path) -> Option<String> {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) => return Some(format!("the directory {shown} is not there ({error}): mount a volume or a tmpfs")),
        Ok(found) if !found.is_dir() => return Some(format!("{shown} is not a directory: mount a volume or a tmpfs")),
        Ok(_) => {}
    }
    // A tmpfs that is full still makes empty files.
    let error = tempfile::tempfile_in(path).and_then(|mut file| file.write_all(b"\n")).err()?;
    Some(match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("the directory {shown} is full ({error}): free some space in it, or mount a larger one"),
        _ => {
            let user = rustix::process::geteuid().as_raw();
            format!("user {user} cannot write to the directory {shown} ({error}): mount it writable and owned by user {user}")
        }
    })
}
