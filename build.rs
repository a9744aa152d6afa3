//! Puts the sites under `tests/rules/` into the program: for each code of `check` one that is wrong and one that is right, which
//! `check --explain` shows. Cargo looks through the directory for changes by itself.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let sites = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("tests/rules");
    println!("cargo::rerun-if-changed={}", sites.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut text = String::from("&[\n");
    for code in entries(&sites)?.into_iter().filter(|path| path.is_dir()) {
        let _ = writeln!(text, "({:?}, &[", code.file_name().unwrap_or_default());
        files(&code, &code, &mut text)?;
        text.push_str("]),\n");
    }
    text.push_str("]\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("sites.rs"), text)
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
