//! The Docker engine of this machine loads what we write, runs it under the restrictions of our manifests, and saves it back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use synapse_site::image::build::build_archive;
use synapse_site::image::inspect::inspect;
use synapse_site::image::layer::FileContent;
use synapse_site::image::plan::{Content, Site, plan};
use synapse_site::image::progress::Silent;
use synapse_site::image::store::LayerStore;

use crate::site::{LAUNCH, Place, architecture, packages, specs};

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().expect("these tests need Docker")
}

fn stdout(arguments: &[&str]) -> String {
    let output = docker(arguments);
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Removes images when a test ends, however it ends.
struct Loaded(Vec<String>);

impl Drop for Loaded {
    fn drop(&mut self) {
        for name in &self.0 {
            docker(&["image", "rm", "--force", name]);
        }
    }
}

#[test]
fn loads_runs_and_saves() {
    let place = Place::new();
    // A server name of its own: other tests may use the same engine now. The mark makes sure that no layer is known already.
    let server_name = format!("test-{}.example", std::process::id());
    let mark = FileContent { bytes: server_name.clone().into_bytes(), mode: 0o644 };
    let content = Content { files: BTreeMap::from([("/etc/mark".to_owned(), mark)]), ..Content::default() };
    let contents: BTreeMap<_, _> = ["app", "other"].map(|name| (name.to_owned(), content.clone())).into();
    let specs = specs();
    let site = Site {
        server_name: &server_name,
        repository: "localhost/synapse-site",
        specs: &specs,
        contents: &contents,
        launch: Path::new(LAUNCH),
        architecture: architecture(),
    };
    let plans = plan(&site, &mut |_, layer| Ok(packages(layer, false))).unwrap();
    let archive = place.path("images.tar");
    let (images, _) = build_archive(&plans, &LayerStore::new(&place.cache), 2, &Silent, &archive).unwrap();

    let names: Vec<String> = images.iter().map(|image| image.reference.to_string()).collect();
    let loaded = Loaded(names.clone());
    let said = stdout(&["load", "-i", archive.to_str().unwrap()]);
    for (name, image) in names.iter().zip(&images) {
        assert!(said.contains(&format!("Loaded image: {name}")), "{said}");
        let seen: serde_json::Value = serde_json::from_str(&stdout(&["image", "inspect", name])).unwrap();
        assert_eq!(seen[0]["Created"], "1980-01-02T00:00:00Z");
        assert_eq!(seen[0]["Config"]["Entrypoint"], serde_json::json!(["/launch"]));
        let diff_ids: Vec<_> = image.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        assert_eq!(seen[0]["RootFS"]["Layers"], serde_json::json!(diff_ids));
    }

    // The launcher itself: whatever it says about missing arguments, the kernel could start it as an ordinary user.
    let restricted = ["run", "--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none"];
    let output = docker(&[&restricted[..], &[&names[0]]].concat());
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(!matches!(output.status.code(), None | Some(125..=127)), "{}", String::from_utf8_lossy(&said));
    assert!(!said.is_empty(), "the launcher says something");

    // What the engine saves is what we wrote, layer by layer.
    let saved = place.path("saved.tar");
    stdout(&["save", "-o", saved.to_str().unwrap(), &names[0], &names[1]]);
    let (ours, theirs) = (inspect(&archive).unwrap(), inspect(&saved).unwrap());
    for (one, other) in ours.images.iter().zip(&theirs.images) {
        assert_eq!(one.names, other.names);
        let diff_ids = |image: &synapse_site::image::inspect::Image| image.layers.iter().map(|layer| layer.diff_id).collect::<Vec<_>>();
        assert_eq!(diff_ids(one), diff_ids(other));
    }
    drop(loaded);
}
