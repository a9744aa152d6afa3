//! Every bit of an archive that this tool wrote is looked at: by a digest, or by a comparison with what the tool writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use synapse_site::image::archive::write_archive;
use synapse_site::image::digest::Digest;
use synapse_site::image::inspect::inspect;
use synapse_site::image::layer::{FileContent, LayerPlan};
use synapse_site::image::oci::{Arch, Image, Settings};
use synapse_site::image::progress::Silent;
use synapse_site::image::store::LayerStore;

use crate::dice::Dice;
use crate::site::Place;

fn layer(name: &str, content: &str) -> LayerPlan {
    let file = FileContent { bytes: content.as_bytes().to_vec(), mode: 0o644 };
    LayerPlan { name: name.into(), files: BTreeMap::from([(format!("etc/{name}"), file)]), ..LayerPlan::default() }
}

fn settings(service: &str) -> Settings {
    Settings {
        architecture: Arch::Amd64,
        user: Some(991),
        env: BTreeMap::from([("PATH".into(), "/bin".into())]),
        entrypoint: vec!["/launch".into()],
        cmd: vec!["run".into(), service.into()],
        working_dir: None,
        ports: vec!["8008/tcp".into()],
        labels: BTreeMap::from([("org.opencontainers.image.title".into(), format!("{service} for example.com"))]),
    }
}

/// A small archive as `build` writes it: three images that share a layer, two of whose names start alike.
fn archive(place: &Place) -> (Vec<Image>, PathBuf, Vec<u8>) {
    let store = LayerStore::new(&place.cache);
    let build = |plan: LayerPlan| Arc::new(plan.build(&store, 1, &Silent).unwrap());
    let base = build(layer("base", "shared"));
    let image = |name: &str| {
        let own = build(layer("configuration", name));
        Image::new("localhost/synapse-site", "example.com", name, &settings(name), vec![Arc::clone(&base), own]).unwrap()
    };
    let images = vec![image("app"), image("app-admin"), image("other")];
    let path = place.path("images.tar");
    write_archive(&images, &path, &Silent).unwrap();
    let bytes = fs::read(&path).unwrap();
    (images, path, bytes)
}

/// What is said of an archive of these bytes; it must be refused.
#[track_caller]
fn refusal(place: &Place, bytes: &[u8], what: &str) -> String {
    let path = place.path("changed.tar");
    fs::write(&path, bytes).unwrap();
    match inspect(&path) {
        Ok(seen) => panic!("{what} was not seen: {seen}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_archive_of_ours_is_exact() {
    let place = Place::new();
    let (images, path, _) = archive(&place);
    let seen = inspect(&path).unwrap();
    assert!(seen.exact && seen.images.len() == images.len());
    assert!(seen.contents.values().all(|contents| contents.findings.is_empty()));
    assert!(seen.to_string().ends_with("all digests right"), "{seen}");
}

#[test]
fn two_thousand_flipped_bits() {
    let place = Place::new();
    let (_, _, bytes) = archive(&place);
    let mut dice = Dice::new();
    for _ in 0..2000 {
        let bit = dice.below(bytes.len() * 8);
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refusal(&place, &flipped, &format!("bit {bit}"));
    }
}

#[test]
fn bits_of_headers_documents_and_ends() {
    let place = Place::new();
    let (_, _, bytes) = archive(&place);
    // The first three members hold the documents; behind them come two directories; the last blocks are zeros.
    let documents = 512 * 14;
    assert!(bytes.len() > documents + 2048);
    let last = bytes.len() - 1536;
    // Seven has no factor in common with the length of a block, so every field is hit in some header.
    for at in (0..documents).step_by(7).chain((last..bytes.len()).step_by(7)) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        refusal(&place, &flipped, &format!("byte {at}"));
    }
}

/// The archive with one text in place of another everywhere in its documents, of the same length.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut changed = bytes.to_vec();
    let places: Vec<usize> = bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from.as_bytes()).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "{from} is not in the archive");
    for at in places {
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    changed
}

#[test]
fn names_follow_from_what_they_name() {
    let place = Place::new();
    let (images, _, bytes) = archive(&place);
    let tag = images[0].reference.tag();
    let other: String = tag.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect();
    // In both documents alike; the tag of another image; another service; another site.
    assert!(refusal(&place, &replaced(&bytes, tag, &other), "another tag").contains("the name localhost/synapse-site/example.com/app:"));
    refusal(&place, &replaced(&bytes, tag, images[1].reference.tag()), "the tag of another image");
    assert!(refusal(&place, &replaced(&bytes, "example.com/other:", "example.com/evilr:"), "another service").contains("the name"));
    assert!(refusal(&place, &replaced(&bytes, "/example.com/app:", "/exbmple.com/app:"), "another site").contains("the name"));
    // In one of them: the first is index.json.
    let mut one = bytes.clone();
    let at = bytes.windows(16).position(|window| window == tag.as_bytes()).unwrap();
    one[at] = if one[at] == b'0' { b'1' } else { b'0' };
    assert!(refusal(&place, &one, "a tag in one document").contains("the name"));
}

/// Members as blocks: header with content.
fn members(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut members = Vec::new();
    let mut at = 0;
    while bytes[at] != 0 {
        let size = u64::from_str_radix(std::str::from_utf8(&bytes[at + 124..at + 135]).unwrap(), 8).unwrap();
        let end = at + 512 + usize::try_from(size.next_multiple_of(512)).unwrap();
        members.push(bytes[at..end].to_vec());
        at = end;
    }
    members
}

