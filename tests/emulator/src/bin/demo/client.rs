//! The programs that push and pull, if this machine has them: a registry, and skopeo or podman.

use std::process::Command;
use std::process::Stdio;

use anyhow::ensure;

use crate::image;
use crate::podman;
use crate::screen;
use crate::shell;
use crate::shell::Shell;

/// A client and a registry.
pub(crate) struct Client {
    kind: Kind,
    registry: &'static str,
}

/// What happened to an image.
pub(crate) struct Transfer {
    /// Whether the stored login could be used, rather than the key itself.
    pub(crate) by_login: bool,
    /// The manifest's digest when it came back.
    pub(crate) pulled: String,
    /// The manifest's digest in the registry.
    pub(crate) pushed: String,
}

/// Returns the image's name in a registry.
pub(crate) fn image_in(host: &str) -> String {
    format!("{host}/demo/hello")
}

enum Kind {
    Podman,
    Skopeo,
}

impl Client {
    /// Finds the programs. The error names the packages to install.
    pub(crate) fn find() -> Result<Self, String> {
        let registry = if shell::is_installed("docker-registry") {
            Some("docker-registry")
        } else {
            Some("registry").filter(|program| is_docker_registry(program))
        };
        let kind = [("skopeo", Kind::Skopeo), ("podman", Kind::Podman)]
            .into_iter()
            .find_map(|(program, kind)| shell::is_installed(program).then_some(kind));
        match (registry, kind) {
            (Some(registry), Some(kind)) => Ok(Self { kind, registry }),
            (registry, kind) => {
                let packages: Vec<&str> = [
                    registry.is_none().then_some("docker-registry"),
                    kind.is_none().then_some("skopeo"),
                ]
                .into_iter()
                .flatten()
                .collect();
                Err(format!(
                    "this needs programs that are not installed. To see it (on Debian and Ubuntu): sudo apt-get install {}",
                    packages.join(" ")
                ))
            }
        }
    }

    /// Returns the registry's program.
    pub(crate) fn registry(&self) -> &'static str {
        self.registry
    }

    /// Pushes the directory `image` to the registry `host` and pulls it back.
    pub(crate) fn push_and_pull(
        &self,
        shell: &Shell,
        host: &str,
        key: &str,
    ) -> anyhow::Result<Transfer> {
        match self.kind {
            Kind::Podman => podman::push_and_pull(shell, host, key),
            Kind::Skopeo => with_skopeo(shell, host),
        }
    }
}

fn with_skopeo(shell: &Shell, host: &str) -> anyhow::Result<Transfer> {
    let remote = format!("docker://{}", image_in(host));
    // To root, skopeo's cache of digests is one for the whole machine; to others it is below XDG_DATA_HOME.
    let mut shell = shell.clone();
    shell.set("_CONTAINERS_ROOTLESS_UID", "1");
    let push = ["copy", "--quiet", "--digestfile", "pushed", "oci:image"];
    shell.show("skopeo", &[&push[..], &[&remote]].concat())?;
    refused(&shell, "skopeo", &["inspect", "--no-creds", &remote])?;
    shell.show("skopeo", &["copy", &remote, "dir:pulled"])?;
    let pulled = image::sha256(&shell.read("pulled/manifest.json")?);
    Ok(Transfer {
        by_login: true,
        pulled: format!("sha256:{pulled}"),
        pushed: digest(&shell)?,
    })
}

/// Shows that the registry does not give the image without a login.
pub(crate) fn refused(shell: &Shell, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    screen::command(program, arguments, "")?;
    let finished = shell.run(program, arguments, "")?;
    let denied = ["unauthorized", "denied"]
        .iter()
        .any(|word| finished.stderr().contains(word));
    ensure!(
        !finished.succeeded() && denied,
        "a pull without a login should fail:{finished}"
    );
    Ok(screen::output("(rejected: the image is private)")?)
}

/// Returns what the client wrote into the file `pushed`.
pub(crate) fn digest(shell: &Shell) -> anyhow::Result<String> {
    let digest = String::from_utf8(shell.read("pushed")?)?;
    Ok(digest.trim().to_owned())
}

/// Returns whether `registry` is docker-registry; another program may have this name.
fn is_docker_registry(program: &str) -> bool {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("distribution"))
}
