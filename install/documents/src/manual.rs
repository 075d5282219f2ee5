//! The manual: a page for the program and one for each command, in roff.

use std::io::Result;

use clap::Arg;
use clap::ArgAction;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::Roff;
use clap_mangen::roff::bold;
use clap_mangen::roff::italic;
use clap_mangen::roff::roman;
use docker_credential_icr::PROGRAM;
use docker_credential_icr::cli::arguments;
use docker_credential_icr::error::EXIT_STATUSES;
use docker_credential_icr::helper::VERBS;

use crate::Document;

/// The title of the manual, in the middle of a page's first line. Long names beside it leave no room in eighty columns.
const MANUAL: &str = "ICR";

/// The sections of the manual for the paragraphs after a command's options, with the first line of each paragraph.
const PARTS: [(&str, &str); 3] = [
    ("EXAMPLES", "Examples:\n"),
    ("EXAMPLES", "Example:\n"),
    (EXIT_STATUS, "Exit status: "),
];

const EXIT_STATUS: &str = "EXIT STATUS";

/// The further sections of the program's page: titles and entries, each with a name and its meaning.
const SECTIONS: [(&str, &[(&str, &str)]); 2] = [
    (
        "ENVIRONMENT",
        &[
            (
                "IBMCLOUD_API_KEY",
                "API key for all registries, or @ and the path of a file with it.",
            ),
            (
                "ICR_PROFILE, ICR_SOURCE",
                "The profile and the source of credentials for all registries.",
            ),
            (
                "ICR_CONFIG",
                "The only settings file to read, instead of those under FILES.",
            ),
            (
                "ICR_KEYCHAIN, ICR_NAMESPACE, ICR_BACKGROUND_REFRESH, ICR_SERVICE_ACCOUNT_ANNOTATION, ICR_SERVICE_ACCOUNT_PROFILE",
                "Like the settings of these names.",
            ),
            (
                "ICR_LOG",
                "Log level on stderr: error, warn, info, debug or trace.",
            ),
            ("ICR_LOG_FILE", "Log file, which only you can read."),
            ("NO_COLOR, COLUMNS", "Disable colors; the width of tables."),
            (
                "HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE",
                "Proxy for IBM Cloud, and certificate authorities to trust besides the system's.",
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
                "Settings for all users.",
            ),
            (
                "/etc/docker-credential-icr/config.d/*.toml",
                "Further settings for all users, in the order of their names.",
            ),
            (
                "~/.docker/config.json",
                "Docker's configuration; credHelpers names this helper for registries.",
            ),
            (
                "$XDG_RUNTIME_DIR/containers/auth.json, ~/.config/containers/auth.json",
                "The same for Podman, Buildah and Skopeo.",
            ),
            (
                "~/.local/state/docker-credential-icr/configured.json",
                "The changes that configure made, for configure --undo.",
            ),
            (
                "~/.cache/docker-credential-icr",
                "Lock files, without secrets.",
            ),
        ],
    ),
];

/// The other pages that a reader of the program's page may look for.
const SEE_ALSO: &str = "docker-login(1), podman-login(1), containers-auth.json(5)";

const WIDTH_OF_TERMINAL: usize = 80;

/// The width of lines that are not filled: a terminal without the indentation of man.
const WIDTH: usize = 73;

/// Returns all pages.
pub(crate) fn all() -> Result<Vec<Document>> {
    let mut program = arguments::definitions();
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
    // A blank date: roff leaves out an empty one and shifts what follows.
    let page = Man::new(command.clone())
        .date(" ")
        .source(format!("{PROGRAM} {version}"));
    let file = page.get_filename();
    let page = page.title(title(&file)).manual(manual_beside(&file));
    let mut content = Vec::new();
    page.render_title(&mut content)?;
    page.render_name_section(&mut content)?;
    synopsis(command).to_writer(&mut content)?;
    description(command).to_writer(&mut content)?;
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
    add_parts(command, &mut more);
    let see_also = if command.get_name() == PROGRAM {
        add_sections(&mut more);
        SEE_ALSO.to_owned()
    } else {
        format!("{PROGRAM}(1)")
    };
    more.control("SH", ["SEE ALSO"]).text([roman(see_also)]);
    more.to_writer(&mut content)?;
    Ok(Document {
        name: page.get_filename(),
        content,
    })
}

/// Returns the title of a file's page: its name, without its beginning if that is too long for the first line.
fn title(file: &str) -> String {
    let name = file.trim_end_matches(".1");
    let short = name.trim_start_matches("docker-credential-");
    if first_line(name, "") <= WIDTH_OF_TERMINAL {
        name
    } else {
        short
    }
    .to_owned()
}

