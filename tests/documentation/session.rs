//! The picture of a terminal session, `docs/session.svg`, drawn from the output of the program with the emulator.
//!
//! `docs/draw-session` renews it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use expect_test::expect_file;
use regex::Regex;

use crate::machine::KEY;
use crate::support::TestEnv;
use crate::support::screen;
use crate::terminal;

/// The commands of the session, after the name of the program. After the second, the client's file is shown.
const COMMANDS: [&str; 3] = [
    "login",
    "configure --registry us.icr.io de.icr.io",
    "status us.icr.io",
];

/// Texts that vary, with what the picture shows instead.
const VARIATIONS: [(&str, &str); 2] = [
    (
        r"\d+ s old, expires in \d+ min",
        "2 s old, expires in 59 min",
    ),
    (r"/tmp/\.tmp\w+", ""),
];

/// The size of a character and of the margin, in pixels.
const SIZE: [usize; 2] = [8, 19];
const MARGIN: usize = 16;

#[test]
fn the_picture_of_a_session_is_current() {
    let Some(text) = session() else { return };
    expect_file!["../../docs/session.svg"].assert_eq(&picture(&text));
}

/// Returns the commands and what they show, with styles in braces; `None` without the kernel keyring.
fn session() -> Option<String> {
    let mut env = TestEnv::with_keychain()?;
    env.add_api_key(KEY, "ana");
    let bin = env.path("bin");
    fs::create_dir(&bin).expect("a new directory");
    symlink(
        env!("CARGO_BIN_EXE_docker-credential-icr"),
        bin.join("docker-credential-icr"),
    )
    .expect("a new directory");
    for client in ["docker", "podman"] {
        symlink("/bin/true", bin.join(client)).expect("a new directory");
    }
    // Without the machine's programs, which `configure` would find.
    let authfile = env.path("home/.config/containers/auth.json");
    env.set("PATH", bin)
        .set("TERM", "xterm")
        .set("REGISTRY_AUTH_FILE", authfile);
    env.file("home/.docker/config.json", "{}\n");
    let mut text = String::new();
    for arguments in COMMANDS {
        let command = format!("docker-credential-icr {arguments}");
        let mut shell = Command::new("/bin/bash");
        shell.args(["-c", &terminal::script(&command)]);
        env.apply_to(&mut shell);
        let written = terminal::shown(shell, KEY, &command);
        let _ = writeln!(
            text,
            "{{bold}}$ {command}{{}}\n{}",
            screen::seen(&written, terminal::COLUMNS)
        );
        if arguments.starts_with("configure") {
            let file = fs::read_to_string(env.path("home/.docker/config.json")).expect("a file");
            let _ = writeln!(
                text,
                "{{bold}}$ cat ~/.docker/config.json{{}}\n{}\n",
                file.trim_end()
            );
        }
    }
    for secret in env.secrets().iter() {
        assert!(!text.contains(secret), "{secret} is shown");
    }
    let text = VARIATIONS.iter().fold(text, |text, (pattern, shown)| {
        let pattern = Regex::new(pattern).expect("a pattern");
        pattern.replace_all(&text, *shown).into_owned()
    });
    let tab = " ".repeat(8);
    Some(text.replace("/home/", "/home/ana/").replace('\t', &tab))
}

/// Returns the text as SVG. A style is a class: `bold`, or the name of a color.
fn picture(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let width = usize::from(terminal::COLUMNS) * SIZE[0] + 2 * MARGIN;
    let height = lines.len() * SIZE[1] + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <style>text {{ font: 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d4d4d4; white-space: pre }} \
         .bold {{ font-weight: bold; fill: #fff }} .red {{ fill: #f48771 }} .green {{ fill: #89d185 }} .yellow {{ fill: #e5c07b }}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1e1e1e\"/>\n"
    );
    for (row, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let y = MARGIN + row * SIZE[1] + 13;
        let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{y}\">{}</text>", spans(line));
    }
    svg + "</svg>\n"
}

/// Returns a line with its styles as `tspan`s.
fn spans(line: &str) -> String {
    let escaped = line.replace('&', "&amp;").replace('<', "&lt;");
    let style = Regex::new(r"\{([a-z ]*)\}").expect("a pattern");
    let mut is_open = false;
    let spans = style.replace_all(&escaped, |style: &regex::Captures<'_>| {
        let close = if is_open { "</tspan>" } else { "" };
        is_open = !style[1].is_empty();
        let open = if is_open {
            format!("<tspan class=\"{}\">", &style[1])
        } else {
            String::new()
        };
        close.to_owned() + &open
    });
    let end = if is_open { "</tspan>" } else { "" };
    spans.into_owned() + end
}
