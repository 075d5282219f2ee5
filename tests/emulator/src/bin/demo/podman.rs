//! Pushes and pulls with podman, with settings and a storage of the demo's own.

use std::fs;

use anyhow::Context as _;
use serde_json::Value;

use crate::HELPER;
use crate::client::Transfer;
use crate::client::digest;
use crate::client::image_in;
use crate::client::refused;
use crate::screen;
use crate::secret::shortened;
use crate::shell::Shell;

const SETTINGS: &str = "containers.conf";

/// Where podman keeps the number of the process that holds its user namespace: not where the user's own podman has it.
const RUNTIME_DIRECTORY: &str = "runtime";

/// Pushes the directory `image` and pulls it back.
pub(crate) fn push_and_pull(shell: &Shell, host: &str, key: &str) -> anyhow::Result<Transfer> {
    let name = image_in(host);
    let mut shell = configured(shell)?;
    let image = shell.run("podman", &["pull", "--quiet", "oci:image"], "")?;
    let image = image.succeed()?.stdout().to_owned();
    screen::command(
        "export",
        &["CONTAINERS_CONF=$PWD/containers.conf CONTAINERS_STORAGE_CONF=$PWD/storage.conf"],
        "",
    )?;
    let by_login = is_root(&shell)? || finds_login_in_user_namespace(&shell, host)?;
    if !by_login {
        screen::note("Rootless podman runs helpers in a user namespace, where no keychain works:")?;
        let assignment = format!("IBMCLOUD_API_KEY={}", shortened(key));
        screen::command("export", &[&assignment, "ICR_KEYCHAIN=none"], "")?;
        shell.set("IBMCLOUD_API_KEY", key);
        // The namespace has its own kernel keyring, which `erase` outside of it cannot delete from.
        shell.set("ICR_KEYCHAIN", "none");
    }
    let push = ["push", "--quiet", "--digestfile", "pushed", &image, &name];
    shell.show("podman", &push)?;
    shell.run("podman", &["rmi", &image], "")?.succeed()?;
    shell.write("no-login.json", "{}")?;
    refused(
        &shell,
        "podman",
        &["pull", "--authfile", "no-login.json", &name],
    )?;
    shell.show("podman", &["pull", &name])?;
    let inspected = shell.run("podman", &["image", "inspect", &name], "")?;
    let inspected: Value = serde_json::from_str(inspected.succeed()?.stdout())?;
    Ok(Transfer {
        by_login,
        pulled: inspected[0]["Digest"]
            .as_str()
            .context("podman names no digest")?
            .to_owned(),
        pushed: digest(&shell)?,
    })
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
fn finds_login_in_user_namespace(shell: &Shell, host: &str) -> anyhow::Result<bool> {
    let answer = shell.run("podman", &["unshare", HELPER, "get"], host)?;
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
