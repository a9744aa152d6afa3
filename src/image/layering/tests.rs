use serde_json::{Value, json};

use super::*;

/// SHA-256 of nothing; contents do not matter here.
const HASH: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A store path whose hash part follows from a number.
fn path(number: usize, name: &str) -> String {
    format!("/nix/store/{number:032}-{name}")
}

fn record(path: &str, size: u64, references: &[String]) -> Value {
    json!({ "path": path, "narHash": HASH, "narSize": size, "references": references })
}

const MB: u64 = 1 << 20;

/// The outline of a real site: a C library for all, an interpreter with 200 packages for Synapse, a database with a big library.
fn site(ldap_version: &str) -> (Vec<Value>, BTreeMap<String, Needs>) {
    let glibc = path(1, "glibc-2.40");
    let openssl = path(2, "openssl-3.4.1");
    let python = path(3, "python3-3.13.2");
    let icu = path(4, "icu4c-76.1");
    let postgresql = path(5, "postgresql-17.5");
    let mut records = vec![
        record(&glibc, 30 * MB, std::slice::from_ref(&glibc)),
        record(&openssl, 7 * MB, std::slice::from_ref(&glibc)),
        record(&python, 110 * MB, &[glibc.clone(), openssl.clone()]),
        record(&icu, 38 * MB, std::slice::from_ref(&glibc)),
        record(&postgresql, 60 * MB, &[glibc.clone(), openssl.clone(), icu]),
    ];
    let mut libraries = Vec::new();
    for n in 0..200 {
        let library = path(100 + n, &format!("python3.13-library{n}-1.{n}"));
        records.push(record(&library, (n as u64 % 7 + 1) * MB / 4, std::slice::from_ref(&python)));
        libraries.push(library);
    }
    let ldap = path(6, &format!("python3.13-ldap3-{ldap_version}"));
    records.push(record(&ldap, 2 * MB, std::slice::from_ref(&python)));
    libraries.push(ldap);
    libraries.push(python.clone());
    let synapse = path(7, "matrix-synapse-1.163.2");
    records.push(record(&synapse, 25 * MB, &libraries));
    let need = |root: &String, name: &str| Needs { roots: BTreeSet::from([root.clone()]), applications: BTreeSet::from([name.to_owned()]) };
    (records, BTreeMap::from([("synapse".to_owned(), need(&synapse, "matrix-synapse")), ("postgres".to_owned(), need(&postgresql, "postgresql"))]))
}

fn divided(records: &[Value], images: &BTreeMap<String, Needs>, most: usize) -> Stacks {
    divide(&Graph::parse(&json!(records)).unwrap(), images, most).unwrap()
}

#[test]
fn every_path_once_and_below_what_depends_on_it() {
    let (records, images) = site("2.9.1");
    let graph = Graph::parse(&json!(records)).unwrap();
    for (image, stack) in divided(&records, &images, MOST) {
        let mut seen = BTreeSet::new();
        for group in &stack {
            let before = seen.len();
            seen.extend(group.paths.iter().map(String::as_str));
            assert_eq!(seen.len(), before + group.paths.len(), "{image}: {} repeats a path", group.name);
        }
        assert_eq!(seen, graph.closure(images[&image].roots.iter().map(String::as_str)).unwrap(), "{image}");
        let names: BTreeSet<_> = stack.iter().map(|group| &group.name).collect();
        assert_eq!(names.len(), stack.len(), "{image}: names are unique");
    }
}

#[test]
fn by_users_then_by_how_often_it_changes() {
    let (records, images) = site("2.9.1");
    let stacks = divided(&records, &images, MOST);
    let names = |image: &str| stacks[image].iter().map(|group| group.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        names("postgres"),
        ["base 1/1 of postgres+synapse", "base glibc of postgres+synapse", "libraries icu4c of postgres", "application postgresql of postgres"]
    );
    let synapse = names("synapse");
    assert_eq!(synapse[..3], ["base 1/1 of postgres+synapse", "base glibc of postgres+synapse", "base python3 of synapse"]);
    assert_eq!(synapse.last().unwrap(), "application matrix-synapse of synapse");
    let sizes: Vec<u64> = stacks["synapse"].iter().map(|group| size(&records, group)).collect();
    let all: u64 = sizes.iter().sum();
    assert!(sizes.iter().all(|size| size * 2 < all), "{sizes:?}");
}

