//! The archive and what `inspect` says about it, also when it was tampered with.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use synapse_site::image::build::build_archive;
use synapse_site::image::inspect::inspect;
use synapse_site::image::oci::Image;
use synapse_site::image::progress::Silent;
use synapse_site::image::store::LayerStore;

use crate::site::{Place, plans};

fn build(place: &Place) -> Vec<Image> {
    build_archive(&plans("a: 1", false), &LayerStore::new(&place.cache), 2, &Silent, &place.path("images.tar")).unwrap().0
}

fn members(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(fs::File::open(path).unwrap());
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().display().to_string(), bytes)
        })
        .collect()
}

fn write(path: &Path, members: &[(String, Vec<u8>)]) {
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, bytes) in members.iter().filter(|(name, _)| !name.ends_with('/')) {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.finish().unwrap();
}

#[test]
fn both_forms_in_one_and_each_blob_once() {
    let place = Place::new();
    let images = build(&place);
    let members = members(&place.path("images.tar"));
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..5], ["oci-layout", "index.json", "manifest.json", "blobs/", "blobs/sha256/"]);
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    // Two images: manifest and configuration each; base, launcher, and two layers each.
    assert_eq!(names.len(), 5 + 4 + 2 + 4);
    let documents: BTreeMap<_, _> = members.iter().map(|(name, bytes)| (name.as_str(), bytes)).collect();
    assert_eq!(documents["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index: serde_json::Value = serde_json::from_slice(documents["index.json"]).unwrap();
    let docker: serde_json::Value = serde_json::from_slice(documents["manifest.json"]).unwrap();
    for (number, image) in images.iter().enumerate() {
        assert_eq!(index["manifests"][number]["annotations"]["io.containerd.image.name"], image.reference.to_string());
        assert_eq!(index["manifests"][number]["annotations"]["org.opencontainers.image.ref.name"], image.reference.tag());
        assert_eq!(docker[number]["RepoTags"], serde_json::json!([image.reference.to_string()]));
        assert_eq!(docker[number]["Config"], image.config_digest.blob_path());
        assert_eq!(docker[number]["Layers"].as_array().unwrap().len(), image.layers.len());
    }
}

#[test]
fn inspect_tells_what_was_built() {
    let place = Place::new();
    let images = build(&place);
    let seen = inspect(&place.path("images.tar")).unwrap();
    assert_eq!(seen.images.len(), 2);
    for (image, seen) in images.iter().zip(&seen.images) {
        assert_eq!(seen.names, [image.reference.to_string()]);
        assert_eq!((seen.config_digest, seen.manifest_digest), (image.config_digest, Some(image.manifest_digest)));
        for (layer, seen) in image.layers.iter().zip(&seen.layers) {
            assert_eq!((&seen.name, seen.digest, seen.diff_id, seen.size), (&layer.name, layer.digest, layer.diff_id, layer.size));
            assert_eq!((seen.uncompressed_size, seen.present), (Some(layer.uncompressed_size), true));
            assert_eq!(seen.packages, layer.packages);
        }
    }
    let app = &seen.images[0];
    assert_eq!(app.user.as_deref(), Some("991:991"));
    assert_eq!(app.env, ["LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin"]);
    assert_eq!((&app.entrypoint[..], &app.cmd[..]), (&["/launch".to_owned()][..], &["run".to_owned(), "app".to_owned()][..]));
    assert_eq!(app.ports, ["3478/udp", "8008/tcp"]);
    assert_eq!(app.working_dir.as_deref(), Some("/var/lib/app"));
    assert_eq!(app.labels["org.opencontainers.image.title"], "app for example.com");
    assert_eq!(app.labels["org.opencontainers.image.version"], "1.0");
    assert_eq!(app.layers[0].packages, ["ca-certificates 20250419", "libc6 2.41-12"]);
    let text = seen.to_string();
    assert!(text.contains(&app.names[0]) && text.ends_with("all digests right"), "{text}");
    assert_eq!(serde_json::to_value(&seen).unwrap()["images"][0]["layers"][0]["present"], true);
}

#[test]
fn each_form_alone_and_with_a_layer_left_out() {
    let place = Place::new();
    let images = build(&place);
    let all = members(&place.path("images.tar"));
    let without = |names: &[&str]| -> Vec<_> { all.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect() };
    let path = place.path("other.tar");
    let whole = inspect(&place.path("images.tar")).unwrap();

    write(&path, &without(&["manifest.json"]));
    let seen = inspect(&path).unwrap();
    assert_eq!((&seen.images, seen.size, &seen.contents), (&whole.images, whole.size, &whole.contents));
    assert!(whole.exact && !seen.exact);
    write(&path, &without(&["index.json", "oci-layout"]));
    assert_eq!(inspect(&path).unwrap().images[1].names, whole.images[1].names);

    let base = &images[0].layers[0];
    write(&path, &without(&[&base.digest.blob_path()]));
    let seen = inspect(&path).unwrap();
    assert!(!seen.images[0].layers[0].present && seen.images[0].layers[1].present);
    assert_eq!(seen.images[0].layers[0].digest, base.digest);
    assert_eq!(seen.size, whole.size - base.size);
    assert!(seen.to_string().contains("not in this archive"));
}

#[test]
fn tampering_is_found() {
    let place = Place::new();
    let images = build(&place);
    let all = members(&place.path("images.tar"));
    let path = place.path("other.tar");
    let message = |change: &dyn Fn(&str, &mut Vec<u8>)| {
        let mut changed = all.clone();
        for (name, bytes) in &mut changed {
            change(name, bytes);
        }
        assert!(changed != all, "nothing was changed");
        write(&path, &changed);
        let error = inspect(&path).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        error.to_string()
    };
    let at = |digest: synapse_site::image::digest::Digest| digest.blob_path();
    let image = &images[0];
    let (config, manifest, launcher) = (at(image.config_digest), at(image.manifest_digest), at(image.layers[2].digest));

    assert!(
        message(&|name, bytes| if name == config {
            bytes.push(b' ')
        })
        .contains("has the digest")
    );
    assert!(
        message(&|name, bytes| if name == manifest {
            bytes.push(b' ')
        })
        .contains("has the digest")
    );
    assert!(
        message(&|name, bytes| if name == launcher {
            bytes.push(0)
        })
        .contains(&launcher)
    );
    assert!(
        message(&|name, bytes| if name == launcher {
            bytes[4] = 1
        })
        .contains("has the digest"),
        "a changed date in the gzip header"
    );
    assert!(
        message(&|name, bytes| if name == launcher {
            bytes.truncate(100)
        })
        .contains("cannot be unpacked")
    );
    assert!(
        message(&|name, bytes| if name == "index.json" {
            bytes.clear()
        })
        .contains("index.json")
    );
    assert!(
        message(&|name, bytes| if name == "manifest.json" {
            *bytes = b"[]".to_vec()
        })
        .contains("different images")
    );

    // An image whose documents fit each other, but whose diff id is a lie.
    let lie = synapse_site::image::digest::Digest::of(b"lie").to_string();
    let diff_id = image.layers[0].diff_id.to_string();
    let docker: Vec<_> = all
        .iter()
        .filter(|(name, _)| name != "index.json")
        .map(|(name, bytes)| {
            let changed = if *name == config { String::from_utf8(bytes.clone()).unwrap().replace(&diff_id, &lie).into_bytes() } else { bytes.clone() };
            (name.clone(), changed)
        })
        .collect();
    write(&path, &docker);
    assert!(inspect(&path).unwrap_err().to_string().contains("its image says"));
}

#[test]
fn what_is_no_archive() {
    let place = Place::new();
    build(&place);
    let message = |bytes: &[u8]| {
        fs::write(place.path("x.tar"), bytes).unwrap();
        inspect(&place.path("x.tar")).unwrap_err().to_string()
    };
    assert!(message(b"").contains("neither index.json nor manifest.json"));
    assert!(message(&[b'x'; 2000]).contains("is no archive of images"));
    let whole = fs::read(place.path("images.tar")).unwrap();
    assert!(message(&whole[..whole.len() / 2]).contains("is no archive of images"));
    assert!(inspect(&place.path("absent")).is_err());
}
