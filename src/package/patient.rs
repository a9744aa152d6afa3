//! Pipes to a program that may never answer. Takes a pipe and a time, and gives a reader or writer that ends with an error
//! when the time is over or we were asked to stop, instead of waiting.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::interrupt;

/// How often a wait looks whether we were asked to stop.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Our end of a pipe. `TimedOut` is the error when the time is over, `Interrupted` never; whoever gets an error asks
/// [`interrupt::check`] first.
pub struct Patient<P> {
    pipe: P,
    until: Instant,
}

impl<P: AsFd> Patient<P> {
    /// A pipe that is waited for from now on.
    ///
    /// # Errors
    /// When the system refuses to make it one that can be waited for.
    pub fn new(pipe: P, patience: Duration) -> io::Result<Self> {
        let flags = fcntl_getfl(&pipe)?;
        fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?;
        Ok(Self { pipe, until: Instant::now() + patience })
    }

    /// Begins the time anew.
    pub fn renew(&mut self, patience: Duration) {
        self.until = Instant::now() + patience;
    }

    /// The pipe, which does not wait any more.
    pub fn into_inner(self) -> P {
        self.pipe
    }

    fn wait(&self, flags: PollFlags) -> io::Result<()> {
        interrupt::check().map_err(|_| io::Error::other("asked to stop"))?;
        if Instant::now() >= self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match poll(&mut [PollFd::new(&self.pipe, flags)], Some(&TICK)) {
            Err(error) if error != rustix::io::Errno::INTR => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl<P: AsFd + Read> Read for Patient<P> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.pipe.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(PollFlags::IN)?,
                other => return other,
            }
        }
    }
}

impl<P: AsFd + Write> Write for Patient<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.pipe.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(PollFlags::OUT)?,
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
