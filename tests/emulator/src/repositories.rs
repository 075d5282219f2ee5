//! The images that the emulator's own registry has.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::emulator::UNPOISONED;
use crate::image::Blob;
use crate::image::Image;

/// All repositories by their names (`namespace/name`).
#[derive(Debug, Default)]
pub(crate) struct Repositories(Mutex<HashMap<String, Repository>>);

/// The images of one repository. Manifests are no blobs: each has its own path in the API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    blobs: HashMap<String, Blob>,
    manifests: HashMap<String, Blob>,
    tags: HashMap<String, String>,
}

impl Repositories {
    pub(crate) fn add(&self, name: &str, tag: &str, image: Image) {
        let mut repositories = self.0.lock().expect(UNPOISONED);
        let repository = repositories.entry(name.to_owned()).or_default();
        let digest = image.manifest.digest();
        repository.tags.insert(tag.to_owned(), digest.clone());
        repository.manifests.insert(digest, image.manifest);
        let blobs = image.blobs.into_iter().map(|blob| (blob.digest(), blob));
        repository.blobs.extend(blobs);
    }

    pub(crate) fn get(&self, name: &str) -> Option<Repository> {
        self.0.lock().expect(UNPOISONED).get(name).cloned()
    }
}

impl Repository {
    pub(crate) fn blob(&self, digest: &str) -> Option<&Blob> {
        self.blobs.get(digest)
    }

    /// Returns the manifest that a tag or a digest names.
    pub(crate) fn manifest(&self, reference: &str) -> Option<&Blob> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests.get(digest)
    }

    /// Returns the tags in the order that the API requires.
    pub(crate) fn tags(&self) -> Vec<&str> {
        let mut tags: Vec<&str> = self.tags.keys().map(String::as_str).collect();
        tags.sort_unstable();
        tags
    }
}
