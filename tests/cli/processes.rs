//! Which processes there are, by what they have to do with a directory that only one test uses.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// How long a machine may take that has much to do. No test depends on less.
const PATIENCE: Duration = Duration::from_secs(120);

/// The processes that have something to do with a directory: it is in their arguments or environment, or they are in it.
pub fn around(dir: &Path) -> Vec<(Pid, String)> {
    let name = dir.to_str().expect("UTF-8");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else { continue };
        let read = |file: &str| String::from_utf8_lossy(&std::fs::read(entry.path().join(file)).unwrap_or_default()).replace('\0', " ");
        let place = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let (arguments, environment) = (read("cmdline"), read("environ"));
        // A process that has ended and waits for its parent has no arguments.
        if !arguments.is_empty() && (arguments.contains(name) || environment.contains(name) || place.starts_with(dir)) {
            found.push((pid, arguments));
        }
    }
    found
}

/// What is waited for.
type Wanted<'a> = dyn Fn(&[(Pid, String)]) -> bool + 'a;

/// Waits until what is around a directory is as wanted.
#[track_caller]
pub fn until(dir: &Path, wanted: &Wanted<'_>) -> Vec<(Pid, String)> {
    let start = Instant::now();
    loop {
        let found = around(dir);
        if wanted(&found) {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{found:#?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether one of them has these words in its arguments.
pub fn runs(found: &[(Pid, String)], words: &str) -> bool {
    found.iter().any(|(_, arguments)| arguments.contains(words))
}
