//! How the demo builds the program and its small client.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use anyhow::ensure;
use serde_json::Value;

use crate::screen;
use crate::shell;

/// The program that the demo shows.
pub(crate) const HELPER: &str = "docker-credential-icr";

/// Builds the program, and the client beside it. Returns where the program is. `cargo demo` has compiled everything that both need; see the
/// dependencies of this package.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let words = [
        "build",
        "--quiet",
        "--profile=demo",
        "--package=docker-credential-icr",
        "--package=icr-demo",
        "--bins",
        "--message-format=json-render-diagnostics",
    ];
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