fn joined(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

/// Makes the checksum of a header right again.
fn sealed(mut member: Vec<u8>) -> Vec<u8> {
    member[148..156].copy_from_slice(b"        ");
    let sum: u32 = member[..512].iter().map(|byte| u32::from(*byte)).sum();
    member[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    member
}

#[test]
fn order_headers_gaps_and_ends() {
    let place = Place::new();
    let (_, _, bytes) = archive(&place);
    let whole = members(&bytes);
    assert_eq!(joined(&whole), bytes);
    let change = |what: &str, expected: &str, change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut changed = whole.clone();
        change(&mut changed);
        let said = refusal(&place, &joined(&changed), what);
        assert!(said.contains(expected), "{what}: {said}");
    };
    let with = |member: &[u8], at: usize, byte: u8| {
        let mut member = member.to_vec();
        member[at] = byte;
        sealed(member)
    };
    change("two members in other order", "the order of the files", &|members| members.swap(5, 6));
    change("a member more", "the order of the files", &|members| members.push(with(&whole[3], 0, b'x')));
    change("a member less", "the order of the files", &|members| drop(members.pop()));
    change("a member twice", "two files of this name", &|members| members.push(whole[6].clone()));
    change("another time", "the header of index.json", &|members| members[1] = with(&whole[1], 146, b'1'));
    change("another mode", "the header of manifest.json", &|members| members[2] = with(&whole[2], 104, b'7'));
    change("the name of an owner", "the header of oci-layout", &|members| members[0] = with(&whole[0], 265, b'r'));
    change("bytes in a gap", "between and behind", &|members| *members[0].last_mut().unwrap() = 1);
    let said = refusal(&place, &[bytes.clone(), vec![0; 512]].concat(), "a block more");
    assert!(said.contains("between and behind"), "{said}");
    refusal(&place, &[bytes.clone(), b"x".to_vec()].concat(), "a byte more");
    for cut in [1, 512, 1024] {
        refusal(&place, &bytes[..bytes.len() - cut], "an end that is cut");
    }
    // All blocks in order, and JSON that says the same in other bytes.
    let layout = whole[0].clone();
    let mut spaced = layout[..512].to_vec();
    spaced.extend(b"{ \"imageLayoutVersion\":\"1.0.0\"}");
    spaced.resize(1024, 0);
    spaced[124..135].copy_from_slice(format!("{:011o}", 31).as_bytes());
    change("a blank in JSON", "the content of oci-layout", &|members| members[0] = sealed(spaced.clone()));
}

#[test]
fn archives_that_were_packed_anew_compare_their_names() {
    let place = Place::new();
    let (images, _, bytes) = archive(&place);
    let again = |from: &str, to: &str| {
        let mut builder = tar::Builder::new(Vec::new());
        for member in members(&bytes).iter().filter(|member| member[156] == b'0') {
            let size = usize::from_str_radix(std::str::from_utf8(&member[124..135]).unwrap(), 8).unwrap();
            let name = String::from_utf8(member[..100].to_vec()).unwrap().trim_end_matches('\0').to_owned();
            let mut content = member[512..512 + size].to_vec();
            if name == "index.json" && !from.is_empty() {
                content = String::from_utf8(content).unwrap().replacen(from, to, 1).into_bytes();
            }
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            builder.append_data(&mut header, name, &content[..]).unwrap();
        }
        builder.into_inner().unwrap()
    };
    let path = place.path("again.tar");
    fs::write(&path, again("", "")).unwrap();
    let seen = inspect(&path).unwrap();
    assert!(!seen.exact && seen.to_string().contains("another program wrote this archive"));
    let tag = images[0].reference.tag();
    let name = images[0].reference.to_string();
    refusal(&place, &again(tag, "0000000000000000"), "another tag");
    refusal(&place, &again(&format!(":\"{tag}\""), ":\"v1\""), "another tag in one annotation");
    refusal(&place, &again(&name, "docker.io/library/app:1"), "another name");
    // A name of Docker Hub, which each document writes in its own way.
    let hub = |bytes: &[u8]| replaced(bytes, "localhost/synapse-site/example.com/app:", "docker.io/library/some-name-of-a-hub/x:");
    let mut mixed = members(&hub(&again("", "")));
    let text = String::from_utf8(mixed[2].clone()).unwrap();
    assert!(text.contains("RepoTags"));
    let short = text.replace("docker.io/library/some-name-of-a-hub/x:", "some-name-of-a-hub/x:");
    let removed = text.len() - short.len();
    let mut member = short.into_bytes();
    member.resize(member.len() + removed, 0);
    let size = usize::from_str_radix(std::str::from_utf8(&member[124..135]).unwrap(), 8).unwrap() - removed;
    member[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    member.truncate(512 + size.next_multiple_of(512));
    mixed[2] = sealed(member);
    fs::write(&path, joined(&mixed)).unwrap();
    assert!(inspect(&path).is_ok(), "{:?}", inspect(&path));
}

#[test]
fn the_digest_of_a_document_is_not_its_name_alone() {
    let place = Place::new();
    let (images, _, bytes) = archive(&place);
    // A layer whose digest is right, under the name of another.
    let (one, other) = (images[0].layers[1].digest.hex(), images[2].layers[1].digest.hex());
    let swapped = members(&bytes).into_iter().map(|member| {
        let name = String::from_utf8_lossy(&member[..100]).into_owned();
        let swap = |to: &str| {
            let mut member = member.clone();
            member["blobs/sha256/".len()..77].copy_from_slice(to.as_bytes());
            sealed(member)
        };
        if name.contains(&one) {
            swap(&other)
        } else if name.contains(&other) {
            swap(&one)
        } else {
            member
        }
    });
    assert!(refusal(&place, &joined(&swapped.collect::<Vec<_>>()), "swapped layers").contains("has the digest"));
    assert_ne!(Digest::of(one.as_bytes()), Digest::of(other.as_bytes()));
}
