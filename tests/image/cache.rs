//! Layers that were made before.

use std::fs;
use std::sync::Mutex;

use synapse_site::image::archive::write_archive;
use synapse_site::image::build::{build_archive, build_images};
use synapse_site::image::layer::Layer;
use synapse_site::image::progress::{Progress, Silent};
use synapse_site::image::store::LayerStore;

use crate::site::{Place, plans};

/// Writes down which layers were made, taken from the cache, or found damaged.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Progress for Log {
    fn layer_finished(&self, layer: &Layer, reused: bool) {
        self.0.lock().unwrap().push(format!("{} {}", if reused { "reused" } else { "made" }, layer.name));
    }

    fn layer_damaged(&self, layer: &Layer) {
        self.0.lock().unwrap().push(format!("damaged {}", layer.name));
    }
}

#[test]
fn a_layer_is_made_once() {
    let place = Place::new();
    let store = LayerStore::new(&place.cache);
    let log = Log::default();
    let first = build_images(&plans("a: 1", false), &store, 2, &log).unwrap();
    let (app, other) = ("made application", "made application");
    assert_eq!(log.take(), ["made base", app, "made launcher", "made configuration", other, "made configuration"]);
    let second = build_images(&plans("a: 2", true), &store, 1, &log).unwrap();
    let reused = ["reused base", "reused application", "reused launcher", "made configuration", "reused application", "made configuration"];
    assert_eq!(log.take(), reused);
    assert_eq!(first[0].layers[0], second[0].layers[0]);
}

#[test]
fn a_damaged_layer_is_made_again() {
    let place = Place::new();
    let store = LayerStore::new(&place.cache);
    let plans = plans("a: 1", false);
    let log = Log::default();
    let (images, length) = build_archive(&plans, &store, 2, &log, &place.path("one.tar")).unwrap();
    assert_eq!(length, fs::metadata(place.path("one.tar")).unwrap().len());
    log.take();

    // A flipped bit, which only the digest shows, and another one that is gone while a build uses it.
    let (base, launcher) = (&images[0].layers[0].blob, &images[0].layers[2].blob);
    let mut bytes = fs::read(base).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(base, &bytes).unwrap();
    let error = write_archive(&images, &place.path("two.tar"), &Silent).unwrap_err().to_string();
    assert!(error.contains("damaged in the cache") && error.contains(&base.display().to_string()), "{error}");
    assert!(!place.path("two.tar").exists(), "an incomplete archive does not stay");
    fs::remove_file(launcher).unwrap();
    assert!(write_archive(&images, &place.path("two.tar"), &Silent).unwrap_err().to_string().contains(&launcher.display().to_string()));

    build_archive(&plans, &store, 2, &log, &place.path("two.tar")).unwrap();
    assert_eq!(fs::read(place.path("one.tar")).unwrap(), fs::read(place.path("two.tar")).unwrap());
    let log = log.take();
    assert!(log.contains(&"damaged base".to_owned()) && log.contains(&"made launcher".to_owned()), "{log:?}");
    assert_eq!(log.iter().filter(|line| *line == "made base").count(), 1, "{log:?}");
}

#[test]
fn an_archive_is_never_written_over_something() {
    let place = Place::new();
    let images = build_images(&plans("", false), &LayerStore::new(&place.cache), 1, &Silent).unwrap();
    fs::write(place.path("images.tar"), "precious").unwrap();
    assert!(write_archive(&images, &place.path("images.tar"), &Silent).is_err());
    assert_eq!(fs::read(place.path("images.tar")).unwrap(), b"precious");
}

#[test]
fn every_part_of_a_plan_decides_about_its_key() {
    use std::collections::{BTreeMap, BTreeSet};

    use synapse_site::image::layer::{FileContent, LayerPlan};
    use synapse_site::image::tree::Meta;

    use crate::site::TarPackage;

    let text = |text: &str| BTreeMap::from([("p".to_owned(), text.to_owned())]);
    let meta = |mode| BTreeMap::from([("p".to_owned(), Meta { mode, uid: 0, gid: 0 })]);
    let file = |bytes: &[u8], mode| BTreeMap::from([("p".to_owned(), FileContent { bytes: bytes.to_vec(), mode })]);
    let package = |label: &str, content: &str| -> LayerPlan {
        LayerPlan { packages: vec![Box::new(TarPackage::new(label, &[("x", 0o644, content)]))], ..LayerPlan::default() }
    };
    let plans = [
        LayerPlan::default(),
        LayerPlan { exclude: vec!["p".into()], ..LayerPlan::default() },
        LayerPlan { include: vec!["p".into()], ..LayerPlan::default() },
        LayerPlan { directories: meta(0o755), ..LayerPlan::default() },
        LayerPlan { directories: meta(0o700), ..LayerPlan::default() },
        LayerPlan { inherited: meta(0o700), ..LayerPlan::default() },
        LayerPlan { links: text("a"), ..LayerPlan::default() },
        LayerPlan { aliases: text("a"), ..LayerPlan::default() },
        LayerPlan { files: file(b"a", 0o644), ..LayerPlan::default() },
        LayerPlan { files: file(b"b", 0o644), ..LayerPlan::default() },
        LayerPlan { files: file(b"b", 0o600), ..LayerPlan::default() },
        LayerPlan { ca_bundle: Some("p".into()), ..LayerPlan::default() },
        package("a 1", "x"),
        package("b 1", "x"),
        package("a 1", "y"),
    ];
    let keys: BTreeSet<_> = plans.iter().map(|plan| plan.key().unwrap()).collect();
    assert_eq!(keys.len(), plans.len());
    let named = LayerPlan { name: "another name".into(), ..LayerPlan::default() };
    assert_eq!(named.key().unwrap(), plans[0].key().unwrap());
}
