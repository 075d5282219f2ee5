//! A minimal image: an OCI layout (image-spec 1.0, `image-layout.md`) with one layer and one small file.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use ring::digest::SHA256;
use serde_json::Value;
use serde_json::json;

/// The size of a tar archive's blocks.
const BLOCK: usize = 512;

/// Writes the layout into a new directory.
pub(crate) fn write(directory: &Path) -> anyhow::Result<()> {
    let blobs = directory.join("blobs").join("sha256");
    fs::create_dir_all(&blobs).context("cannot create the image")?;
    let write_blob = |media_type: &str, content: &[u8]| -> anyhow::Result<Value> {
        let digest = sha256(content);
        fs::write(blobs.join(&digest), content).context("cannot write the image")?;
        Ok(json!({
            "mediaType": format!("application/vnd.oci.image.{media_type}"),
            "digest": format!("sha256:{digest}"),
            "size": content.len(),
        }))
    };
    let layer = tar("hello", b"Hello from docker-credential-icr.\n");
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))]},
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": write_blob("config.v1+json", config.to_string().as_bytes())?,
        "layers": [write_blob("layer.v1.tar", &layer)?],
    });
    let manifest = write_blob("manifest.v1+json", manifest.to_string().as_bytes())?;
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(directory.join("index.json"), index.to_string())?;
    fs::write(
        directory.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    Ok(())
}

/// Returns the digest in hexadecimal digits.
pub(crate) fn sha256(content: &[u8]) -> String {
    let digest = ring::digest::digest(&SHA256, content);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
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
        let known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), known);
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
