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
//! | `run: settings` | with the settings of the block before |
//! | `run: session` | with a session of the IBM Cloud CLI, which has logged in Docker |
//! | `run by: FILE` | this file of the tests runs it |
//! | `not run: REASON` | it cannot run, or there is nothing to run |
#![cfg(target_os = "linux")]

mod ci_job;
mod machine;
mod page;
mod runner;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod terminal;

use std::path::Path;

use machine::Machine;
use page::How;
use page::Page;
use runner::Runner;

/// The pages have at least this many blocks that run. If there are fewer, this test does not understand the pages any more.
const MIN_RUN: usize = 40;

/// The README has at most this many lines.
const MAX_README_LINES: usize = 180;

#[test]
fn each_block_runs_or_says_why_not() {
    let mut count = 0;
    for page in Page::all() {
        let mut runner = Runner::default();
        for block in page.blocks() {
            if !runner.run(&block) {
                return;
            }
            count += usize::from(matches!(block.how, How::Run(_)));
        }
    }
    assert!(count >= MIN_RUN, "only {count} blocks ran");
}

#[test]
fn the_machine_of_the_tests_needs_a_login() {
    let Some(machine) = Machine::create("") else {
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
