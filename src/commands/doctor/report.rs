//! One text file to attach to a bug report, without secrets.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;

use super::CheckContext;
use super::Report;
use crate::client_config::document::Document;
use crate::client_config::file;
use crate::commands::screen::Screen;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::fs;

/// The longest line of another program's file, in characters.
const LONGEST_LINE: usize = 400;

/// Below the root: what the system is (`os-release(5)`).
const OS_RELEASE: &str = "etc/os-release";

/// What the names of variables begin with that this program or its clients read.
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

/// Writes the report into a new file that nobody else can read.
///
/// # Errors
/// There is a file already, or it cannot be written.
pub(super) fn write(path: &Path, diagnosis: &Report, patient: &CheckContext<'_>) -> Result<()> {
    let fail = |error: &io::Error| {
        Error::user(match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{} is there already and stays as it is; name another file for the report",
                path.display()
            ),
            _ => format!(
                "the report cannot be written to {} ({error})",
                path.display()
            ),
        })
    };
    let mut file = create(path).map_err(|error| fail(&error))?;
    file.write_all(text(diagnosis, patient).as_bytes())
        .map_err(|error| fail(&error))
}

fn create(path: &Path) -> io::Result<File> {
    let _rights = fs::act_as_owner(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn text(diagnosis: &Report, patient: &CheckContext<'_>) -> String {
    let mut parts = vec![
        format!(
            "docker-credential-icr {} on {}\n{} {}, hosts and user names are in here, secrets are not",
            env!("CARGO_PKG_VERSION"),
            system(patient),
            std::env::consts::OS,
            std::env::consts::ARCH,
        ),
        diagnosis.shown(Screen::PLAIN),
        format!(
            "Variables that are set (without their values)\n{}",
            variables(patient)
        ),
    ];
    parts.extend(patient.clients.files.iter().filter_map(|seen| {
        let text = file::read(&seen.file.path).ok()??;
        // What cannot be understood cannot be redacted.
        let redacted = match Document::parse(&text) {
            Ok(document) => document.redacted(),
            Err(_) => "(left out, because it cannot be understood)".to_owned(),
        };
        let lines = redacted.lines().map(|line| one_line(line, LONGEST_LINE));
        let lines: Vec<String> = lines.collect();
        Some(format!(
            "{} (redacted)\n{}",
            seen.file.path.display(),
            lines.join("\n")
        ))
    }));
    format!("{}\n", parts.join("\n\n"))
}

fn system(patient: &CheckContext<'_>) -> String {
    let text = std::fs::read_to_string(patient.context.system_paths.root.join(OS_RELEASE));
    let text = text.unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    one_line(
        name.unwrap_or(std::env::consts::OS).trim_matches('"'),
        LONGEST_LINE,
    )
}

fn variables(patient: &CheckContext<'_>) -> String {
    let names = patient.context.environment.names();
    let mut names: Vec<&str> = names
        .filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    names.sort_unstable();
    match names.is_empty() {
        true => "none".to_owned(),
        false => one_line(&names.join(" "), LONGEST_LINE * 10),
    }
}
