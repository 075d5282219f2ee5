//! The steps that pull an image.

use anyhow::Context as _;
use anyhow::ensure;
use serde_json::Value;

use crate::Demo;
use crate::client;
use crate::cloud::FIRST_REGION;
use crate::cloud::SECOND_REGION;
use crate::cloud::image_in;
use crate::login;
use crate::program::HELPER;
use crate::screen;
use crate::secret::shortened;

/// The client that needs nothing on this machine; it is built with the demo.
pub(crate) const CLIENT: &str = "oci-pull";

/// How many calls of `get` are timed.
const CALLS: usize = 11;

/// Pulls with all clients that this machine has.
pub(crate) fn first_region(demo: &Demo) -> anyhow::Result<()> {
    let image = image_in(FIRST_REGION);
    let before = demo.cloud.exchanges();
    screen::note(
        "oci-pull is a small client, made of the crates oci-client and docker_credential. As docker does, it reads config.json and calls docker-credential-icr:",
    )?;
    pull(demo, &image)?;
    screen::note("Without a login, the registry rejects the same pull:")?;
    demo.shell.write("no-login/config.json", "{}")?;
    client::ensure_rejected(
        &demo.shell,
        "DOCKER_CONFIG=$PWD/no-login oci-pull",
        demo.shell.command(CLIENT).env("DOCKER_CONFIG", "no-login"),
        &[&image],
    )?;
    client::pull_with_installed(demo, &image)?;
    time_get(demo)?;
    show_requests(demo, before)
}

/// Adds the second region to the client, and pulls from it.
pub(crate) fn second_region(demo: &Demo) -> anyhow::Result<()> {
    let before = demo.cloud.exchanges();
    demo.shell
        .show(HELPER, &["configure", "--registry", SECOND_REGION])?;
    pull(demo, &image_in(SECOND_REGION))?;
    show_requests(demo, before)
}

/// Pulls the image, and checks that it is the one in the registry.
pub(crate) fn pull(demo: &Demo, image: &str) -> anyhow::Result<()> {
    let pulled = demo.shell.show(CLIENT, &[image])?;
    let digest = demo.cloud.digest();
    ensure!(
        pulled.stdout().contains(digest),
        "the image in the registry has the digest {digest}"
    );
    ensure!(
        pulled.stdout().contains("iambearer"),
        "the client should get a token"
    );
    Ok(())
}

/// Shows what clients get, and how long that takes.
fn time_get(demo: &Demo) -> anyhow::Result<()> {
    screen::note("This is what clients get from the program:")?;
    screen::command(HELPER, &["get"], FIRST_REGION)?;
    let mut times = Vec::new();
    let mut token = String::new();
    for _ in 0..CALLS {
        let answer = demo.shell.run(HELPER, &["get"], FIRST_REGION)?.succeed()?;
        let credential: Value =
            serde_json::from_str(answer.stdout()).context("'get' should answer JSON")?;
        let secret = credential["Secret"]
            .as_str()
            .context("there is no secret")?;
        if times.is_empty() {
            screen::output(&answer.stdout().replace(secret, &shortened(secret)))?;
        }
        secret.clone_into(&mut token);
        times.push(answer.milliseconds());
    }
    let fastest = times.into_iter().fold(f64::INFINITY, f64::min);
    screen::note(&format!(
        "{} of {} characters, in {fastest:.1} ms (the fastest of {CALLS} calls).",
        if demo.has_keychain {
            "A cached token"
        } else {
            "A new token"
        },
        token.len()
    ))?;
    login::ensure_no_file_has(demo, &[token])
}

fn show_requests(demo: &Demo, before: usize) -> anyhow::Result<()> {
    let requests = demo.cloud.exchanges() - before;
    if !demo.has_keychain {
        return Ok(screen::note(&format!(
            "Token requests to IAM in this step: {requests}. Without a keychain, no token is cached."
        ))?);
    }
    ensure!(requests == 0, "the step sent {requests} token requests");
    Ok(screen::note(
        "Token requests to IAM in this step: 0. The token of the login is cached.",
    )?)
}
