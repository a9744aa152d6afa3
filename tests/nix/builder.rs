//! The verb that Nix calls: what it says to a request that is not of its format, in an empty directory as Nix makes one.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support;

/// The builder with these attributes.
fn built(request: &Value) -> (Output, tempfile::TempDir) {
    let dir = support::files(&[("top/.keep", "")]);
    let attributes = json!({ "outputs": { "out": dir.path().join("out") }, "closure": [], "request": request });
    std::fs::write(dir.path().join("top/.attrs.json"), attributes.to_string()).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).arg("nix-builder").env("NIX_BUILD_TOP", dir.path().join("top")).output();
    (output.expect("synapse-site"), dir)
}

fn request() -> Value {
    json!({
        "format": 1, "part": "configuration", "system": "x86_64-linux", "files": {}, "definitions": "images", "packages": {},
        "description": { "server": { "server_name": "example.com", "public_baseurl": "https://matrix.example.com/" } },
    })
}

#[test]
fn a_request_of_another_format_is_told_with_what_to_do() {
    let mut newer = request();
    newer["format"] = json!(2);
    // What this program does not know must not be what it stumbles over first.
    newer["parts"] = json!(["bundle"]);
    let mut older = request();
    older.as_object_mut().expect("an object").remove("format");
    let mut strange = request();
    strange["part"] = json!("flavour");
    for (request, words) in [
        (newer, "nix/images.nix speaks format 2 of the builder's request, this program format 1"),
        (older, "nix/images.nix does not say the format"),
        (strange, "the request of nix/images.nix cannot be understood"),
    ] {
        let (output, dir) = built(&request);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(words) && said.contains("take nix/images.nix and the tool from the same version"), "{said}");
        assert!(!dir.path().join("out").exists());
    }
}

#[test]
fn configuration_is_what_render_writes() {
    let (output, dir) = built(&request());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let site = support::files(&[("site.json", &request()["description"].to_string())]);
    let rendered = Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(["render", "site.json", "--out", "out"]).current_dir(site.path()).output();
    assert!(rendered.expect("synapse-site").status.success());
    let compared = Command::new("diff").args(["-r", "-x", "site.json"]).arg(dir.path().join("out")).arg(site.path().join("out")).output().expect("diff");
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stdout));
}
