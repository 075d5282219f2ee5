//! The output of commands, in a pipe or on the screen of a terminal.

use std::fmt::Write as _;
use std::num::NonZero;
use std::process::Command;
use std::process::Stdio;

use rexpect::session::PtySession;
use rexpect::session::spawn_command;

use super::Input;
use super::TestEnv;

/// The height of the terminal: more lines than any command writes.
const ROWS: u16 = 500;

/// The maximum wait for an expected output, in milliseconds.
const TIMEOUT: u64 = 30_000;

/// The text that the shell at a terminal writes after each command, before its exit status.
const STATUS: &str = "exit status ";

/// The arguments of a command, and the input typed at a terminal: the expected prompts with their answers.
pub(crate) type Typed<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Where commands run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Screen {
    /// No terminal.
    Pipe,
    /// A terminal with this many columns.
    Terminal(u16),
}

impl Screen {
    /// Returns the output of each command, and its exit status in brackets.
    ///
    /// Lines are those that the program writes, even if a terminal breaks them. Styles are in braces: `{bold}…{}`. In a pipe, lines
    /// of stderr are marked.
    pub(crate) fn shows(self, env: &TestEnv, commands: &[Typed<'_>]) -> Vec<String> {
        let shown = match self {
            Self::Pipe => commands
                .iter()
                .map(|(command, _)| in_a_pipe(env, command))
                .collect(),
            Self::Terminal(columns) => at_a_terminal(env, commands, columns),
        };
        for secret in env.secrets().iter() {
            let seen = shown.iter().find(|shown| shown.contains(secret));
            assert_eq!(seen, None, "{secret} is shown");
        }
        shown
    }
}

fn in_a_pipe(env: &TestEnv, command: &str) -> String {
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let outcome = env.run(&arguments, Input::Open);
    let errors = outcome.stderr.lines();
    let errors: String = errors.map(|line| format!("stderr: {line}\n")).collect();
    let status = outcome.status.expect("no signal ended it");
    format!("{}{errors}[{status}]\n", outcome.stdout)
}

fn at_a_terminal(env: &TestEnv, commands: &[Typed<'_>], columns: u16) -> Vec<String> {
    let mut session = start(env, commands, columns);
    let mut written = String::new();
    for (expected, answer) in commands.iter().flat_map(|(_, typed)| *typed) {
        written += &session.exp_string(expected).expect(expected);
        written += expected;
        session.send_line(answer).expect("an open terminal");
    }
    written += &session.exp_eof().expect("an end");
    let mut parts = written.split(STATUS);
    let mut part = parts.next();
    let mut shown = Vec::new();
    for next in parts {
        let (status, rest) = next.split_once("\r\n").expect("a whole line");
        let text = seen(part.unwrap_or_default(), columns);
        shown.push(format!("{text}[{status}]\n"));
        part = Some(rest);
    }
    shown
}

/// Starts the program at a terminal with echo, which the shell's first line tests.
pub(crate) fn dialog(env: &TestEnv, arguments: &[&str]) -> PtySession {
    let program = env.command(&[]);
    let mut shell = Command::new("/bin/sh");
    shell
        .args([
            "-c",
            "PATH=/usr/bin:/bin stty echo && echo ready && read line && exec \"$0\" \"$@\"",
        ])
        .arg(program.get_program())
        .args(arguments);
    env.apply_to(&mut shell);
    shell.env("TERM", "xterm").stdout(Stdio::inherit());
    let mut session = spawn_command(shell, Some(TIMEOUT)).expect("a terminal");
    session.exp_string("ready").expect("the shell");
    session
        .send_line("this-is-shown")
        .expect("an open terminal");
    session.exp_string("this-is-shown").expect("an echo");
    session
}

/// Starts the commands at a terminal, one after the other.
fn start(env: &TestEnv, commands: &[Typed<'_>], columns: u16) -> PtySession {
    let program = env.command(&[]);
    let mut script = format!("PATH=/usr/bin:/bin stty echo cols {columns} rows {ROWS}");
    for (command, _) in commands {
        let _ = write!(script, "\n\"$0\" {command}; echo \"{STATUS}$?\"");
    }
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &script]).arg(program.get_program());
    env.apply_to(&mut shell);
    // Its output goes to the terminal.
    shell.stdout(Stdio::inherit());
    spawn_command(shell, Some(TIMEOUT)).expect("a terminal")
}

/// Returns what a terminal shows of the written bytes, each of which is one character here.
pub(crate) fn seen(written: &str, columns: u16) -> String {
    let size = [ROWS, columns].map(|size| NonZero::new(size).expect("a terminal with room"));
    let mut terminal = vt100::Parser::new(size[0], size[1], 0);
    let bytes: Vec<u8> = written.chars().map(|byte| byte as u8).collect();
    terminal.process(&bytes);
    text_of(terminal.screen())
}

/// Returns the lines of a screen, with marks where a style begins and ends.
fn text_of(screen: &vt100::Screen) -> String {
    let (_, columns) = screen.size();
    let (last, _) = screen.cursor_position();
    let mut text = String::new();
    for row in 0..=last {
        let mut line = String::new();
        let mut style = String::new();
        for cell in (0..columns.get()).filter_map(|column| screen.cell(row, column)) {
            let of_cell = style_of(cell);
            if of_cell != style {
                let _ = write!(line, "{{{of_cell}}}");
                style = of_cell;
            }
            // A cell without content is a space.
            let character = if cell.has_contents() {
                cell.contents()
            } else {
                " "
            };
            line.push_str(character);
        }
        if screen.row_wrapped(row) {
            text.push_str(&line);
        } else {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    match text.trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}

fn style_of(cell: &vt100::Cell) -> String {
    let color = match cell.fgcolor() {
        vt100::Color::Default => None,
        vt100::Color::Idx(1) => Some("red"),
        vt100::Color::Idx(2) => Some("green"),
        vt100::Color::Idx(3) => Some("yellow"),
        vt100::Color::Idx(6) => Some("cyan"),
        _ => Some("another color"),
    };
    let bold = cell.bold().then_some("bold");
    let styles: Vec<&str> = bold.into_iter().chain(color).collect();
    styles.join(" ")
}
