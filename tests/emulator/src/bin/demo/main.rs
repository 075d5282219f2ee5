//! `cargo demo`: shows the real program with real clients; only IBM Cloud is emulated.

mod cleanup;
mod client;
mod cloud;
mod image;
mod podman;
mod screen;
mod secret;
mod service;
mod shell;

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::process::Stdio;

use anyhow::Context as _;
use anyhow::bail;
use anyhow::ensure;
use serde_json::Value;
use serde_json::json;

use crate::cleanup::Cleanup;
use crate::client::Client;
use crate::cloud::Cloud;
use crate::secret::shortened;
use crate::shell::Shell;

const HELPER: &str = "docker-credential-icr";
const NOT_FOUND: &str = "credentials not found in native keychain";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // The alias ends with `--` already; a second one means the same.
    let outcome = match words.strip_prefix(&["--"]).unwrap_or(&words) {
        [] => perform(false),
        ["--require-pull"] => perform(true),
        ["--help" | "-h"] => screen::text(HELP).map_err(Into::into),
        [cleanup::ARGUMENT] => cleanup::serve(),
        [service::ARGUMENT, program, rest @ ..] => service::serve(program, rest),
        _ => Err(anyhow::anyhow!(
            "unknown arguments `{}`. See `cargo demo --help`",
            words.join(" ")
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "\ndemo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the demo, step by step. However it ends, the cleanup process removes what it created.
fn perform(require_pull: bool) -> anyhow::Result<()> {
    screen::text(INTRODUCTION)?;
    let helper = step(1, "Build the program", build)?;

    let mut cleanup = Cleanup::start()?;
    let directory = cleanup.directory().to_owned();
    let (cloud, mut shell, client) = step(2, "Start an emulation of IBM Cloud", || {
        start_cloud(&directory, &helper)
    })?;
    cleanup.add_login(&helper, &cloud.url())?;

    let key = secret::api_key()?;
    cloud.add_api_key(&key);
    let kept = step(3, "Log in, as `docker login` does it", || {
        log_in(&mut shell, &cloud, &key)
    })?;
    step(4, "Get a token, as `docker pull` does it", || {
        ask(&shell, &cloud, &key, kept)
    })?;
    step(5, "Push an image and pull it back", || match &client {
        Ok(client) => push_and_pull(&shell, &cloud, &key, client, kept),
        Err(missing) if require_pull => bail!("{missing}"),
        Err(missing) => Ok(screen::note(&format!("Skipped: {missing}"))?),
    })?;
    step(6, "Log out, and clean up", || {
        log_out(&mut shell, &cloud)?;
        drop(cloud);
        cleanup.finish()?;
        Ok(screen::note(
            "The demo removed its login, tokens, files and processes.",
        )?)
    })?;
    screen::text(YOUR_TURN)?;
    Ok(())
}

fn step<T>(number: u8, title: &str, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    screen::heading(number, title)?;
    act().with_context(|| format!("step {number} failed ({title})"))
}

/// Builds the program and returns where it is. A debug build, because `cargo demo` has just built many of its dependencies that
/// way; a release build takes several times as long and shows nothing more.
fn build() -> anyhow::Result<PathBuf> {
    let words = [
        "build",
        "--quiet",
        "--package",
        HELPER,
        "--message-format=json-render-diagnostics",
    ];
    screen::note("A debug build, which is quicker: about a minute the first time.")?;
    screen::command("cargo", &words, "")?;
    let output = shell::cargo()
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "the build failed; see the output of cargo above"
    );
    let executable = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == HELPER)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo names no executable")?;
    screen::output(&format!("{}", executable.display()))?;
    Ok(executable)
}

/// Starts the cloud, and sets up the shell in which everything else happens.
fn start_cloud(
    directory: &Path,
    helper: &Path,
) -> anyhow::Result<(Cloud, Shell, Result<Client, String>)> {
    let client = Client::find();
    let cloud = Cloud::open(directory, client.as_ref().ok())?;
    let shell = Shell::new(directory, helper, &cloud.url());
    shell.write(
        "config.toml",
        &format!("registries = [\"{}\"]\n", cloud.host()),
    )?;
    shell.write(
        "auth.json",
        &json!({"credHelpers": {cloud.host(): "icr"}}).to_string(),
    )?;
    screen::note(&format!(
        "{} is an emulation of IBM Cloud: IAM and registry, in this process{}.",
        cloud.url(),
        match &client {
            Ok(client) => format!(", with {}", client.registry()),
            Err(_) => String::new(),
        }
    ))?;
    screen::command("cd", &[&directory.display().to_string()], "")?;
    screen::command("export", &[&shell.exports()], "")?;
    shell.show_file("config.toml")?;
    Ok((cloud, shell, client))
}

/// Stores the key, or sets it in the environment if there is no keychain. Returns whether it is in a keychain.
fn log_in(shell: &mut Shell, cloud: &Cloud, key: &str) -> anyhow::Result<bool> {
    let login = |secret: &str| {
        format!(
            r#"{{"ServerURL":"{}","Username":"iamapikey","Secret":"{secret}"}}"#,
            cloud.host()
        )
    };
    screen::command(HELPER, &["store"], &login(&shortened(key)))?;
    let stored = shell.run(HELPER, &["store"], &login(key))?;
    if stored.succeeded() {
        ensure!(
            stored.is_silent(),
            "`store` should print nothing. It printed:{stored}"
        );
        screen::note(&format!("The key is now in {}.", shell.storage_name()))?;
        return Ok(true);
    }
    screen::output(stored.stderr())?;
    screen::note("No keychain is usable here, so the key is set in the environment:")?;
    shell.set("IBMCLOUD_API_KEY", key);
    // Without a keychain, the cleanup has no login to delete.
    shell.set("ICR_KEYCHAIN", "none");
    let assignments = [
        &*format!("IBMCLOUD_API_KEY={}", shortened(key)),
        "ICR_KEYCHAIN=none",
    ];
    screen::command("export", &assignments, "")?;
    Ok(false)
}

fn ask(shell: &Shell, cloud: &Cloud, key: &str, kept: bool) -> anyhow::Result<()> {
    let mut tokens = Vec::new();
    for number in 1..=2 {
        screen::command(HELPER, &["get"], &cloud.host())?;
        let answer = shell.run(HELPER, &["get"], &cloud.host())?.succeed()?;
        ensure!(
            answer.stderr().is_empty(),
            "`get` should print nothing on stderr. It printed:{answer}"
        );
        let credential: Value =
            serde_json::from_str(answer.stdout()).context("`get` should answer JSON")?;
        let token = credential["Secret"]
            .as_str()
            .context("the secret is missing")?;
        ensure!(
            credential["ServerURL"] == cloud.host(),
            "the answer is for another registry:{answer}"
        );
        ensure!(
            credential["Username"] == "iambearer",
            "the answer is not a token:{answer}"
        );
        let shown = answer.stdout().replace(token, &shortened(token));
        ensure!(
            !shown.contains(token) && !shown.contains(key),
            "the secret is shown twice"
        );
        if number == 1 {
            screen::output(&shown)?;
        }
        screen::note(&format!(
            "{}{} ms. Token requests to IAM so far: {}.",
            match number {
                1 => format!("A token of {} characters. It took ", token.len()),
                _ if kept => "The same token, from the cache. It took ".to_owned(),
                _ =>
                    "Another token, because without a keychain none is cached. It took ".to_owned(),
            },
            answer.milliseconds(),
            cloud.exchanges()
        ))?;
        tokens.push(token.to_owned());
    }
    ensure!(
        cloud.exchanges() == if kept { 1 } else { 2 },
        "IAM got {} token requests",
        cloud.exchanges()
    );
    ensure!(
        (tokens[0] == tokens[1]) == kept,
        "the second token should be cached only with a keychain"
    );
    shell.show_file("auth.json")?;
    tokens.push(key.to_owned());
    let count = shell.search_files(&tokens)?;
    Ok(screen::note(&format!(
        "None of the {count} files in this directory contains the key or a token."
    ))?)
}

fn push_and_pull(
    shell: &Shell,
    cloud: &Cloud,
    key: &str,
    client: &Client,
    kept: bool,
) -> anyhow::Result<()> {
    image::write(&shell.path("image"))?;
    let transfer = client.push_and_pull(shell, &cloud.host(), key)?;
    let (pushed, pulled) = (&transfer.pushed, &transfer.pulled);
    ensure!(pushed == pulled, "pushed {pushed}, but pulled {pulled}");
    screen::note("The digests of the pushed and the pulled manifest:")?;
    screen::output(&format!("{pushed}\n{pulled}"))?;
    if kept && transfer.by_login {
        ensure!(
            cloud.exchanges() == 1,
            "IAM got {} token requests",
            cloud.exchanges()
        );
    }
    shell.search_files(&[key.to_owned()])?;
    Ok(screen::note(&format!(
        "Pushed and pulled with the token only. Token requests to IAM so far: {}.",
        cloud.exchanges()
    ))?)
}

fn log_out(shell: &mut Shell, cloud: &Cloud) -> anyhow::Result<()> {
    screen::command(HELPER, &["erase"], &cloud.host())?;
    shell.run(HELPER, &["erase"], &cloud.host())?.succeed()?;
    if shell.unset("IBMCLOUD_API_KEY") {
        screen::command("unset", &["IBMCLOUD_API_KEY"], "")?;
    }
    screen::command(HELPER, &["get"], &cloud.host())?;
    let answer = shell.run(HELPER, &["get"], &cloud.host())?;
    ensure!(
        !answer.succeeded() && answer.stdout() == NOT_FOUND,
        "`get` should find no login after `erase`:{answer}"
    );
    Ok(screen::output(answer.stdout())?)
}

const INTRODUCTION: &str = "\
A demo of docker-credential-icr on this machine, without an account or a network.
The program is the real one. IBM Cloud is emulated, and the API key is invented.
All that the demo creates is removed at its end, also after Ctrl-C.";

const YOUR_TURN: &str = "
7. The same with your own IBM Cloud API key
   $ install/install.sh
   $ docker-credential-icr login
   $ docker-credential-icr configure --registry us.icr.io
   $ docker pull us.icr.io/NAMESPACE/IMAGE
   It works the same way with podman, buildah and skopeo.";

const HELP: &str = "\
usage: cargo demo [--require-pull]

Builds docker-credential-icr, starts an emulation of IBM Cloud, logs in with a
invented API key, shows what a container client gets, pushes and pulls an image,
logs out and cleans up. Needs no account, no network and no root.

  --require-pull   Fail if the programs for pushing and pulling are missing
                   (docker-registry, and skopeo or podman)
  --help           Print this help

ICR_KEYCHAIN names the keychain to use, as for docker-credential-icr itself.
The exit status is 0 if all steps succeeded.";
