//! Where finished layers are kept between runs: the cache has, for each layer's key, the compressed blob and a record of
//! its digests, which names the key. Both appear under their names only when complete; what turns out to be damaged is removed and built again.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::image::digest::Digest;
use crate::package::cache::{Cache, Pending};
use crate::plain;

/// What layers are called in the cache.
const KIND: &str = "layers";
/// No record has more bytes.
const LONGEST_RECORD: u64 = 4096;

/// What is known of a finished layer besides its name and packages, which belong to the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Digest of the uncompressed tar archive.
    pub diff_id: Digest,
    /// Digest of the compressed blob.
    pub digest: Digest,
    /// Bytes of the compressed blob.
    pub size: u64,
    /// Bytes of the uncompressed tar archive.
    pub uncompressed_size: u64,
    /// Members of the archive.
    pub members: u64,
}

/// A record with the key of the plan that it was made for, so that no other layer's record is taken for it, and with a sum of
/// its own, since a flipped digit in a diff id would make an image that no engine loads. Records of earlier versions had no key;
/// such a layer is made again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    key: Digest,
    record: Record,
    seal: Digest,
}

/// The layers in a cache.
#[derive(Debug, Clone)]
pub struct LayerStore {
    cache: Cache,
}

impl LayerStore {
    /// The layers in `cache`.
    pub fn new(cache: &Cache) -> Self {
        Self { cache: cache.clone() }
    }

    /// The blob and record of a layer, if both are there and fit each other as far as sizes tell.
    ///
    /// # Errors
    /// An environment failure when the cache cannot be read.
    pub fn find(&self, key: &Digest) -> Result<Option<(PathBuf, Record)>> {
        let (Some(path), Some(blob)) = (self.cache.object(KIND, &record_name(key)), self.cache.object(KIND, &blob_name(key))) else {
            return Ok(None);
        };
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| Error::io("read", &path, &error)
        };
        // Another process may remove a damaged layer between these lines.
        let (Some(record), Some(file)) = (plain::open(&path).map_err(unreadable(&path))?, plain::open(&blob).map_err(unreadable(&blob))?) else {
            return Ok(None);
        };
        let mut text = Vec::new();
        record.take(LONGEST_RECORD).read_to_end(&mut text).map_err(unreadable(&path))?;
        let length = file.metadata().map_err(unreadable(&blob))?.len();
        // A record that cannot be read, that was changed, or that is another layer's is none: the layer is made again.
        let sound = serde_json::from_slice::<Sealed>(&text).ok().filter(|sealed| sealed.key == *key && seal(key, &sealed.record) == sealed.seal);
        Ok(sound.filter(|sealed| sealed.record.size == length).map(|sealed| (blob, sealed.record)))
    }

    /// A new blob; dropped before [`LayerStore::commit`], it vanishes.
    ///
    /// # Errors
    /// An environment failure when it cannot be made.
    pub fn create(&self, key: &Digest) -> Result<Pending> {
        self.cache.create(KIND, &blob_name(key))
    }

    /// Puts a blob and its record into the cache.
    ///
    /// # Errors
    /// An environment failure when that cannot be done.
    pub fn commit(&self, key: &Digest, blob: Pending, record: &Record) -> Result<PathBuf> {
        let blob = blob.commit()?;
        let sealed = Sealed { key: *key, seal: seal(key, record), record: record.clone() };
        let mut file = self.cache.create(KIND, &record_name(key))?;
        serde_json::to_vec(&sealed)
            .map_err(io::Error::from)
            .and_then(|text| file.write_all(&text))
            .map_err(|error| Error::io("write the record of", &blob, &error))?;
        file.commit()?;
        Ok(blob)
    }

    /// Removes a layer that turned out to be damaged.
    ///
    /// # Errors
    /// An environment failure when that cannot be done.
    pub fn remove(&self, key: &Digest) -> Result<()> {
        self.cache.remove(KIND, &record_name(key))?;
        self.cache.remove(KIND, &blob_name(key))
    }
}

/// Earlier versions wrote `KEY.json`. With a name of its own neither version takes the other's record for damaged.
fn record_name(key: &Digest) -> String {
    format!("{}.layer.json", key.hex())
}

fn blob_name(key: &Digest) -> String {
    format!("{}.tar.gz", key.hex())
}

fn seal(key: &Digest, record: &Record) -> Digest {
    let Record { diff_id, digest, size, uncompressed_size, members } = record;
    Digest::of(format!("{key} {diff_id} {digest} {size} {uncompressed_size} {members}").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_whole_layers_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(directory.path().to_owned())).unwrap();
        let store = LayerStore::new(&cache);
        let key = Digest::of(b"key");
        assert_eq!(store.find(&key).unwrap(), None);
        let record = Record { diff_id: Digest::of(b"x"), digest: Digest::of(b"y"), size: 4, uncompressed_size: 9, members: 1 };
        let commit = || {
            let mut blob = store.create(&key).unwrap();
            blob.write_all(b"blob").unwrap();
            store.commit(&key, blob, &record).unwrap()
        };
        let path = commit();
        assert_eq!(store.find(&key).unwrap(), Some((path.clone(), record.clone())));

        fs::write(&path, b"blo").unwrap();
        assert_eq!(store.find(&key).unwrap(), None, "a cut blob");
        commit();
        let record_path = cache.object(KIND, &record_name(&key)).unwrap();
        let text = fs::read_to_string(&record_path).unwrap();
        fs::write(&record_path, text.replace("\"members\":1", "\"members\":2")).unwrap();
        assert_eq!(store.find(&key).unwrap(), None, "a changed record");
        fs::write(&record_path, &text[..10]).unwrap();
        assert_eq!(store.find(&key).unwrap(), None, "a cut record");
        commit();
        assert!(store.find(&key).unwrap().is_some());
        store.remove(&key).unwrap();
        store.remove(&key).unwrap();
        assert!(!path.exists() && !record_path.exists());
    }
}