/// Returns the title of the manual, or a blank if the first line of a file's page has no room for it.
fn manual_beside(file: &str) -> &'static str {
    if first_line(&title(file), MANUAL) <= WIDTH_OF_TERMINAL {
        MANUAL
    } else {
        " "
    }
}

/// Returns the width of a page's first line: TITLE(1), the manual's title, TITLE(1), with a space between them.
fn first_line(title: &str, manual: &str) -> usize {
    2 * (title.len() + "(1)".len()) + manual.trim().len() + 2
}

/// Returns the synopsis: options with the names of their values, then arguments.
fn synopsis(command: &Command) -> Roff {
    let name = command.get_bin_name().unwrap_or(PROGRAM);
    let mut parts = vec![bold(name)];
    let shown = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    let (arguments, options): (Vec<&Arg>, Vec<&Arg>) =
        shown.partition(|argument| argument.is_positional());
    for argument in options.into_iter().chain(arguments) {
        parts.push(roman(if argument.is_required_set() {
            " "
        } else {
            " ["
        }));
        let option = argument.get_long().map(|long| format!("--{long}"));
        let separator = if option.is_some() { " " } else { "" };
        parts.extend(option.map(bold));
        if let Some(value) = value_of(argument) {
            parts.extend([roman(separator), italic(value)]);
            let is_repeated = argument
                .get_num_args()
                .is_some_and(|count| count.max_values() > 1);
            parts.extend(is_repeated.then(|| roman("...")));
        }
        parts.extend((!argument.is_required_set()).then(|| roman("]")));
    }
    if visible(command).next().is_some() {
        parts.extend([roman(" "), italic("COMMAND")]);
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text(parts);
    roff
}

/// Returns the description: paragraphs, and a list of the indented lines that are a name and its meaning.
fn description(command: &Command) -> Roff {
    let text = command.get_long_about().or(command.get_about());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    for (index, paragraph) in text.split("\n\n").enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        for line in paragraph.lines() {
            let trimmed = line.trim_start();
            let entry = trimmed.split_once("  ").filter(|_| trimmed != line);
            match entry {
                Some((name, meaning)) => {
                    roff.control("TP", []).text([bold(name)]);
                    roff.text([roman(meaning.trim_start())])
                }
                None => roff.text([roman(trimmed)]),
            };
        }
    }
    roff
}

