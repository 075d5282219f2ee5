//! The hidden prompt restores the terminal however it ends, at a shell with job control.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use icr_emulator::Fault;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rexpect::session::PtySession;
use rexpect::session::spawn_command;

use support::Input;
use support::TestEnv;
use support::wait_until;

const KEY: &str = "HIDDEN-INPUT-KEY-7d1e";
const PROMPT: &str = "API key: ";

/// The time limit for each step, in milliseconds.
const TIMEOUT: u64 = 10_000;

/// A shell in which the command that prompts for a key was typed.
struct Person {
    env: TestEnv,
    session: PtySession,
    /// The shell's process id.
    shell: String,
    shown: String,
}

impl Person {
    fn at_the_prompt() -> Option<Self> {
        let mut person = Self::at_a_shell()?;
        person.type_command("\"$PROGRAM\" login --no-configure");
        person.sees(PROMPT);
        Some(person)
    }

    fn at_a_shell() -> Option<Self> {
        let env = TestEnv::with_keychain()?;
        env.add_api_key(KEY, "me");
        let mut shell = Command::new("/bin/sh");
        shell.arg("-i");
        env.apply_to(&mut shell);
        shell
            .env("PATH", "/usr/bin:/bin")
            .env("PROGRAM", env!("CARGO_BIN_EXE_docker-credential-icr"))
            .env("PS1", "ready> ")
            .env("TERM", "xterm")
            .stdout(Stdio::inherit());
        let session = spawn_command(shell, Some(TIMEOUT)).expect("a terminal");
        let mut person = Self {
            env,
            session,
            shell: String::new(),
            shown: String::new(),
        };
        person.sees("ready> ");
        // rexpect turns it off.
        person.type_command("stty echo; echo shell=$$=");
        let process = person
            .session
            .exp_regex("shell=[0-9]+=")
            .expect("a shell")
            .1;
        person.shell = process.split('=').nth(1).unwrap_or_default().to_owned();
        person.sees("ready> ");
        Some(person)
    }

    fn type_command(&mut self, command: &str) {
        self.session
            .send_line(command)
            .expect("the program reads input");
    }

    fn type_text(&mut self, text: &str) {
        self.session.send(text).expect("the program reads input");
        self.session.flush().expect("the program reads input");
    }

    fn type_control(&mut self, key: char) {
        self.session
            .send_control(key)
            .expect("the program reads input");
    }

    #[track_caller]
    fn sees(&mut self, text: &str) {
        let before = self.session.exp_string(text).expect(text);
        self.shown += &before;
        self.shown += text;
    }

    /// Asserts that the command ended with this status, and that the terminal shows input and sends signals again.
    #[track_caller]
    fn is_back_at_the_shell(&mut self, status: i32) {
        self.sees("ready> ");
        self.type_command("echo status=$?=");
        self.sees(&format!("status={status}="));
        self.sees("ready> ");
        self.has_a_usual_terminal();
    }

    #[track_caller]
    fn has_a_usual_terminal(&mut self) {
        self.type_command("stty -a; echo end-of-settings");
        self.sees("end-of-settings\r\n");
        let before = self.session.exp_string("end-of-settings").expect("stty");
        for setting in ["isig", "icanon", "echo", "echonl"] {
            let is_set = before.split_whitespace().any(|word| word == setting);
            assert_eq!(is_set, setting != "echonl", "{setting}: {before}");
        }
        self.sees("ready> ");
    }

    /// Returns the process that prompts, a child of the shell.
    fn program(&self) -> Pid {
        let processes = fs::read_dir("/proc").expect("Linux").flatten();
        let child = processes.into_iter().find_map(|process| {
            let status = fs::read_to_string(process.path().join("stat")).ok()?;
            let parent = status.rsplit(") ").next()?.split(' ').nth(1)?;
            let id = process.file_name().to_str()?.parse().ok()?;
            (parent == self.shell).then_some(id)
        });
        Pid::from_raw(child.expect("it runs"))
    }

    fn send(&self, signal: Signal) {
        nix::sys::signal::kill(self.program(), signal).expect("it runs");
    }

