//! The manual: a page for the program and one for each command, in roff.

use std::io::Result;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::Roff;
use clap_mangen::roff::bold;
use clap_mangen::roff::roman;
use docker_credential_icr::command;
use docker_credential_icr::protocol::PROGRAM;

use crate::Document;

/// How the help of every command that has examples begins to show them.
const EXAMPLES: &str = "Examples:\n";

/// What else belongs on the program's own page: a section's title, and its entries, each a name and what it means.
const SECTIONS: [(&str, &[(&str, &str)]); 3] = [
    (
        "ENVIRONMENT",
        &[
            (
                "IBMCLOUD_API_KEY",
                "An API key for every registry, or @ and the name of a file that holds it.",
            ),
            (
                "ICR_PROFILE, ICR_SOURCE",
                "The profile, and the source of identity, for every registry.",
            ),
            (
                "ICR_CONFIG",
                "The only settings file, instead of those below FILES.",
            ),
            (
                "ICR_LOG",
                "A log on stderr: error, warn, info, debug or trace.",
            ),
            (
                "HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE",
                "The way to IBM Cloud, and certificate authorities to trust beside the system's.",
            ),
        ],
    ),
    (
        "FILES",
        &[
            (
                "~/.config/docker-credential-icr/config.toml",
                "Your settings.",
            ),
            (
                "/etc/docker-credential-icr/config.toml",
                "Everybody's settings.",
            ),
            (
                "~/.docker/config.json",
                "Where docker reads in credHelpers that a registry's logins are here.",
            ),
            (
                "~/.cache/docker-credential-icr",
                "Locks. No file ever holds a secret.",
            ),
        ],
    ),
    (
        "SEE ALSO",
        &[(
            "docker-login(1), podman-login(1), containers-auth.json(5)",
            "README.md, which comes with the program, says everything else: sources of identity, settings, what to do \
             when something is wrong.",
        )],
    ),
];

/// Every page.
pub(crate) fn all() -> Result<Vec<Document>> {
    let mut program = command::definitions();
    program.build();
    let mut pages = Vec::new();
    add_pages(&program, &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, pages: &mut Vec<Document>) -> Result<()> {
    pages.push(page(command)?);
    for below in visible(command) {
        add_pages(below, pages)?;
    }
    Ok(())
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
}

fn page(command: &Command) -> Result<Document> {
    let version = env!("CARGO_PKG_VERSION");
    // A blank date: roff leaves out what is empty, and shifts what follows.
    let page = Man::new(command.clone())
        .date(" ")
        .source(format!("{PROGRAM} {version}"))
        .manual("IBM Cloud Container Registry");
    let mut content = Vec::new();
    page.render_title(&mut content)?;
    page.render_name_section(&mut content)?;
    page.render_synopsis_section(&mut content)?;
    page.render_description_section(&mut content)?;
    if command
        .get_arguments()
        .any(|argument| !argument.is_hide_set())
    {
        page.render_options_section(&mut content)?;
    }
    if visible(command).next().is_some() {
        page.render_subcommands_section(&mut content)?;
    }
    let mut more = Roff::new();
    if let Some(text) = command.get_after_long_help().or(command.get_after_help()) {
        add_examples(&text.to_string(), &mut more);
    }
    if command.get_name() == PROGRAM {
        add_sections(&mut more);
    }
    more.to_writer(&mut content)?;
    Ok(Document {
        name: page.get_filename(),
        content,
    })
}

/// Lines that stand as they are.
fn add_examples(text: &str, roff: &mut Roff) {
    let (title, text) = match text.strip_prefix(EXAMPLES) {
        Some(text) => ("EXAMPLES", text),
        None => ("NOTES", text),
    };
    roff.control("SH", [title]).control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn add_sections(roff: &mut Roff) {
    for (title, entries) in SECTIONS {
        roff.control("SH", [title]);
        for (name, meaning) in entries {
            roff.control("TP", []);
            roff.text([bold(*name)]).text([roman(*meaning)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str) -> String {
        let pages = all().unwrap();
        let page = pages.into_iter().find(|page| page.name == name).unwrap();
        String::from_utf8(page.content).unwrap()
    }

    #[test]
    fn the_page_of_every_command_is_named_on_the_page_above_it() {
        let pages = all().unwrap();
        let bare = |name: &str| name.trim_end_matches(".1").to_owned();
        for named in &pages {
            let name = bare(&named.name);
            let is_above = |other: &str| name.starts_with(&format!("{other}-"));
            let above = pages.iter().map(|other| bare(&other.name));
            let above = above
                .filter(|other| is_above(other))
                .max_by_key(String::len);
            let text = page(&format!("{}.1", above.as_deref().unwrap_or(&name)));
            assert!(text.contains(&name.replace('-', "\\-")), "{name}");
        }
    }

    #[test]
    fn a_verb_has_a_page_with_its_address() {
        assert!(page("docker-credential-icr-get.1").contains("ADDRESS"));
    }

    #[test]
    fn examples_stand_line_by_line() {
        let text = page("docker-credential-icr-settings.1");
        assert!(text.contains(".SH EXAMPLES\n.nf\n"), "{text}");
    }
}
