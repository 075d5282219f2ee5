//! The file of `doctor --report`: one text file for a bug report, without secrets.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;

use super::CheckContext;
use super::Report;
use crate::client_config::file;
use crate::client_config::json::Document;
use crate::commands::screen::Screen;
use crate::environment::mask::Mask;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::fs;

/// The maximum length of a line of another program's file, in characters.
const MAX_LINE: usize = 400;

/// Identifies the operating system (`os-release(5)`), below the root directory.
const OS_RELEASE: &str = "etc/os-release";

/// The prefixes of the variables that this program or its clients read.
const PREFIXES: [&str; 10] = [
    "ICR_",
    "IBMCLOUD_",
    "IC_",
    "BLUEMIX_",
    "IBM_",
    "DOCKER_",
    "REGISTRY_AUTH",
    "XDG_",
    "SSL_CERT",
    "DBUS_SESSION",
];

/// Writes the report to a new file that only this user can read.
///
/// # Errors
/// The file exists, or cannot be written.
pub(super) fn write(path: &Path, report: &Report, context: &CheckContext<'_>) -> Result<()> {
    let write_error = |error: io::Error| {
        let path = path.display();
        if error.kind() == io::ErrorKind::AlreadyExists {
            Error::user(format!("{path} already exists")).with_hint("Name another file")
        } else {
            Error::user(format!("cannot write the report to {path}: {error}"))
        }
    };
    let mut file = create(path).map_err(write_error)?;
    let text = text(report, context);
    let text = Mask::of(context.context.environment)
        .apply(&text)
        .into_owned();
    file.write_all(text.as_bytes()).map_err(write_error)
}

fn create(path: &Path) -> io::Result<File> {
    let _rights = fs::act_as_owner(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn text(report: &Report, context: &CheckContext<'_>) -> String {
    let mut parts = vec![
        format!(
            "docker-credential-icr {} on {}\n{} {}; contains hosts and user names, but no secrets",
            env!("CARGO_PKG_VERSION"),
            system(context),
            std::env::consts::OS,
            std::env::consts::ARCH,
        ),
        report.to_text(Screen::PLAIN),
        format!(
            "Variables that are set (names only)\n{}",
            variables(context)
        ),
    ];
    parts.extend(context.clients.files.iter().filter_map(|scanned| {
        let text = file::read(&scanned.file.path).ok()??;
        // A file that cannot be parsed cannot be redacted.
        let redacted = match Document::parse(&text) {
            Ok(document) => document.redacted(),
            Err(_) => "(omitted because it cannot be parsed)".to_owned(),
        };
        let lines = redacted.lines().map(|line| one_line(line, MAX_LINE));
        let lines: Vec<String> = lines.collect();
        Some(format!(
            "{} (redacted)\n{}",
            scanned.file.path.display(),
            lines.join("\n")
        ))
    }));
    format!("{}\n", parts.join("\n\n"))
}

/// Returns the name of the operating system.
fn system(context: &CheckContext<'_>) -> String {
    let text = std::fs::read_to_string(context.context.system_paths.root.join(OS_RELEASE));
    let text = text.unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    one_line(
        name.unwrap_or(std::env::consts::OS).trim_matches('"'),
        MAX_LINE,
    )
}

/// Returns the names of the variables that are set.
fn variables(context: &CheckContext<'_>) -> String {
    let names = context.context.environment.names();
    let mut names: Vec<&str> = names
        .filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        "none".to_owned()
    } else {
        one_line(&names.join(" "), MAX_LINE * 10)
    }
}
