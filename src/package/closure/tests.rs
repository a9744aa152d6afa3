use serde_json::json;

use super::*;

const A: &str = "/nix/store/0000000000000000000000000000000a-a-1.0";
const B: &str = "/nix/store/0000000000000000000000000000000b-b-2.0-lib";
const HASH: &str = "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";

fn record(path: &str, references: &[&str]) -> serde_json::Value {
    json!({ "path": path, "narHash": HASH, "narSize": 96, "closureSize": 96, "references": references, "deriver": null })
}

#[test]
fn the_graph_of_any_nix() {
    let graph = Graph::parse(&json!([record(B, &[A, B]), record(A, &[A])])).unwrap();
    assert_eq!(graph, Graph::parse(&json!([record(A, &[]), record(B, &[B, A])])).unwrap());
    assert_eq!(graph.closure([A]).unwrap(), BTreeSet::from([A]));
    assert_eq!(graph.closure([B]).unwrap(), BTreeSet::from([A, B]));
    assert!(graph.closure(["/nix/store/x"]).unwrap_err().to_string().contains("is not in the reference graph"));
}

#[test]
fn graphs_that_are_none() {
    let error = |value: serde_json::Value| Graph::parse(&value).unwrap_err().to_string();
    assert!(error(json!({})).contains("cannot be read"));
    assert!(error(json!([record(B, &[A])])).contains("lacks /nix/store/0000000000000000000000000000000a-a-1.0"));
    for path in ["/nix/store/short", "nix/store/0000000000000000000000000000000a-a", "/nix/../store/0000000000000000000000000000000a-a", "/x\ny"] {
        assert!(error(json!([record(path, &[])])).contains("is no store path"), "{path}");
    }
    let mut damaged = record(A, &[]);
    damaged["narHash"] = json!("md5:123");
    assert!(error(json!([damaged])).contains("where the hash of"));
}

#[test]
fn hashes_in_every_writing() {
    // The SHA-256 of nothing, as `nix hash` writes it.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hash("sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73").as_deref(), Some(empty));
    assert_eq!(hash("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").as_deref(), Some(empty));
    assert_eq!(hash(&format!("sha256:{empty}")).as_deref(), Some(empty));
    for wrong in ["", "sha256:", "sha256:e", "sha256-47DE", "sha256:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "sha512:00"] {
        assert_eq!(hash(wrong), None, "{wrong}");
    }
}

#[test]
fn names_are_cut_as_nix_cuts_them() {
    for (name, package, number) in [
        ("glibc-2.40-66", "glibc", "2.40-66"),
        ("openssl-3.4.1-bin", "openssl", "3.4.1-bin"),
        ("python3.13-matrix-synapse-ldap3-0.4.0", "python3.13-matrix-synapse-ldap3", "0.4.0"),
        ("cacert", "cacert", ""),
        ("nss-cacert-3.108", "nss-cacert", "3.108"),
    ] {
        let path = format!("/nix/store/0000000000000000000000000000000a-{name}");
        assert_eq!((package_name(&path), version(&path)), (package, number));
    }
}

/// Members as text, with the content of files.
fn members(files: &Path) -> Result<Vec<String>> {
    let graph = Graph::parse(&json!([record(A, &[])])).unwrap();
    let package = Closure { files: files.to_owned(), ..Closure::new(graph.get(A).unwrap()) };
    let mut members = Vec::new();
    package.walk(&mut |entry, content| {
        let mut text = String::new();
        content.read_to_string(&mut text).map_err(|error| Error::io("read", files, &error))?;
        assert_eq!((entry.uid, entry.gid), (0, 0));
        members.push(format!("{:o} {} {:?} {text}", entry.mode, entry.path.trim_start_matches("nix/store/0000000000000000000000000000000a-"), entry.kind));
        Ok(())
    })?;
    Ok(members)
}

#[test]
fn a_walk_in_the_order_of_the_archive_format() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("a");
    fs::create_dir_all(root.join("lib")).unwrap();
    fs::write(root.join("lib/x"), "x").unwrap();
    fs::write(root.join("lib.txt"), "text").unwrap();
    fs::write(root.join("Run"), "run").unwrap();
    fs::set_permissions(root.join("Run"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(root.join("lib.txt"), fs::Permissions::from_mode(0o616)).unwrap();
    fs::hard_link(root.join("lib/x"), root.join("lib/y")).unwrap();
    std::os::unix::fs::symlink("../lib.txt", root.join("lib/link")).unwrap();
    assert_eq!(
        members(&root).unwrap(),
        [
            "555 a-1.0 Directory ",
            "555 a-1.0/Run File { size: 3 } run",
            "555 a-1.0/lib Directory ",
            "777 a-1.0/lib/link Symlink { target: \"../lib.txt\" } ",
            "444 a-1.0/lib/x File { size: 1 } x",
            "444 a-1.0/lib/y File { size: 1 } x",
            "444 a-1.0/lib.txt File { size: 4 } text",
        ]
    );
    assert_eq!(members(&root.join("lib.txt")).unwrap(), ["444 a-1.0 File { size: 4 } text"], "a store path can be a file");
}

#[test]
fn what_no_image_can_hold() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    assert!(members(directory.path()).unwrap_err().to_string().contains("neither a file nor a directory"));
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    assert!(members(other.path()).unwrap_err().to_string().contains("not UTF-8"));
    assert!(members(Path::new("/nonexistent")).is_err());
}

#[test]
fn the_key_is_the_path_and_its_content() {
    let graph = Graph::parse(&json!([record(A, &[]), record(B, &[A])])).unwrap();
    let (a, b) = (Closure::new(graph.get(A).unwrap()), Closure::new(graph.get(B).unwrap()));
    assert_ne!(a.key(), b.key());
    assert_eq!((a.label(), b.label()), ("a 1.0".to_owned(), "b 2.0-lib".to_owned()));
}

#[test]
fn whiteouts_have_no_place_in_a_store_path() {
    for name in [".wh.x", ".wh..wh..opq"] {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("a");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("etc").join(name), "").unwrap();
        assert!(members(&root).unwrap_err().to_string().contains("whiteout"), "{name}");
    }
}

#[test]
fn circles_are_refused_and_names_are_escaped() {
    let error = |value: serde_json::Value| Graph::parse(&value).unwrap_err().to_string();
    assert!(error(json!([record(A, &[B]), record(B, &[A])])).contains("2 paths that refer to each other in a circle"));
    let said = error(json!([record("/x\u{1b}[2J\u{9b}\u{202e}\n", &[])]));
    assert!(said.contains(r"has `/x\u{1b}[2J\u{9b}\u{202e}\n`") && said.lines().count() == 2, "{said}");
}

#[test]
fn each_path_comes_before_what_it_refers_to() {
    let graph = Graph::parse(&json!([record(A, &[]), record(B, &[A, B])])).unwrap();
    assert_eq!(graph.ordered().iter().map(|path| path.path.as_str()).collect::<Vec<_>>(), [B, A]);
}
