//! Two builds of one site are the same bytes, whoever runs them and where.

use std::fs;
use std::process::Command;

use super::support::{SITE, built, run, tree, with_site};

#[test]
fn nothing_of_the_surroundings_gets_into_the_output() {
    let good = built();
    let dir = with_site(SITE);
    let elsewhere = tempfile::tempdir().expect("a directory");
    let site = dir.path().join("site.yaml");
    fs::File::options().append(true).open(&site).and_then(|file| file.set_modified(std::time::UNIX_EPOCH)).expect("touched");
    // The cache of the machine may lie below HOME.
    let cache = std::env::var_os("SYNAPSE_SITE_CACHE").or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").map(Into::into).or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Some(base.join("synapse-site").into_os_string())
    });
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_synapse-site"), "build"]);
    command.arg(&site).args(["--threads", "3", "--out"]).arg(elsewhere.path().join("out")).current_dir("/");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "Asia/Kolkata").env("LC_ALL", "tr_TR.UTF-8").env("HOME", elsewhere.path());
    command.env("SYNAPSE_SITE_CACHE", cache.expect("a cache")).env("SYNAPSE_SITE_LAUNCH", env!("CARGO_BIN_EXE_launch"));
    let ran = run(&mut command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(tree(&elsewhere.path().join("out")), good);
}
