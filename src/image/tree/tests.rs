//! Members go in, a listing comes out.

use super::*;

fn none() -> BTreeMap<String, Meta> {
    BTreeMap::new()
}

fn entry(path: &str, mode: u32, kind: Kind) -> Entry {
    Entry { path: path.into(), mode, uid: 0, gid: 0, kind }
}

/// Path, type, mode and owner of every member.
fn list(tree: Tree<'_, Vec<u8>>) -> Vec<String> {
    let (bytes, _) = tree.finish().unwrap();
    tar::Archive::new(&bytes[..])
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let link = entry.link_name().unwrap().map_or(String::new(), |l| format!(" -> {}", l.display()));
            format!("{} {:o} {}{link}", entry.path().unwrap().display(), header.mode().unwrap(), header.uid().unwrap())
        })
        .collect()
}

fn add(tree: &mut Tree<'_, Vec<u8>>, path: &str, mode: u32, kind: Kind) -> Result<()> {
    tree.add_package_entry(&entry(path, mode, kind), &mut std::io::empty())
}

fn file() -> Kind {
    Kind::File { size: 0 }
}

fn link(target: &str) -> Kind {
    Kind::Symlink { target: target.into() }
}

#[test]
fn parents_once_and_before_children() {
    let (aliases, inherited) = (BTreeMap::new(), BTreeMap::from([("var".to_owned(), Meta { mode: 0o700, uid: 5, gid: 5 })]));
    let mut tree = Tree::new(Vec::new(), &aliases, &inherited);
    tree.make_directory("tmp", Meta { mode: 0o1777, uid: 0, gid: 0 }).unwrap();
    tree.begin_package("one".into());
    tree.describe(&entry("usr/share/doc", 0o750, Kind::Directory)).unwrap();
    add(&mut tree, "usr/share/doc/x/copyright", 0o644, file()).unwrap();
    add(&mut tree, "usr", 0o755, Kind::Directory).unwrap();
    add(&mut tree, "tmp", 0o755, Kind::Directory).unwrap();
    add(&mut tree, "usr/share/b", 0o644, file()).unwrap();
    add(&mut tree, "var/x", 0o644, file()).unwrap();
    assert_eq!(
        list(tree),
        [
            "tmp/ 1777 0",
            "usr/ 755 0",
            "usr/share/ 755 0",
            "usr/share/doc/ 750 0",
            "usr/share/doc/x/ 755 0",
            "usr/share/doc/x/copyright 644 0",
            "usr/share/b 644 0",
            "var/ 700 5",
            "var/x 644 0"
        ]
    );
}

#[test]
fn dangerous_bits_go() {
    let (aliases, inherited) = (BTreeMap::new(), none());
    let mut tree = Tree::new(Vec::new(), &aliases, &inherited);
    tree.begin_package("one".into());
    add(&mut tree, "su", 0o6757, file()).unwrap();
    add(&mut tree, "open", 0o1777, Kind::Directory).unwrap();
    add(&mut tree, "link", 0o644, link("su")).unwrap();
    add(&mut tree, "hard", 0o4755, Kind::Hardlink { target: "su".into() }).unwrap();
    tree.make_file("made", 0o4666, b"").unwrap();
    assert_eq!(list(tree), ["su 755 0", "open/ 775 0", "link 777 0 -> su", "hard 755 0 -> su", "made 664 0"]);
}

#[test]
fn members_below_links_go_where_the_links_lead() {
    let aliases = BTreeMap::from([("lib".to_owned(), "usr/lib".to_owned()), ("usr/lib/ssl".to_owned(), "etc/ssl".to_owned())]);
    let inherited = none();
    let mut tree = Tree::new(Vec::new(), &aliases, &inherited);
    tree.begin_package("one".into());
    add(&mut tree, "lib", 0o755, Kind::Directory).unwrap();
    add(&mut tree, "lib/ssl/x", 0o644, file()).unwrap();
    add(&mut tree, "lib/y", 0o644, file()).unwrap();
    add(&mut tree, "lib/z", 0o644, Kind::Hardlink { target: "lib/y".into() }).unwrap();
    let error = add(&mut tree, "usr/lib/ssl", 0o644, file()).unwrap_err().to_string();
    assert!(error.contains("usr/lib/ssl comes from image.toml and from one"), "{error}");
    tree.make_link("lib", "usr/lib").unwrap();
    assert_eq!(
        list(tree),
        [
            "etc/ 755 0",
            "etc/ssl/ 755 0",
            "etc/ssl/x 644 0",
            "usr/ 755 0",
            "usr/lib/ 755 0",
            "usr/lib/y 644 0",
            "usr/lib/z 644 0 -> usr/lib/y",
            "lib 777 0 -> usr/lib"
        ]
    );
    let circle = BTreeMap::from([("a".to_owned(), "b".to_owned()), ("b".to_owned(), "a".to_owned())]);
    let mut tree = Tree::new(Vec::new(), &circle, &inherited);
    tree.begin_package("one".into());
    assert!(add(&mut tree, "a/x", 0o644, file()).is_err());
}

#[test]
fn contradictions_name_both_sides() {
    let (aliases, inherited) = (BTreeMap::new(), none());
    let mut tree = Tree::new(Vec::new(), &aliases, &inherited);
    tree.begin_package("one 1".into());
    add(&mut tree, "a/x", 0o644, file()).unwrap();
    add(&mut tree, "l", 0o777, link("/etc")).unwrap();
    tree.begin_package("two 2".into());
    for (path, mode, kind, expected) in [
        ("a/x", 0o644, file(), "a/x comes from one 1 and from two 2"),
        ("a/x", 0o755, Kind::Directory, "a/x comes from one 1 and from two 2"),
        ("a", 0o700, Kind::Directory, "the directory a is 0755 0:0 for what lies below it and 0700 0:0 for two 2"),
        ("l/passwd", 0o644, file(), "l/passwd lies below l, which is no directory for one 1"),
        ("h", 0o644, Kind::Hardlink { target: "a/x".into() }, "h is a hard link to a/x"),
        ("b/../../x", 0o644, file(), "is no path inside an image"),
        ("/x", 0o644, file(), "is no path inside an image"),
    ] {
        let error = add(&mut tree, path, mode, kind).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn links_resolve_like_in_the_kernel() {
    assert_eq!(resolve("bin", "usr/bin"), "usr/bin");
    assert_eq!(resolve("usr/lib/ssl/certs", "/etc/ssl/certs"), "etc/ssl/certs");
    assert_eq!(resolve("usr/lib/a", "../share/./b"), "usr/share/b");
    assert_eq!(resolve("a", "../../../b"), "b");
}
