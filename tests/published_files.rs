//! What `cargo publish` takes: the program's source with its manual, completions and licences, and nothing else.

// Programs for Windows are tested without cargo.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use expect_test::expect;

/// Returns the files of the package, with one line for each directory that tests and the generator check.
fn published() -> String {
    let output = Command::new(env!("CARGO"))
        .args([
            "package",
            "--list",
            "--allow-dirty",
            "--locked",
            "--offline",
        ])
        .args(["--package", env!("CARGO_PKG_NAME")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let files = String::from_utf8(output.stdout).expect("UTF-8");
    let summary: BTreeSet<String> = files
        .lines()
        .map(|file| file.replace('\\', "/"))
        .map(|file| {
            let parts: Vec<&str> = file.split('/').collect();
            match parts.as_slice() {
                ["src", .., name] => format!("src/**/*.{}", extension(name)),
                ["install", directory, name] => {
                    format!("install/{directory}/*.{}", extension(name))
                }
                _ => file,
            }
        })
        // In the list of a clean repository only.
        .filter(|file| file != ".cargo_vcs_info.json")
        .collect();
    summary.into_iter().map(|line| line + "\n").collect()
}

fn extension(name: &str) -> &str {
    let extension = Path::new(name).extension().and_then(|it| it.to_str());
    extension.unwrap_or_default()
}

#[test]
fn only_the_program_its_documents_and_licences_are_published() {
    expect![[r#"
        CHANGELOG.md
        Cargo.lock
        Cargo.toml
        Cargo.toml.orig
        LICENSE-APACHE
        LICENSE-MIT
        README.md
        SECURITY.md
        build.rs
        install/commit.txt
        install/completions/*.
        install/completions/*.bash
        install/completions/*.elv
        install/completions/*.fish
        install/completions/*.ps1
        install/function-order.ld
        install/man/*.1
        src/**/*.rs
    "#]]
    .assert_eq(&published());
}
