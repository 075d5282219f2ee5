//! The clients of this machine that the demo also pulls with.

use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;

use crate::Demo;
use crate::podman;
use crate::screen;
use crate::shell;
use crate::shell::Shell;

/// Pulls the image with skopeo and podman, where they are installed.
pub(crate) fn pull_with_installed(demo: &Demo, image: &str) -> anyhow::Result<()> {
    // Elsewhere they run in a virtual machine, which does not reach the demo.
    let is_usable = |program| cfg!(target_os = "linux") && shell::is_installed(program);
    if is_usable("skopeo") {
        pull_with_skopeo(demo, image)?;
    }
    if is_usable("podman") {
        podman::pull(demo, image)?;
    }
    Ok(())
}

fn pull_with_skopeo(demo: &Demo, image: &str) -> anyhow::Result<()> {
    let mut shell = demo.shell.clone();
    // To root, skopeo's cache of digests is one for the whole machine; to others it is in the home directory.
    shell.set("_CONTAINERS_ROOTLESS_UID", "1");
    screen::note("The same with skopeo, which is installed here:")?;
    let remote = format!("docker://{image}");
    let inspect = ["inspect", "--format", "{{.Digest}}", &remote];
    let digest = demo.cloud.digest();
    let inspected = shell.show("skopeo", &inspect)?;
    ensure!(
        inspected.stdout() == digest,
        "the digest should be {digest}"
    );
    shell.show("skopeo", &["copy", "--quiet", &remote, "dir:pulled"])?;
    let manifest = shell.read("pulled/manifest.json")?;
    let hash = ring::digest::digest(&ring::digest::SHA256, &manifest);
    let digits: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ensure!(
        digest == format!("sha256:{digits}"),
        "the digest should be {digest}"
    );
    Ok(())
}

/// Shows that the registry does not give the image without a login.
pub(crate) fn ensure_rejected(
    shell: &Shell,
    shown: &str,
    command: &mut Command,
    arguments: &[&str],
) -> anyhow::Result<()> {
    screen::command(shown, arguments, "")?;
    let finished = shell.finish(command, arguments, "")?;
    let rejected = ["authoriz", "denied", "authenticat"];
    let stderr = finished.stderr().to_lowercase();
    ensure!(
        !finished.succeeded() && rejected.iter().any(|word| stderr.contains(word)),
        "a pull without a login should be rejected:{finished}"
    );
    let last = finished.stderr().lines().last();
    Ok(screen::output(last.context("the client shows no error")?)?)
}
