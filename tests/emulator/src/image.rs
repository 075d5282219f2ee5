//! Minimal images: a manifest and a config (OCI image-spec 1.0), and one layer with one file.

use ring::digest::SHA256;
use serde_json::Value;
use serde_json::json;

/// The size of a tar archive's blocks.
const BLOCK: usize = 512;

/// An image, as a registry has it.
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) blobs: Vec<Blob>,
    pub(crate) manifest: Blob,
}

/// Content that its digest names.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) content: Vec<u8>,
    pub(crate) media_type: String,
}

impl Image {
    /// Creates an image with one file.
    pub fn of_file(name: &str, content: &str) -> Self {
        let layer = Blob::new("layer.v1.tar", tar(name, content.as_bytes()));
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest()]},
        });
        let config = Blob::new("config.v1+json", config.to_string().into_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type("manifest.v1+json"),
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        Self {
            manifest: Blob::new("manifest.v1+json", manifest.to_string().into_bytes()),
            blobs: vec![config, layer],
        }
    }

    /// Returns the digest of the manifest, which names the image.
    pub fn digest(&self) -> String {
        self.manifest.digest()
    }
}

impl Blob {
    fn new(kind: &str, content: Vec<u8>) -> Self {
        Self {
            content,
            media_type: media_type(kind),
        }
    }

    /// Returns `sha256:` and 64 hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        let digest = ring::digest::digest(&SHA256, &self.content);
        let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
        format!("sha256:{}", digits.collect::<String>())
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.content.len()})
    }
}

/// Returns this machine's architecture, by Go's name: some clients pull for no other one.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        "x86_64" => "amd64",
        other => other,
    }
}

fn media_type(kind: &str) -> String {
    format!("application/vnd.oci.image.{kind}")
}

/// Returns an archive of one file, owned by root and as old as Unix (POSIX.1-2017, `pax`, "ustar Interchange Format").
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; BLOCK];
    let mut field = |offset: usize, text: &str| {
        header[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    };
    field(0, name);
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{:011o}\0", content.len()));
    field(136, "00000000000\0");
    // The checksum counts its own field as spaces.
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let checksum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_an_empty_text_is_correct() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Blob::new("config.v1+json", Vec::new()).digest(), known);
    }

    #[test]
    fn a_manifest_names_the_digests_and_sizes_of_its_blobs() {
        let image = Image::of_file("hello", "Hello.\n");
        let manifest: Value = serde_json::from_slice(&image.manifest.content).expect("JSON");
        let named = [&manifest["config"], &manifest["layers"][0]];
        let blobs: Vec<Value> = image.blobs.iter().map(Blob::descriptor).collect();
        assert_eq!(blobs.iter().collect::<Vec<_>>(), named);
        assert_eq!(image.digest(), image.manifest.digest());
        assert_ne!(image.digest(), Image::of_file("hello", "Bye.\n").digest());
    }

    #[test]
    fn an_archive_has_whole_blocks_and_ends_with_two_empty_ones() {
        for (length, blocks) in [(0, 3), (1, 4), (BLOCK, 4), (BLOCK + 1, 5)] {
            let archive = tar("name", &vec![b'x'; length]);
            assert_eq!(archive.len(), blocks * BLOCK, "{length}");
            assert!(archive.ends_with(&[0; 2 * BLOCK]));
        }
    }
}
