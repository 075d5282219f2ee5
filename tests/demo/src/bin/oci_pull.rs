//! `oci-pull IMAGE`: pulls an image as Docker does. The crates are those that other clients in Rust use: `docker_credential` reads config.json
//! and calls the credential helper, `oci-client` gets the image from the registry and checks its digests.

use std::env;
use std::io;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use anyhow::bail;
use docker_credential::CredentialRetrievalError;
use docker_credential::DockerCredential;
use oci_client::Client;
use oci_client::Reference;
use oci_client::client::ImageData;
use oci_client::manifest::IMAGE_LAYER_MEDIA_TYPE;
use oci_client::secrets::RegistryAuth;

/// The sizes of parts of a tar archive, in bytes (POSIX.1-2017, `pax`, "ustar Interchange Format").
const TAR_BLOCK: usize = 512;
const TAR_NAME: usize = 100;

fn main() -> ExitCode {
    let outcome = run();
    if let Err(error) = &outcome {
        let _ = writeln!(io::stderr(), "error: {error:#}");
    }
    ExitCode::from(u8::from(outcome.is_err()))
}

fn run() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(image), None) = (arguments.next(), arguments.next()) else {
        bail!("usage: oci-pull IMAGE");
    };
    let image: Reference = image.parse().context("not an image")?;
    let auth = credential(image.resolve_registry())?;
    let user_name = match &auth {
        RegistryAuth::Basic(name, _) => format!("as {name}"),
        _ => "without a login".to_owned(),
    };
    let data = pull(&image, &auth).with_context(|| format!("{image} ({user_name})"))?;
    let mut output = io::stdout().lock();
    writeln!(output, "Pulled {image} {user_name}")?;
    writeln!(output, "{}", data.digest.unwrap_or_default())?;
    for layer in &data.layers {
        let (name, text) = first_file(&layer.data).context("not a tar archive")?;
        writeln!(output, "{name}: {}", text.trim_end())?;
    }
    Ok(())
}

/// Returns the credential that config.json and its helper have for the registry.
fn credential(registry: &str) -> anyhow::Result<RegistryAuth> {
    match docker_credential::get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(name, password)) => {
            Ok(RegistryAuth::Basic(name, password))
        }
        Ok(DockerCredential::IdentityToken(_)) => {
            bail!("{registry} has no use for identity tokens")
        }
        Err(
            CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::NoCredentialConfigured,
        ) => Ok(RegistryAuth::Anonymous),
        Err(CredentialRetrievalError::HelperFailure { helper, stdout, .. }) => {
            bail!("{helper}: {}", stdout.trim())
        }
        Err(error) => Err(error.into()),
    }
}

fn pull(image: &Reference, auth: &RegistryAuth) -> anyhow::Result<ImageData> {
    // The crate has no provider of its own: this is the one that the program has, too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let client = Client::default();
    Ok(runtime.block_on(client.pull(image, auth, vec![IMAGE_LAYER_MEDIA_TYPE]))?)
}

/// Returns the name and the text of the first file of an archive.
fn first_file(archive: &[u8]) -> Option<(&str, &str)> {
    let field = |range| str::from_utf8(archive.get(range)?).ok();
    let name = field(0..TAR_NAME)?.trim_end_matches('\0');
    let size = field(124..136)?.trim_end_matches(['\0', ' ']);
    let size = usize::from_str_radix(size, 8).ok()?;
    Some((name, field(TAR_BLOCK..TAR_BLOCK.checked_add(size)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_of_an_archive_is_read() {
        let mut archive = vec![0; 2 * TAR_BLOCK];
        archive[..5].copy_from_slice(b"hello");
        archive[124..136].copy_from_slice(b"00000000006\0");
        archive[TAR_BLOCK..TAR_BLOCK + 6].copy_from_slice(b"Hello.");
        assert_eq!(first_file(&archive), Some(("hello", "Hello.")));
        for cut in [0, TAR_NAME, TAR_BLOCK, TAR_BLOCK + 5] {
            assert_eq!(first_file(&archive[..cut]), None, "{cut} bytes");
        }
    }
}
