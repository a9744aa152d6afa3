//! Progress for people: bars on a terminal, one line a step otherwise. All of it on standard error.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

use crate::image::layer::Layer;
use crate::image::progress::Progress;
use crate::printable::{printable, printable_lines};

/// Shows what a build does.
pub struct ProgressReporter {
    bars: Option<MultiProgress>,
    current: Mutex<Option<ProgressBar>>,
    reused: AtomicU64,
}

impl ProgressReporter {
    /// Bars when standard error is a terminal, lines otherwise.
    pub fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { bars, ..Self::lines() }
    }

    /// Lines in any case: a builder's terminal is Nix's log.
    pub fn lines() -> Self {
        Self { bars: None, current: Mutex::new(None), reused: AtomicU64::new(0) }
    }

    /// One line about a step.
    pub fn step(&self, text: &str) {
        match &self.bars {
            Some(bars) => drop(bars.println(printable_lines(text))),
            None => super::print::print_status(text),
        }
    }

    /// How many layers the cache had.
    pub fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    fn begin(&self, length: Option<u64>, text: String) {
        let Some(bars) = &self.bars else { return };
        let bar = match length {
            Some(length) => ProgressBar::new(length).with_style(style("{msg:32} {bar:40} {bytes:>10} of {total_bytes}")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg:32} {bytes:>10}")),
        };
        let bar = bars.add(bar.with_message(printable(&text).into_owned()));
        if let Some(old) = self.lock().replace(bar) {
            old.finish_and_clear();
        }
    }

    fn with_bar(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.lock().as_ref() {
            act(bar);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        // A thread that panicked while it drew is no reason to stop drawing.
        self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for ProgressReporter {
    fn layer_started(&self, name: &str, packages: usize) {
        self.begin(None, format!("layer {name}: {packages} packages"));
    }

    fn layer_package(&self, name: &str, label: &str) {
        self.with_bar(|bar| bar.set_message(printable(&format!("layer {name}: {label}")).into_owned()));
    }

    fn layer_advanced(&self, _: &str, bytes: u64) {
        self.with_bar(|bar| bar.set_position(bytes));
    }

    fn layer_finished(&self, layer: &Layer, reused: bool) {
        self.end();
        if reused {
            self.reused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.step(&format!("layer {}: {} ({} compressed)", layer.name, HumanBytes(layer.uncompressed_size), HumanBytes(layer.size)));
    }

    fn layer_damaged(&self, layer: &Layer) {
        self.end();
        self.step(&format!("layer {} was damaged in the cache and is made again", layer.name));
    }

    fn archive_started(&self, bytes: u64) {
        self.begin(Some(bytes), "images.tar".to_owned());
    }

    fn archive_advanced(&self, bytes: u64) {
        self.with_bar(|bar| bar.set_position(bytes));
    }

    fn archive_finished(&self) {
        self.end();
    }
}

impl crate::package::progress::Progress for ProgressReporter {
    fn step(&self, what: &str) {
        Self::step(self, what);
    }

    fn fetch_started(&self, files: usize, bytes: u64) {
        Self::step(self, &format!("fetching {files} packages"));
        self.begin(Some(bytes), "packages".to_owned());
    }

    fn fetch_advanced(&self, bytes: u64) {
        self.with_bar(|bar| bar.set_position(bytes));
    }

    fn fetch_finished(&self) {
        self.end();
    }
}
