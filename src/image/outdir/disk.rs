//! Modes, and what has to be on the disk before the next step. Each file is synced by itself: unlike `syncfs` this waits for
//! no other program's files, and it reports errors on every kernel.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::names;
use crate::error::{Error, Result};
use crate::interrupt;

/// Gives everything in a directory the modes that it has on every machine, whatever the umask is: 0644, and 0755 for
/// directories and programs; none of it is secret. Then puts it and the directory on the disk.
pub fn settle(directory: &Path) -> Result<()> {
    for path in names(directory)?.iter().map(|name| directory.join(name)) {
        interrupt::check()?;
        let failed = |error: io::Error| Error::io("set the mode of", &path, &error);
        let found = fs::symlink_metadata(&path).map_err(failed)?;
        // The one program among the outputs stays one.
        let program = found.permissions().mode() & 0o100 != 0;
        fs::set_permissions(&path, fs::Permissions::from_mode(if found.is_dir() || program { 0o755 } else { 0o644 })).map_err(failed)?;
        if found.is_dir() { settle(&path)? } else { sync(&path)? }
    }
    sync(directory)
}

/// Makes the directories above a path below `directory`, as far as they are not there. Gives all of them.
pub fn make_parents(directory: &Path, path: &Path) -> Result<Vec<PathBuf>> {
    let above = path.ancestors().skip(1).filter(|above| *above != Path::new("")).map(|above| directory.join(above));
    let mut above: Vec<PathBuf> = above.collect();
    above.reverse();
    for parent in &above {
        match fs::create_dir(parent) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made
                .and_then(|()| fs::set_permissions(parent, fs::Permissions::from_mode(0o755)))
                .map_err(|error| Error::io("create the directory", parent, &error))?,
        }
    }
    Ok(above)
}

/// Puts a file, or the names in a directory, on the disk.
pub fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| Error::io("write to the disk", path, &error))
}