/// Returns the name of an argument's value, if it takes one.
fn value_of(argument: &Arg) -> Option<String> {
    let takes_value = matches!(argument.get_action(), ArgAction::Append | ArgAction::Set);
    let names = argument.get_value_names().filter(|_| takes_value)?;
    Some(
        names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// Adds what follows the options in a command's help. Exit statuses are a paragraph, other parts keep their lines.
fn add_parts(command: &Command, roff: &mut Roff) {
    let text = command
        .get_after_long_help()
        .or(command.get_after_help())
        .map(ToString::to_string);
    let mut has_statuses = false;
    for paragraph in text.iter().flat_map(|text| text.split("\n\n")) {
        let part = PARTS
            .iter()
            .find_map(|(title, start)| Some((*title, paragraph.strip_prefix(start)?)));
        let (title, text) = part.unwrap_or(("NOTES", paragraph));
        has_statuses |= title == EXIT_STATUS;
        roff.control("SH", [title]);
        if title == EXIT_STATUS {
            roff.text([roman(text.replace('\n', " "))]);
            continue;
        }
        roff.control("nf", []);
        for line in text.lines().flat_map(wrapped) {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    if command.get_name() != PROGRAM && !command.has_subcommands() {
        if !has_statuses {
            roff.control("SH", [EXIT_STATUS]);
        }
        add_exit_statuses(command, has_statuses, roff);
    }
}

/// Returns a line as one or more lines that fit. The explanation of a command gets a line of its own; a command goes on after
/// a backslash.
fn wrapped(line: &str) -> Vec<String> {
    if line.len() <= WIDTH {
        return vec![line.to_owned()];
    }
    let command = line.trim_start();
    let indentation = " ".repeat(line.len() - command.len());
    if let Some((command, explanation)) = command.split_once("  ") {
        let explanation = explanation.trim_start();
        return vec![
            format!("{indentation}{command}"),
            format!("{indentation}    {explanation}"),
        ];
    }
    let mut lines = vec![String::new()];
    for word in command.split(' ') {
        let last = lines.last_mut().expect("one line at least");
        let is_first = last.is_empty();
        if is_first {
            *last = format!("{indentation}{word}");
        } else if last.len() + word.len() + " ".len() + " \\".len() <= WIDTH {
            *last = format!("{last} {word}");
        } else {
            last.push_str(" \\");
            lines.push(format!("{indentation}    {word}"));
        }
    }
    lines
}

/// Adds the exit statuses: two for clients' verbs, more for commands. A command with a text about its statuses explains all but
/// that of wrong arguments.
fn add_exit_statuses(command: &Command, has_own_statuses: bool, roff: &mut Roff) {
    let typed = command.get_bin_name().unwrap_or_default();
    let mut verbs = VERBS.iter();
    let is_verb = verbs.any(|verb| typed == format!("{PROGRAM} {}", verb.name));
    let statuses = match (is_verb, has_own_statuses) {
        (true, _) => &EXIT_STATUSES[..2],
        (false, true) => &EXIT_STATUSES[2..3],
        (false, false) => &EXIT_STATUSES[..],
    };
    for (status, meaning) in statuses {
        roff.control("TP", []);
        roff.text([bold(status.to_string())])
            .text([roman(*meaning)]);
    }
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
    fn every_page_is_listed_on_its_parent_page() {
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
    fn a_command_has_every_exit_status_and_a_verb_two() {
        for (name, count) in [("token-list", 4), ("status", 1), ("get", 2), ("token", 0)] {
            let text = page(&format!("docker-credential-icr-{name}.1"));
            let (_, statuses) = text.split_once("EXIT STATUS").unwrap_or_default();
            assert_eq!(statuses.matches(".TP").count(), count, "{name}");
        }
    }

    #[test]
    fn the_first_line_of_every_page_fits_into_eighty_columns() {
        for page in all().unwrap() {
            let width = first_line(&title(&page.name), manual_beside(&page.name));
            assert!(width <= WIDTH_OF_TERMINAL, "{}", page.name);
        }
    }

    #[test]
    fn names_in_a_description_are_a_list() {
        let text = page("docker-credential-icr-print.1");
        assert!(
            text.contains(".TP\n\\fBvalue\\fR\nonly the password\n"),
            "{text}"
        );
    }

    #[test]
    fn the_synopsis_names_values() {
        let text = page("docker-credential-icr-print.1");
        assert!(text.contains(r"[\fB\-\-format\fR \fIFORMAT\fR]"), "{text}");
        assert!(text.contains(r" \fIREGISTRY\fR"), "{text}");
        let text = page("docker-credential-icr-configure.1");
        assert!(
            text.contains(r"[\fB\-\-registry\fR \fIREGISTRY\fR...]"),
            "{text}"
        );
    }

    #[test]
    fn lines_that_are_not_filled_fit_into_eighty_columns() {
        for page in all().unwrap() {
            let text = String::from_utf8(page.content).unwrap();
            for part in text.split(".nf\n").skip(1) {
                let (lines, _) = part.split_once(".fi\n").unwrap();
                for line in lines.lines() {
                    let line = line
                        .replace(r"\-", "-")
                        .replace(r"\*(Aq", "'")
                        .replace(r"\\", "\\");
                    assert!(line.len() <= WIDTH, "{}: {line}", page.name);
                }
            }
        }
    }

    #[test]
    fn a_long_command_goes_on_after_a_backslash() {
        let lines = wrapped(&format!("  print {} | kubectl apply", "x".repeat(60)));
        assert_eq!(
            lines,
            [
                format!("  print {} | \\", "x".repeat(60)),
                "      kubectl apply".into()
            ]
        );
        let lines = wrapped(&format!("  configure {}   adds it", "x".repeat(60)));
        assert_eq!(
            lines,
            [
                format!("  configure {}", "x".repeat(60)),
                "      adds it".into()
            ]
        );
    }

    #[test]
    fn each_exit_status_is_explained_once() {
        let text = page("docker-credential-icr-doctor.1");
        assert_eq!(text.matches(".SH \"EXIT STATUS\"").count(), 1);
        assert!(!text.contains("Success."), "{text}");
    }

    #[test]
    fn no_page_refers_to_a_file_that_is_not_installed() {
        for page in all().unwrap() {
            let text = String::from_utf8(page.content).unwrap();
            assert!(!text.contains(".md"), "{}", page.name);
        }
    }

    #[test]
    fn examples_keep_their_lines() {
        let text = page("docker-credential-icr-settings.1");
        assert!(text.contains(".SH EXAMPLES\n.nf\n"), "{text}");
    }
}
