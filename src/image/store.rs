//! Where finished layers are kept between runs: a directory with, for each layer's key, the compressed blob and a record of
//! its digests. Both appear under their names only when complete; what turns out to be damaged is removed and built again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::image::digest::Digest;

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

/// A record with a sum of its own, since a flipped digit in a diff id would make an image that no engine loads.
#[derive(Serialize, Deserialize)]
struct Sealed {
    record: Record,
    seal: Digest,
}

/// The layers in a cache directory.
#[derive(Debug, Clone)]
pub struct LayerStore {
    directory: PathBuf,
}

impl LayerStore {
    /// Uses (and makes) `directory`.
    ///
    /// # Errors
    /// An environment failure when it cannot be made.
    pub fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).map_err(|error| Error::io("create the cache", directory, &error))?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// The blob and record of a layer, if both are there and fit each other as far as sizes tell.
    ///
    /// # Errors
    /// An environment failure when the cache cannot be read.
    pub fn find(&self, key: &Digest) -> Result<Option<(PathBuf, Record)>> {
        let path = self.record_path(key);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, &error)),
        };
        let sound = serde_json::from_slice::<Sealed>(&text).ok().filter(|sealed| seal(&sealed.record) == sealed.seal);
        let blob = self.blob_path(key);
        let length = match fs::metadata(&blob) {
            Ok(metadata) => Some(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("read", &blob, &error)),
        };
        Ok(sound.filter(|sealed| Some(sealed.record.size) == length).map(|sealed| (blob, sealed.record)))
    }

    /// A new blob, under a temporary name until [`LayerStore::commit`]; dropped before, it vanishes.
    ///
    /// # Errors
    /// An environment failure when it cannot be made.
    pub fn create(&self) -> Result<NamedTempFile> {
        NamedTempFile::with_prefix_in(".layer-", &self.directory).map_err(|error| Error::io("write to", &self.directory, &error))
    }

    /// Gives a blob and its record their names.
    ///
    /// # Errors
    /// An environment failure when that cannot be done.
    pub fn commit(&self, key: &Digest, blob: NamedTempFile, record: &Record) -> Result<PathBuf> {
        let blob_path = self.blob_path(key);
        // The record last: it is what `find` looks for.
        self.persist(blob, &blob_path)?;
        let sealed = Sealed { seal: seal(record), record: record.clone() };
        let text = serde_json::to_vec(&sealed).map_err(|error| Error::io("write", &blob_path, &error.into()))?;
        let mut file = self.create()?;
        let path = self.record_path(key);
        file.write_all(&text).map_err(|error| Error::io("write", &path, &error))?;
        self.persist(file, &path)?;
        Ok(blob_path)
    }

    /// Removes a layer that turned out to be damaged.
    ///
    /// # Errors
    /// An environment failure when that cannot be done.
    pub fn remove(&self, key: &Digest) -> Result<()> {
        for path in [self.record_path(key), self.blob_path(key)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove the damaged", &path, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn persist(&self, file: NamedTempFile, path: &Path) -> Result<File> {
        file.persist(path).map_err(|error| Error::io("write", path, &error.error))
    }

    fn record_path(&self, key: &Digest) -> PathBuf {
        self.directory.join(format!("{}.json", key.hex()))
    }

    fn blob_path(&self, key: &Digest) -> PathBuf {
        self.directory.join(format!("{}.tar.gz", key.hex()))
    }
}

fn seal(record: &Record) -> Digest {
    let Record { diff_id, digest, size, uncompressed_size, members } = record;
    Digest::of(format!("{diff_id} {digest} {size} {uncompressed_size} {members}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_layers_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let store = LayerStore::open(&directory.path().join("a/b")).unwrap();
        let key = Digest::of(b"key");
        assert_eq!(store.find(&key).unwrap(), None);
        let record = Record { diff_id: Digest::of(b"x"), digest: Digest::of(b"y"), size: 4, uncompressed_size: 9, members: 1 };
        let commit = || {
            let mut blob = store.create().unwrap();
            blob.write_all(b"blob").unwrap();
            store.commit(&key, blob, &record).unwrap()
        };
        let path = commit();
        assert_eq!(store.find(&key).unwrap(), Some((path.clone(), record.clone())));
        assert_eq!(fs::read_dir(&store.directory).unwrap().count(), 2, "no temporary files stay");

        fs::write(&path, b"blo").unwrap();
        assert_eq!(store.find(&key).unwrap(), None, "a cut blob");
        commit();
        let text = fs::read_to_string(store.record_path(&key)).unwrap();
        fs::write(store.record_path(&key), text.replace("\"members\":1", "\"members\":2")).unwrap();
        assert_eq!(store.find(&key).unwrap(), None, "a changed record");
        commit();
        store.remove(&key).unwrap();
        store.remove(&key).unwrap();
        assert_eq!(fs::read_dir(&store.directory).unwrap().count(), 0);
    }
}