    /// Asserts that the typed key logs in and is not shown.
    #[track_caller]
    fn is_logged_in(&mut self) {
        self.sees("Logged in to");
        self.is_back_at_the_shell(0);
        assert_eq!(self.env.get("us.icr.io").is_token_of(), "IBMid-me");
        assert!(!self.shown.contains(KEY), "{}", self.shown);
    }
}

/// A shell with job control ignores what rexpect sends to end it.
impl Drop for Person {
    fn drop(&mut self) {
        if let Ok(shell) = self.shell.parse() {
            let _ = nix::sys::signal::kill(Pid::from_raw(shell), Signal::SIGKILL);
        }
    }
}

#[test]
fn the_interrupt_key_ends_the_prompt() {
    let Some(mut person) = Person::at_the_prompt() else {
        return;
    };
    person.type_text("half-a-key");
    person.type_control('c');
    person.is_back_at_the_shell(130);
    assert!(!person.shown.contains("half-a-key"), "{}", person.shown);
}

#[test]
fn a_signal_ends_the_prompt() {
    for (signal, status) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGHUP, 129),
        (Signal::SIGINT, 130),
        (Signal::SIGQUIT, 131),
    ] {
        let Some(mut person) = Person::at_the_prompt() else {
            return;
        };
        person.type_text("half-a-key");
        person.send(signal);
        person.is_back_at_the_shell(status);
        assert!(!person.shown.contains("half-a-key"), "{}", person.shown);
    }
}

#[test]
fn after_the_stop_key_the_prompt_starts_again() {
    let Some(mut person) = Person::at_the_prompt() else {
        return;
    };
    for _ in 0..2 {
        person.type_text("half-a-key");
        person.type_control('z');
        person.sees("ready> ");
        person.has_a_usual_terminal();
        person.type_command("fg");
        person.sees(PROMPT);
    }
    person.type_command(KEY);
    person.is_logged_in();
}

#[test]
fn after_an_uncatchable_stop_the_answer_is_hidden_again() {
    let Some(mut person) = Person::at_the_prompt() else {
        return;
    };
    person.send(Signal::SIGSTOP);
    person.sees("ready> ");
    person.type_command("fg");
    person.sees(PROMPT);
    person.type_command(KEY);
    person.is_logged_in();
}

#[test]
fn a_stopped_prompt_can_be_ended() {
    let Some(mut person) = Person::at_the_prompt() else {
        return;
    };
    person.type_control('z');
    person.sees("ready> ");
    person.type_command("kill %1; fg");
    person.is_back_at_the_shell(143);
}

#[test]
fn in_the_background_the_prompt_waits_for_the_terminal() {
    let Some(mut person) = Person::at_a_shell() else {
        return;
    };
    person.type_command("\"$PROGRAM\" login --no-configure &");
    person.sees("ready> ");
    person.has_a_usual_terminal();
    person.type_command("fg");
    person.sees(PROMPT);
    person.type_command(KEY);
    person.is_logged_in();
}

#[test]
fn editing_keys_edit_the_answer() {
    let Some(mut person) = Person::at_the_prompt() else {
        return;
    };
    person.type_text("wrong");
    person.type_control('u');
    person.type_text("X\u{7f}");
    person.type_command(KEY);
    person.is_logged_in();
}

#[test]
fn a_long_answer_is_read_completely() {
    let Some(mut person) = Person::at_the_prompt() else {
        return;
    };
    let key = "LONG-".repeat(1600);
    person.env.add_api_key(&key, "me");
    for part in key.as_bytes().chunks(500) {
        person.type_text(std::str::from_utf8(part).expect("ASCII"));
    }
    person.type_command("");
    person.sees("Logged in to");
    person.is_back_at_the_shell(0);
    assert!(!person.shown.contains("LONG-"), "{}", person.shown);
}

#[test]
fn after_the_answer_the_interrupt_key_ends_the_command() {
    let Some(mut person) = Person::at_the_prompt() else {
        return;
    };
    person
        .env
        .cloud
        .script([Fault::Delay(Duration::from_secs(15))]);
    person.type_command(KEY);
    wait_until("a question to IAM", || person.env.cloud.exchanges() == 1);
    person.type_control('c');
    person.is_back_at_the_shell(130);
    let list = person.env.run(&["list"], Input::Bytes(b""));
    list.is_list(&[]);
}
