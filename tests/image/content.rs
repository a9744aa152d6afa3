//! What is in a layer, as GNU tar and gzip read it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use synapse_site::image::build::build_images;
use synapse_site::image::oci::Image;
use synapse_site::image::plan::{Content, Site, plan};
use synapse_site::image::progress::Silent;
use synapse_site::image::store::LayerStore;

use crate::site::{LAUNCH, Place, architecture, packages, plans, specs};

fn build(place: &Place) -> Vec<Image> {
    build_images(&plans("a: 1", false), &LayerStore::new(&place.cache), 2, &Silent).unwrap()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{command:?} warns: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn listing_of_each_layer() {
    let place = Place::new();
    let images = build(&place);
    let list = |image: usize, layer: usize| -> Vec<String> {
        let blob = &images[image].layers[layer].blob;
        run(Command::new("gzip").arg("-t").arg("-c").stdin(fs::File::open(blob).unwrap()));
        let text = run(Command::new("tar").args(["--numeric-owner", "--utc", "--full-time", "-tvzf"]).arg(blob));
        text.lines()
            .map(|line| {
                // Size and date are the same or known; mode, owner and name matter.
                let fields: Vec<&str> = line.split_whitespace().collect();
                assert_eq!(fields[3..5], ["1980-01-02", "00:00:00"], "{line}");
                format!("{} {} {}", fields[0], fields[1], fields[5..].join(" "))
            })
            .collect()
    };
    let deep = format!("usr/lib/{}deep", "long-directory-name/".repeat(8));
    let mut base: Vec<String> = [
        "drwxrwxrwt 0/0 tmp/",
        "drwxr-xr-x 0/0 var/",
        "drwxr-xr-x 0/0 var/lib/",
        "drwx------ 991/991 var/lib/app/",
        "drwxr-xr-x 0/0 usr/",
        "drwxr-xr-x 0/0 usr/share/",
        "drwxr-xr-x 0/0 usr/share/ca-certificates/",
        "drwxr-xr-x 0/0 usr/share/ca-certificates/mozilla/",
        "-rw-r--r-- 0/0 usr/share/ca-certificates/mozilla/B.crt",
        "-rw-r--r-- 0/0 usr/share/ca-certificates/mozilla/A.crt",
        "-rw-r--r-- 0/0 usr/share/ca-certificates/mozilla/README",
        "drwxr-xr-x 0/0 usr/bin/",
        "drwxr-xr-x 0/0 usr/lib/",
        "-rwxr-xr-x 0/0 usr/lib/libc.so.6",
        "lrwxrwxrwx 0/0 usr/lib/libc.so -> libc.so.6",
        "hrwxr-xr-x 0/0 usr/lib/libc-2.41.so link to usr/lib/libc.so.6",
        "-rwxr-xr-x 0/0 usr/bin/su",
    ]
    .map(str::to_owned)
    .to_vec();
    let parents: Vec<&str> = deep.match_indices('/').map(|(at, _)| &deep[..=at]).skip(2).collect();
    base.extend(parents.iter().map(|parent| format!("drwxr-xr-x 0/0 {parent}")));
    base.push(format!("-rw-r--r-- 0/0 {deep}"));
    base.extend(
        [
            "drwxr-xr-x 0/0 usr/share/doc/",
            "drwxr-xr-x 0/0 usr/share/doc/libc6/",
            "-rw-r--r-- 0/0 usr/share/doc/libc6/copyright",
            "drwxr-xr-x 0/0 etc/",
            "-rw-r--r-- 0/0 etc/group",
            "-rw-r--r-- 0/0 etc/nsswitch.conf",
            "-rw-r--r-- 0/0 etc/passwd",
            "drwxr-xr-x 0/0 etc/ssl/",
            "drwxr-xr-x 0/0 etc/ssl/certs/",
            "-rw-r--r-- 0/0 etc/ssl/certs/ca-certificates.crt",
            "lrwxrwxrwx 0/0 bin -> usr/bin",
            "lrwxrwxrwx 0/0 lib -> usr/lib",
        ]
        .map(str::to_owned),
    );
    assert_eq!(list(0, 0), base);
    assert_eq!(
        list(0, 1),
        [
            "drwxr-xr-x 0/0 usr/",
            "drwxr-xr-x 0/0 usr/bin/",
            "-rwxr-xr-x 0/0 usr/bin/app",
            "drwxr-xr-x 0/0 var/",
            "drwxr-xr-x 0/0 var/lib/",
            "drwx------ 991/991 var/lib/app/",
            "-rw-r--r-- 0/0 var/lib/app/seed",
            "drwxr-xr-x 0/0 usr/share/",
            "drwxr-xr-x 0/0 usr/share/man/",
            "drwxr-xr-x 0/0 usr/share/man/man1/",
            "-rw-r--r-- 0/0 usr/share/man/man1/app.1",
        ]
    );
    assert_eq!(list(0, 2), ["-rwxr-xr-x 0/0 launch"]);
    assert_eq!(
        list(0, 3),
        [
            "drwxr-xr-x 0/0 etc/",
            "drwxr-xr-x 0/0 etc/app/",
            "-rw-r--r-- 0/0 etc/app/app.yaml",
            "drwxr-xr-x 0/0 etc/synapse-site/",
            "-rw-r--r-- 0/0 etc/synapse-site/launch.json",
        ]
    );
}

#[test]
fn extracted_by_gnu_tar() {
    let place = Place::new();
    let images = build(&place);
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    for layer in &images[1].layers {
        run(Command::new("tar").arg("-xzf").arg(&layer.blob).arg("-C").arg(&root));
    }
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(read("etc/ssl/certs/ca-certificates.crt"), "AAA\nBBB\n");
    assert_eq!(read("etc/synapse-site/launch.json"), "{}");
    assert_eq!(read("bin/other"), "other");
    // `other` has an account although no layer lists one, and the account of the base is still there.
    let passwd = read("etc/passwd");
    assert!(passwd.contains("\napp:x:991:991:") && passwd.contains("\nother:x:992:992:"), "{passwd}");
    assert_eq!(fs::read(root.join("launch")).unwrap(), fs::read(LAUNCH).unwrap());
    let inode = |path: &str| fs::metadata(root.join(path)).unwrap().ino();
    assert_eq!(inode("usr/lib/libc.so.6"), inode("usr/lib/libc-2.41.so"), "hard links stay hard links");
}

#[test]
fn definitions_that_cannot_be_built() {
    let message = |change: &dyn Fn(&mut synapse_site::definition::ImageSpec)| {
        let mut specs = specs();
        change(specs.get_mut("app").unwrap());
        let contents = [("app".to_owned(), Content::default())].into();
        let site = Site {
            server_name: "example.com",
            repository: "localhost/synapse-site",
            specs: &specs,
            contents: &contents,
            launch: Path::new(LAUNCH),
            architecture: architecture(),
        };
        let place = Place::new();
        let built = plan(&site, &mut |_, layer| Ok(packages(layer, false))).and_then(|plans| build_images(&plans, &LayerStore::new(&place.cache), 1, &Silent));
        let error = built.unwrap_err();
        assert_eq!(error.exit_code(), 3);
        error.to_string()
    };
    let link = |path: &str| synapse_site::definition::Link { path: path.into(), target: "x".into() };
    assert!(message(&|app| app.from = Some("app".into())).contains("the image app is built from itself"));
    assert!(message(&|app| app.from = Some("bose".into())).contains("no definition of the image bose; there are app, base, other"));
    assert!(message(&|app| app.layers[0].links.push(link("/usr/bin/app"))).contains("usr/bin/app comes from"));
    assert!(message(&|app| app.layers[0].links.push(link("../x"))).contains("no absolute path"));
    assert!(message(&|app| app.layers[0].ca_bundle = Some("/etc/ca".into())).contains("no package in it has certificates"));
    assert!(message(&|app| app.layers[0].exclude.push("/usr".into())).contains("is no pattern"));
    assert!(
        message(&|app| app.layers[0].directories.push(synapse_site::definition::Directory { path: "/x".into(), mode: Some("4755".into()), owner: 0 }))
            .contains("`4755` is no mode for /x")
    );
    assert!(
        message(&|app| {
            app.layers.clear();
            app.user = Some(synapse_site::definition::User { name: "x".into(), id: 7 });
        })
        .contains("the user x of the image app has no account")
    );
}
