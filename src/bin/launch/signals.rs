//! Stopping before the service runs. The kernel ignores SIGTERM and its like for process 1 unless there is a handler, so
//! `launch` installs one that ends it at once, together with a program it may have started. Executing the service puts
//! caught signals back to their defaults (POSIX, `exec`), so nothing has to be undone.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use synapse_site::error::{Error, Result};

/// How long a started program may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// The handle through which programs are started and through which work asks to be finished first.
#[derive(Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    child: Mutex<Option<Pid>>,
    unfinished: Mutex<()>,
}

impl Stop {
    /// Installs the handlers and starts the thread that waits for a signal.
    pub fn install() -> Result<Self> {
        let failed = |error: std::io::Error| Error::environment(format!("cannot install signal handlers: {error}"), "allow a second thread and sigaction");
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP]).map_err(failed)?;
        let stop = Self::default();
        let seen = stop.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                if let Some(signal) = signals.forever().next() {
                    seen.end(signal)
                }
            })
            .map_err(failed)?;
        Ok(stop)
    }

    /// Whether a signal has arrived; long work that holds [`Stop::finish_first`] asks between its steps.
    pub fn is_requested(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }

    /// Until the result is dropped, a signal waits for the work to be finished.
    pub fn finish_first(&self) -> MutexGuard<'_, ()> {
        self.0.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// If a signal has arrived, leaves the end of the process to the thread that handles it.
    pub fn give_way(&self) {
        while self.is_requested() {
            std::thread::park();
        }
    }

    /// Runs a program in a process group of its own, feeds it `input`, and gives its output. A signal ends the whole group.
    pub fn run(&self, command: &mut Command, input: &str) -> std::io::Result<Output> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let output = self.spawn(command).and_then(|mut child| {
            let stdin = child.stdin.take();
            std::thread::scope(|scope| {
                let feeder = scope.spawn(move || {
                    use std::io::Write as _;
                    stdin.map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()))
                });
                let output = child.wait_with_output();
                // A program that ends before it has read everything says why itself; a broken pipe adds nothing.
                match feeder.join() {
                    Ok(Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
                    _ => output,
                }
            })
        });
        *self.child() = None;
        self.give_way();
        output
    }

    fn spawn(&self, command: &mut Command) -> std::io::Result<Child> {
        // Under the lock, a signal either finds the child or comes before it is started.
        let mut running = self.child();
        if self.is_requested() {
            drop(running);
            self.give_way();
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let child = command.spawn()?;
        *running = Pid::from_raw(child.id().cast_signed());
        Ok(child)
    }

    fn child(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, signal: i32) -> ! {
        self.0.stopping.store(true, Ordering::SeqCst);
        self.end_child();
        drop(self.finish_first());
        let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
        eprintln!("launch: stopped by {name}");
        std::process::exit(128 + signal)
    }

    fn end_child(&self) {
        let Some(group) = *self.child() else { return };
        // A group that is gone meanwhile is what was wanted: errors of kill say just that.
        let _gone = kill_process_group(group, Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if self.child().is_none() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _gone = kill_process_group(group, Signal::KILL);
    }
}
