//! Is the documentation true? Each block of README.md, docs/ and the pages beside README.md is run, or a comment above it says
//! why not; links and names of files lead to what exists; the picture of a session is current.
//!
//! A block of commands runs in a shell, on a machine with the default login and with Docker and Podman configured. Settings are
//! loaded, JSON and YAML are parsed, clients' files are used for a pull, and the commands in definitions of CI jobs run with an
//! API key in the environment. An HTML comment on the line above a block changes that:
//!
//! | comment | meaning |
//! |---|---|
//! | `run: terminal` | at a terminal, where all questions are answered |
//! | `run: new machine` | without a login and without configured clients |
//! | `run: continued` | on the machine of the block before |
//! | `run: key` | with an API key in the environment |
//! | `run: session` | with a session of the IBM Cloud CLI, which has logged in Docker |
//! | `run by: FILE` | this file of the tests runs it |
//! | `not run: REASON` | it cannot run, or there is nothing to run |
#![cfg(target_os = "linux")]

mod ci_job;
mod machine;
mod page;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod terminal;

use std::fs;
use std::path::Path;

use serde_json::Value;

use ci_job::shell_parts;
use machine::Machine;
use page::Block;
use page::Condition;
use page::How;
use page::Page;
use support::TestEnv;

/// The pages have at least this many blocks that run. If there are fewer, this test does not understand the pages any more.
const MIN_RUN: usize = 40;

/// The README has at most this many lines.
const MAX_README_LINES: usize = 180;

#[test]
fn each_block_runs_or_says_why_not() {
    let mut count = 0;
    for page in Page::all() {
        let mut machine = None;
        for block in page.blocks() {
            match &block.how {
                How::NotRun => {}
                How::RunBy(file) => is_run_by(&block, file),
                How::Run(conditions) => {
                    if !run(&block, conditions, &mut machine) {
                        return;
                    }
                    count += 1;
                }
            }
        }
    }
    assert!(count >= MIN_RUN, "only {count} blocks ran");
}

/// Checks that the file contains the name of the first program in the block.
fn is_run_by(block: &Block, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let content =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {file}: {error}", block.place));
    let words = block.text.split_whitespace();
    let program = words
        .map(|word| word.trim_start_matches("./"))
        .find(|word| !matches!(*word, "sudo" | "nice"))
        .unwrap_or_default();
    assert!(
        content.contains(program),
        "{}: {file} does not run {program}",
        block.place
    );
}

/// Runs a block. Returns `false` if this system has no keychain for it.
fn run(block: &Block, conditions: &[Condition], machine: &mut Option<Machine>) -> bool {
    match block.language.as_str() {
        "sh" => return run_commands(block, conditions, machine),
        "json" => return use_json(block, machine),
        "toml" => load_settings(block),
        "groovy" | "yaml" => return run_job(block, machine),
        language => panic!(
            "{}: a block in '{language}' is neither run nor marked",
            block.place
        ),
    }
    true
}

fn run_commands(block: &Block, conditions: &[Condition], machine: &mut Option<Machine>) -> bool {
    if !conditions.contains(&Condition::Continued) {
        // The kernel keyring has room for one machine.
        *machine = None;
        *machine = Machine::create();
    }
    let Some(machine) = machine else { return false };
    let is_prepared = [Condition::Continued, Condition::NewMachine];
    if !conditions
        .iter()
        .any(|condition| is_prepared.contains(condition))
    {
        machine.log_in_and_configure();
    }
    if conditions.contains(&Condition::Session) {
        machine.log_in_with_the_cli();
    }
    let key = [("IBMCLOUD_API_KEY", machine::KEY)];
    let variables = if conditions.contains(&Condition::Key) {
        &key[..]
    } else {
        &[]
    };
    if conditions.contains(&Condition::Terminal) {
        machine.type_commands(block);
    } else {
        machine.run(&block.place, &block.text, variables);
    }
    true
}

/// Parses JSON. A client's file is used for a pull.
fn use_json(block: &Block, machine: &mut Option<Machine>) -> bool {
    let value: Value = serde_json::from_str(&block.text)
        .unwrap_or_else(|error| panic!("{}: {error}", block.place));
    if value.get("credHelpers").is_none() {
        return true;
    }
    *machine = None;
    *machine = Machine::create();
    let Some(machine) = machine else { return false };
    machine.log_in();
    machine.write_docker_file(&block.text);
    machine.run(&block.place, "docker pull us.icr.io/NAMESPACE/IMAGE", &[]);
    true
}

fn load_settings(block: &Block) {
    let env = TestEnv::new();
    env.settings(&block.text);
    let outcome = env.run(&["settings"], "");
    assert_eq!(outcome.status, Some(0), "{}: {outcome:?}", block.place);
}

/// Runs the commands of a CI job on a machine that has only an API key in the environment.
fn run_job(block: &Block, machine: &mut Option<Machine>) -> bool {
    let commands = shell_parts(block);
    if commands.is_empty() {
        return true;
    }
    *machine = None;
    *machine = Machine::create();
    let Some(machine) = machine else { return false };
    for part in commands {
        machine.run_in_ci(&block.place, &part);
    }
    true
}

#[test]
fn the_machine_of_the_tests_needs_a_login() {
    let Some(machine) = Machine::create() else {
        return;
    };
    let outcome = machine.outcome("docker pull us.icr.io/NAMESPACE/IMAGE", &[]);
    assert!(!outcome.status.success(), "{outcome:?}");
    machine.log_in_and_configure();
    machine.run("this test", "docker pull us.icr.io/NAMESPACE/IMAGE", &[]);
    machine.run("this test", "docker-credential-icr logout --all", &[]);
    let outcome = machine.outcome("docker pull us.icr.io/NAMESPACE/IMAGE", &[]);
    assert!(!outcome.status.success(), "{outcome:?}");
}

#[test]
fn each_link_leads_to_a_page_and_a_heading() {
    for page in Page::all() {
        for (place, link) in page.links() {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                page.path.clone()
            } else {
                page.directory().join(path)
            };
            assert!(target.exists(), "{place}: {link} does not exist");
            if !anchor.is_empty() {
                let anchors = Page::read(target).anchors();
                assert!(
                    anchors.contains(anchor),
                    "{place}: {link}: no such heading among {anchors:?}"
                );
            }
        }
    }
}

#[test]
fn each_file_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in Page::all() {
        for (place, name) in page.named_files() {
            assert!(root.join(&name).exists(), "{place}: {name} does not exist");
        }
    }
}

#[test]
fn each_page_is_in_the_index_of_the_readme() {
    let pages = Page::all();
    let readme = &pages[0];
    let links: Vec<String> = readme.links().into_iter().map(|(_, link)| link).collect();
    for page in &pages[1..] {
        let name = page.name();
        assert!(links.contains(&name), "README.md has no link to {name}");
    }
}

#[test]
fn the_readme_is_short() {
    let count = Page::all()[0].text.lines().count();
    assert!(count <= MAX_README_LINES, "{count} lines");
}
