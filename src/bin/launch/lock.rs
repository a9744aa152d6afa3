//! A lock that a service keeps as long as it lives: taken on an open file before `launch` becomes the service, which inherits the file,
//! and freed by the kernel when the last process of the container ends. Containers of one machine see each other's locks, since they
//! open the same file.

use std::fs::File;
use std::io;

use rustix::fs::FlockOperation;
use rustix::io::{Errno, FdFlags};

/// Whether a lock was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It is this process's, and will be the service's.
    Taken,
    /// Another process has it.
    Elsewhere,
}

/// Locks an open file for this process and the service that it becomes.
///
/// # Errors
/// When the file system has no locks, or none for a file that is open for reading only (NFS).
pub fn for_life(file: File) -> io::Result<Lock> {
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Lock::Elsewhere),
        Err(error) => return Err(error.into()),
    }
    rustix::io::fcntl_setfd(&file, FdFlags::empty())?;
    std::mem::forget(file);
    Ok(Lock::Taken)
}
