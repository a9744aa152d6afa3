//! A cache with one entry that is not what it should be: flipped, cut, replaced by a sound one of the same kind, or by what is no
//! file. The build gives the right bytes or says clearly why not, for entries of every kind that the seed chooses.

use std::fs;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::dice::Dice;
use super::small::{archive, build, files, same_cache, small};
use super::support::{names, run};

/// What can happen to a file. `random` decides about the place.
type Damage = fn(&Path, random: usize);

const DAMAGES: [(&str, Damage); 7] = [
    ("a flipped bit", |path, random| {
        let mut bytes = fs::read(path).unwrap();
        let at = random % bytes.len();
        bytes[at] ^= 1 << (random % 8);
        replace(path, &bytes);
    }),
    ("a cut file", |path, random| {
        let bytes = fs::read(path).unwrap();
        replace(path, &bytes[..random % bytes.len()]);
    }),
    ("an empty file", |path, _| replace(path, b"")),
    ("more bytes at the end", |path, _| replace(path, &[fs::read(path).unwrap(), b"more".to_vec()].concat())),
    ("a directory", |path, _| {
        fs::remove_file(path).unwrap();
        fs::create_dir_all(path.join("with/more")).unwrap();
    }),
    ("a FIFO", |path, _| {
        fs::remove_file(path).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }),
    ("a link to itself", |path, _| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(path, path).unwrap();
    }),
];

/// How many entries of each kind are damaged.
const SAMPLE: usize = 4;

/// The file may have a second name in another cache, so it is not written into.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Builds with a damaged copy of a cache. Layers are made again where the damage is below them, as nothing reads it otherwise.
fn check(dir: &Path, warm: &Path, kind: &str, what: &str, good: &[u8], damage: &dyn Fn(&Path)) {
    let cache = dir.join("damaged");
    same_cache(warm, &cache);
    if kind != "layers" {
        fs::remove_dir_all(cache.join("layers")).unwrap();
    }
    damage(&cache);
    let ran = run(&mut build(dir, &cache));
    let out = dir.join("out");
    match ran.code {
        Some(0) => assert!(fs::read(out.join("images.tar")).unwrap() == good, "{what}: other bytes"),
        // Packages come from elsewhere, and here is no network. Everything else is made again.
        Some(3) if kind == "packages" => assert!(ran.err.contains("what to do"), "{what}: {ran:?}"),
        _ => panic!("{what}: {ran:?}"),
    }
    assert!(names(&cache.join("tmp")).is_empty(), "{what}");
    assert_eq!(out.exists(), ran.code == Some(0), "{what}");
    let _absent = fs::remove_dir_all(out);
    fs::remove_dir_all(cache).unwrap();
}

#[test]
fn an_entry_is_what_it_says_or_is_made_again() {
    let dir = small();
    let dir = dir.path();
    let warm = dir.join("cache");
    let good = archive(dir, &warm);
    let mut dice = Dice::new();
    for kind in ["packages", "bytecode", "layers"] {
        let entries = files(&warm.join(kind));
        assert!(entries.len() >= 5, "{kind}: {entries:?}");
        // Each entry takes two builds: a few of each kind, others for another seed.
        for _ in 0..SAMPLE {
            let at = dice.below(entries.len());
            let entry = &entries[at];
            let path = entry.strip_prefix(&warm).unwrap();
            let (named, wreck) = DAMAGES[dice.below(DAMAGES.len())];
            let place = dice.below(usize::MAX);
            check(dir, &warm, kind, &format!("{named} ({place}) as {}", path.display()), &good, &|cache| wreck(&cache.join(path), place));

            // A sound entry of another key, with the same ending: of a layer the blob alone or the record alone.
            let alike: Vec<_> = entries.iter().filter(|other| *other != entry && other.extension() == entry.extension()).collect();
            let other = alike[(at + dice.below(5)) % alike.len()];
            let what = format!("{} as {}", other.display(), path.display());
            check(dir, &warm, kind, &what, &good, &|cache| replace(&cache.join(path), &fs::read(other).unwrap()));
        }
    }
}

#[test]
fn one_whole_layer_is_not_taken_for_another() {
    let dir = small();
    let dir = dir.path();
    let warm = dir.join("cache");
    let good = archive(dir, &warm);
    let records: Vec<_> = files(&warm.join("layers")).into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "json")).collect();
    for (at, record) in records.iter().enumerate() {
        let other = &records[(at + 1) % records.len()];
        let blob = |record: &Path| record.with_extension("").with_extension("tar.gz");
        let what = format!("{} and its blob as {}", other.display(), record.display());
        check(dir, &warm, "layers", &what, &good, &|cache| {
            for (from, to) in [(other.clone(), record.clone()), (blob(other), blob(record))] {
                replace(&cache.join(to.strip_prefix(&warm).unwrap()), &fs::read(from).unwrap());
            }
        });
    }
}

#[test]
fn a_layer_of_an_earlier_version_is_made_again() {
    let dir = small();
    let dir = dir.path();
    let warm = dir.join("cache");
    let good = archive(dir, &warm);
    for record in files(&warm.join("layers")).into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "json")) {
        let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
        value.as_object_mut().unwrap().remove("key").expect("the key of its plan");
        fs::remove_file(&record).unwrap();
        fs::write(record.with_extension("").with_extension("json"), value.to_string()).unwrap();
    }
    assert!(archive(dir, &warm) == good);
}
