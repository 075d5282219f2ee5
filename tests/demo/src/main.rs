//! `cargo demo`: shows the real program with real clients; only IBM Cloud is emulated.

mod cleanup;
mod client;
mod cloud;
mod login;
mod podman;
mod process;
mod program;
mod pull;
mod screen;
mod secret;
mod shell;
mod wrong_key;

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use anyhow::ensure;

use crate::cleanup::Cleanup;
use crate::cloud::Cloud;
use crate::cloud::HOSTS;
use crate::program::HELPER;
use crate::shell::Shell;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // The alias ends with `--` already; a second one means the same.
    let outcome = match words.strip_prefix(&["--"]).unwrap_or(&words) {
        [] => perform(),
        ["--help" | "-h"] => screen::text(HELP).map_err(Into::into),
        [cleanup::ARGUMENT] => cleanup::serve(),
        _ => Err(anyhow::anyhow!(
            "unknown arguments '{}'. See 'cargo demo --help'",
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

/// What the steps share.
struct Demo {
    cloud: Cloud,
    /// Whether the key is in a keychain. Otherwise it is in a variable.
    has_keychain: bool,
    key: String,
    shell: Shell,
}

/// Runs the demo, step by step. However it ends, the cleanup process removes what it created.
fn perform() -> anyhow::Result<()> {
    screen::text(INTRODUCTION)?;
    let helper = step(1, "Build the program", program::build)?;
    let mut cleanup = Cleanup::start()?;
    let directory = cleanup.directory().to_owned();
    let mut demo = step(2, "Start an emulation of IBM Cloud", || {
        start(&directory, &helper, &mut cleanup)
    })?;
    step(3, "Before: an API key that can be read", || {
        login::show_readable_key(&demo)
    })?;
    step(4, "Move the key to the keychain", || {
        login::migrate(&mut demo)
    })?;
    step(5, "Log in once, for all regions", || login::log_in(&demo))?;
    step(6, "Pull a private image", || pull::first_region(&demo))?;
    step(7, "Pull from another region", || pull::second_region(&demo))?;
    step(8, "See what a wrong key does, and fix it", || {
        wrong_key::show(&mut demo)
    })?;
    step(9, "Log out, and clean up", || {
        log_out(&mut demo)?;
        drop(demo);
        cleanup.finish()?;
        Ok(screen::note(
            "The demo removed its logins, tokens, files and processes.",
        )?)
    })?;
    Ok(screen::text(NEXT)?)
}

fn step<T>(number: u8, title: &str, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    screen::heading(number, title)?;
    act().with_context(|| format!("step {number} failed ({title})"))
}

/// Starts the cloud, and sets up the shell in which everything else happens.
fn start(directory: &Path, helper: &Path, cleanup: &mut Cleanup) -> anyhow::Result<Demo> {
    let cloud = Cloud::start(directory)?;
    let proxy = cloud.proxy()?;
    cleanup.add_logins(helper, &proxy)?;
    let key = secret::api_key()?;
    cloud.add_api_key(&key);
    let shell = Shell::new(directory, helper, &proxy);
    screen::note(&format!(
        "This process serves {}, {} and {}. The commands reach them through a proxy in it, so this machine's name lookup stays unchanged.",
        HOSTS[0], HOSTS[1], HOSTS[2]
    ))?;
    screen::command("cd", &[&directory.display().to_string()], "")?;
    screen::command("export", &[&shell.exports()], "")?;
    Ok(Demo {
        cloud,
        has_keychain: true,
        key,
        shell,
    })
}

fn log_out(demo: &mut Demo) -> anyhow::Result<()> {
    let Demo { shell, .. } = demo;
    if shell.unset(login::VARIABLE) {
        screen::command("unset", &[login::VARIABLE], "")?;
    } else {
        shell.show(HELPER, &["logout", "--all"])?;
    }
    let image = cloud::image_in(cloud::FIRST_REGION);
    screen::command(pull::CLIENT, &[&image], "")?;
    let pulled = shell.run(pull::CLIENT, &[&image], "")?;
    ensure!(
        !pulled.succeeded() && pulled.stderr().contains("credentials not found"),
        "without a login, the pull should fail:{pulled}"
    );
    Ok(screen::output(pulled.stderr())?)
}

const INTRODUCTION: &str = "\
A demo of docker-credential-icr on this machine, without an account or a network.
The program is the real one. IBM Cloud is emulated, and the API key is invented.
The demo has a home directory of its own. At its end, also after Ctrl-C, all
that it created is removed.";

const NEXT: &str = "
What to do next, with your own IBM Cloud API key:
   $ install/install.sh                               install the program
   $ docker-credential-icr login                      log in, for all regions
   $ docker-credential-icr configure                  add it to docker and podman
   $ docker pull us.icr.io/NAMESPACE/IMAGE
README.md describes other ways to log in, CI and Kubernetes.";

const HELP: &str = "\
usage: cargo demo

Builds docker-credential-icr, starts an emulation of IBM Cloud, moves an invented
API key from a config.json to the keychain, logs in, pulls an image from two
regions, shows what 'doctor' says about a wrong key, logs out and cleans up.

Needs cargo and a C compiler, no account and no root. The image is pulled with
the crates oci-client and docker_credential and, if they are installed, with
skopeo and podman.

ICR_KEYCHAIN names the keychain to use, as for docker-credential-icr itself.
The exit status is 0 if all steps succeeded.";