fn size(records: &[Value], group: &Group) -> u64 {
    records.iter().filter(|record| group.paths.contains(record["path"].as_str().unwrap())).filter_map(|record| record["narSize"].as_u64()).sum()
}

#[test]
fn the_order_of_the_graph_does_not_matter() {
    let (mut records, images) = site("2.9.1");
    let one = divided(&records, &images, MOST);
    records.reverse();
    assert_eq!(divided(&records, &images, MOST), one);
    let middle = records.len() / 2;
    records.rotate_left(middle);
    for record in &mut records {
        record["references"].as_array_mut().unwrap().reverse();
    }
    assert_eq!(divided(&records, &images, MOST), one);
}

#[test]
fn a_new_version_moves_its_own_layer_only() {
    let (records, images) = site("2.9.1");
    let before = divided(&records, &images, MOST);
    let (records, images) = site("2.9.2");
    let after = divided(&records, &images, MOST);
    let name = |stacks: &Stacks| stacks["synapse"].iter().map(|group| group.name.clone()).collect::<Vec<_>>();
    assert_eq!(name(&before), name(&after));
    let moved: Vec<_> = before["synapse"].iter().zip(&after["synapse"]).filter(|(one, other)| one != other).collect();
    let [(one, other)] = moved.as_slice() else { panic!("{moved:?}") };
    assert_eq!(one.paths.symmetric_difference(&other.paths).count(), 2);
    assert_eq!(before["postgres"], after["postgres"]);
}

#[test]
fn a_package_more_moves_its_own_layer_only() {
    let (mut records, images) = site("2.9.1");
    let before = divided(&records, &images, MOST);
    let more = path(9, "python3.13-brand-new-1.0");
    records.push(record(&more, MB / 8, &[path(3, "python3-3.13.2")]));
    let synapse = records.iter_mut().find(|record| record["path"] == json!(path(7, "matrix-synapse-1.163.2"))).unwrap();
    synapse["references"].as_array_mut().unwrap().push(json!(more));
    let after = divided(&records, &images, MOST);
    assert_eq!(before["synapse"].iter().zip(&after["synapse"]).filter(|(one, other)| one != other).count(), 1);
}

#[test]
fn never_more_layers_than_there_may_be() {
    // 4000 big paths would each be a layer.
    let records: Vec<Value> = (0..4000).map(|n| record(&path(n, &format!("p{n}-1")), 40 * MB, &[])).collect();
    let roots = (0..4000).map(|n| path(n, &format!("p{n}-1"))).collect();
    let images = BTreeMap::from([("one".to_owned(), Needs { roots, applications: BTreeSet::new() })]);
    let stacks = divided(&records, &images, MOST);
    assert!((2..=MOST).contains(&stacks["one"].len()), "{}", stacks["one"].len());
    let (records, images) = site("2.9.1");
    for most in [1, 2, 3, 5, 8, 13] {
        let stacks = divided(&records, &images, most);
        assert!(stacks.values().all(|stack| stack.len() <= most.max(2)), "{most}: {stacks:?}");
    }
}

#[test]
fn modules_belong_to_their_service() {
    assert!(bears("python3.13-matrix-synapse-ldap3-0.4.0", "matrix-synapse"));
    assert!(bears("matrix-synapse-1.163.2", "matrix-synapse"));
    assert!(!bears("python3.13-matrix-common-1.3.0", "matrix-synapse"));
    assert!(!bears("hiredis-1.3.0", "redis"));
}

#[test]
fn a_root_that_the_graph_lacks() {
    let (records, mut images) = site("2.9.1");
    images.get_mut("postgres").unwrap().roots.insert(path(77, "gone-1"));
    assert!(divide(&Graph::parse(&json!(records)).unwrap(), &images, MOST).unwrap_err().to_string().contains("gone-1 is not in the reference graph"));
}

mod generated {
    use proptest::prelude::*;

    use super::*;

