//! Puts sites into the program: those under `tests/rules/`, for each code of `check` one that is wrong and one that is right, which
//! `check --explain` shows, the examples, on which the option reference tries where an option is written, and
//! the definitions of images with their locks. Cargo looks
//! through the directories for changes by itself.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    write("tests/rules", "sites.rs")?;
    write("examples", "examples.rs")?;
    write("images", "images.rs")
}

/// Writes a list of the directories in a directory, each with its files.
fn write(sites: &str, to: &str) -> io::Result<()> {
    let sites = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(sites);
    println!("cargo::rerun-if-changed={}", sites.display());
    let mut text = String::from("&[\n");
    for site in entries(&sites)?.into_iter().filter(|path| path.is_dir()) {
        let _ = writeln!(text, "({:?}, &[", site.file_name().unwrap_or_default());
        files(&site, &site, &mut text)?;
        text.push_str("]),\n");
    }
    text.push_str("]\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(to), text)
}

fn files(dir: &Path, within: &Path, text: &mut String) -> io::Result<()> {
    for path in entries(dir)? {
        if path.is_dir() {
            files(&path, within, text)?;
        } else {
            let _ = writeln!(text, "({:?}, include_bytes!({path:?})),", path.strip_prefix(within).unwrap_or(&path));
        }
    }
    Ok(())
}

fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
