//! Whether something is mounted at a path: it cannot be renamed there, and its permissions are those of elsewhere. Linux
//! says so itself; elsewhere a file system's number tells, and a single file cannot be mounted.

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

/// Whether something is mounted at a path, whose last part may be a link and is not followed.
///
/// # Errors
/// What the system says when it does not look there.
#[cfg(target_os = "linux")]
pub fn is_mount_point(path: &Path) -> io::Result<bool> {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)?;
    Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether something is mounted at a path, whose last part may be a link and is not followed.
///
/// # Errors
/// What the system says when it does not look there.
#[cfg(not(target_os = "linux"))]
pub fn is_mount_point(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(path.symlink_metadata()?.dev() != above.metadata()?.dev())
}

/// Whether something is mounted at an open file's path. A kernel that does not say (before 5.8) has no such mount that counts.
#[cfg(target_os = "linux")]
pub fn is_mounted(file: &File) -> bool {
    let found = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether something is mounted at an open file's path.
#[cfg(not(target_os = "linux"))]
pub fn is_mounted(_file: &File) -> bool {
    false
}
