//! Pulls with podman, with settings and a storage of the demo's own.

use std::fs;

use anyhow::ensure;

use crate::Demo;
use crate::cloud::FIRST_REGION;
use crate::program::HELPER;
use crate::screen;
use crate::shell::Shell;

const SETTINGS: &str = "containers.conf";

/// Where podman keeps the number of the process that holds its user namespace: not where the user's own podman has it.
const RUNTIME_DIRECTORY: &str = "runtime";

/// Pulls the image, and checks that it is the one in the registry.
pub(crate) fn pull(demo: &Demo, image: &str) -> anyhow::Result<()> {
    let shell = configured(&demo.shell)?;
    if !is_root(&shell)? && !finds_login_in_user_namespace(&shell)? {
        return Ok(screen::note(
            "podman is installed here, too. It is left out, because its user namespace does not reach the keychain.",
        )?);
    }
    screen::note("The same with podman, which is installed here:")?;
    let settings = "CONTAINERS_CONF=$PWD/containers.conf CONTAINERS_STORAGE_CONF=$PWD/storage.conf";
    screen::command("export", &[settings], "")?;
    shell.show("podman", &["pull", "--quiet", image])?;
    let digest = demo.cloud.digest();
    let inspect = ["image", "inspect", "--format", "{{.Digest}}", image];
    let inspected = shell.show("podman", &inspect)?;
    ensure!(
        inspected.stdout() == digest,
        "the digest should be {digest}"
    );
    Ok(())
}

/// Ends the process that holds podman's user namespace; root has none. The cleanup process does it, so that it always happens.
pub(crate) fn end(shell: &Shell) -> anyhow::Result<()> {
    if shell.path(SETTINGS).exists() && !is_root(shell)? {
        configured(shell)?
            .run("podman", &["system", "migrate"], "")?
            .succeed()?;
    }
    Ok(())
}

fn configured(shell: &Shell) -> anyhow::Result<Shell> {
    let below = |name: &str| format!("{:?}", shell.path(name).display().to_string());
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = {}\nrunroot = {}\n",
        below("storage"),
        below("run")
    );
    let settings = format!(
        "[engine]\nevents_logger = \"none\"\ntmp_dir = {}\n[network]\nnetwork_config_dir = {}\n",
        below("podman"),
        below("networks")
    );
    shell.write("storage.conf", &storage)?;
    shell.write(SETTINGS, &settings)?;
    let mut shell = shell.clone();
    shell.set("CONTAINERS_CONF", shell.path(SETTINGS));
    shell.set("CONTAINERS_STORAGE_CONF", shell.path("storage.conf"));
    shell.set("CONTAINERS_SHORT_NAME_ALIASING", "off");
    if !is_root(&shell)? {
        fs::create_dir_all(shell.path(RUNTIME_DIRECTORY))?;
        shell.set("XDG_RUNTIME_DIR", shell.path(RUNTIME_DIRECTORY));
    }
    Ok(shell)
}

/// Returns whether the helper finds the login in the user namespace in which podman asks for it.
fn finds_login_in_user_namespace(shell: &Shell) -> anyhow::Result<bool> {
    let answer = shell.run("podman", &["unshare", HELPER, "get"], FIRST_REGION)?;
    Ok(answer.succeeded())
}

/// Returns whether the owner of the demo's directory is root.
#[cfg(unix)]
fn is_root(shell: &Shell) -> anyhow::Result<bool> {
    let metadata = fs::metadata(shell.path("."))?;
    Ok(std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

#[cfg(not(unix))]
fn is_root(_shell: &Shell) -> anyhow::Result<bool> {
    Ok(false)
}