    /// Any graph without circles, as nodes that refer to earlier ones: size in MB and what it refers to.
    fn graphs() -> impl Strategy<Value = Vec<(u64, Vec<usize>)>> {
        let node = (0..70u64, proptest::collection::vec(any::<prop::sample::Index>(), 0..5));
        proptest::collection::vec(node, 2..60).prop_map(|nodes| {
            let earlier = |at: usize, found: Vec<prop::sample::Index>| if at == 0 { Vec::new() } else { found.iter().map(|index| index.index(at)).collect() };
            nodes.into_iter().enumerate().map(|(at, (size, found))| (size, earlier(at, found))).collect()
        })
    }

    /// The graph as Nix writes it, with a package of another version at one place; two images with the last two nodes as roots.
    fn written(nodes: &[(u64, Vec<usize>)], raised: Option<usize>) -> (Vec<Value>, BTreeMap<String, Needs>) {
        let place = |at: usize| if raised == Some(at) { path(1000 + at, &format!("p{at}-2")) } else { path(at, &format!("p{at}-1")) };
        let records = nodes.iter().enumerate().map(|(at, (size, found))| record(&place(at), size * MB, &found.iter().map(|at| place(*at)).collect::<Vec<_>>()));
        let need = |at: usize| Needs { roots: BTreeSet::from([place(at)]), applications: BTreeSet::from([format!("p{at}")]) };
        let images = BTreeMap::from([("one".to_owned(), need(nodes.len() - 1)), ("two".to_owned(), need(nodes.len() - 2))]);
        (records.collect(), images)
    }

    /// The number of dependents as it is defined: the paths whose closure holds it.
    fn counted(graph: &Graph) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for path in graph.paths() {
            for dependency in graph.closure([path.path.as_str()]).unwrap() {
                *counts.entry(dependency).or_default() += 1;
            }
        }
        counts
    }

    proptest! {
        #[test]
        fn dependents_are_counted_as_they_are_defined(nodes in graphs(), copies in 1..4usize) {
            // Several copies side by side are more than the sixty-four that are counted at once.
            let of = |copy: usize| nodes.iter().enumerate().map(move |(at, (size, found))| (copy, at, *size, found));
            let place = |copy: usize, at: usize| path(copy * 100 + at, &format!("p{at}-1"));
            let records: Vec<Value> = (0..copies).flat_map(of).map(|(copy, at, size, found)| record(&place(copy, at), size, &found.iter().map(|at| place(copy, *at)).collect::<Vec<_>>())).collect();
            let graph = Graph::parse(&json!(records)).unwrap();
            let needed = graph.paths().map(|path| (path.path.as_str(), vec!["one"])).collect();
            prop_assert_eq!(dependents(&graph, &needed), counted(&graph));
        }

        #[test]
        fn layers_follow_from_the_graph_and_not_from_its_order(nodes in graphs(), order in any::<u64>(), most in 1..12usize) {
            let (mut records, images) = written(&nodes, None);
            let one = divided(&records, &images, most);
            records.sort_by_key(|record| Digest::of(format!("{order} {record}").as_bytes()).hex());
            records.iter_mut().for_each(|record| record["references"].as_array_mut().unwrap().reverse());
            prop_assert_eq!(divided(&records, &images, most), one);
        }

        #[test]
        fn a_path_that_changes_moves_the_layer_that_holds_it_and_no_other(nodes in graphs(), which in any::<prop::sample::Index>()) {
            let at = which.index(nodes.len());
            let (records, images) = written(&nodes, None);
            let before = divided(&records, &images, MOST);
            let (records, images) = written(&nodes, Some(at));
            let after = divided(&records, &images, MOST);
            let (old, new) = (path(at, &format!("p{at}-1")), path(1000 + at, &format!("p{at}-2")));
            for (image, stack) in &before {
                prop_assert_eq!(stack.len(), after[image].len());
                for (one, other) in stack.iter().zip(&after[image]) {
                    let expected: BTreeSet<String> = one.paths.iter().map(|path| if *path == old { new.clone() } else { path.clone() }).collect();
                    prop_assert_eq!((&one.name, &expected), (&other.name, &other.paths));
                }
            }
        }
    }
}
