//! The emulated IBM Cloud of the demo.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context as _;
use icr_emulator::Authority;
use icr_emulator::Emulator;
use icr_emulator::Image;
use icr_emulator::Subject;

/// IAM and two regions of Container Registry.
pub(crate) const HOSTS: [&str; 3] = ["iam.cloud.ibm.com", FIRST_REGION, SECOND_REGION];
pub(crate) const FIRST_REGION: &str = "us.icr.io";
pub(crate) const SECOND_REGION: &str = "de.icr.io";

const REPOSITORY: &str = "demo/hello";
const TEXT: &str = "Hello from IBM Cloud Container Registry.\n";

/// The services; they end when it is dropped.
pub(crate) struct Cloud {
    digest: String,
    emulator: Emulator,
}

impl Cloud {
    /// Starts the services, with one image in the registry. Their certificate authority is in `directory`.
    pub(crate) fn start(directory: &Path) -> anyhow::Result<Self> {
        let authority = Authority::create(directory)?;
        let emulator = Emulator::builder()
            .tls(&authority, &HOSTS)
            .listen_plain((Ipv4Addr::LOCALHOST, 0).into())
            .start()?;
        let image = Image::of_file("hello", TEXT);
        let digest = image.digest();
        emulator.add_image(REPOSITORY, "latest", image);
        Ok(Self { digest, emulator })
    }

    /// Returns the URL of the proxy to the services.
    pub(crate) fn proxy(&self) -> anyhow::Result<String> {
        self.emulator
            .plain_url()
            .context("the emulator has no proxy")
    }

    /// Adds an API key.
    pub(crate) fn add_api_key(&self, key: &str) {
        self.emulator
            .accounts()
            .add_api_key(key, Subject::user("newcomer"));
    }

    /// Returns the number of token requests to IAM.
    pub(crate) fn exchanges(&self) -> usize {
        self.emulator.exchanges()
    }

    /// Returns the digest of the image.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }
}

/// Returns the image's name in a region.
pub(crate) fn image_in(region: &str) -> String {
    format!("{region}/{REPOSITORY}:latest")
}
