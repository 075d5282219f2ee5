//! The list of tests that are not run under Wine: each of them exists.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Returns the sources of a test program: those of the program itself for its unit tests.
fn sources(program: &str) -> Vec<PathBuf> {
    if program == "docker_credential_icr" {
        return vec![PathBuf::from("src")];
    }
    let tests = Path::new("tests");
    vec![tests.join(program), tests.join(format!("{program}.rs"))]
}

fn text_below(path: &Path) -> String {
    let Ok(entries) = fs::read_dir(path) else {
        return fs::read_to_string(path).unwrap_or_default();
    };
    let paths = entries.map(|entry| entry.expect("a readable directory").path());
    paths.map(|path| text_below(&path)).collect()
}

#[test]
fn each_test_that_is_not_run_under_wine_exists() {
    let list = fs::read_to_string("tests/windows-skipped.txt").expect("the list");
    let is_other =
        |line: &str| line.is_empty() || line.starts_with('#') || line.starts_with("reason: ");
    for line in list.lines().filter(|line| !is_other(line)) {
        let (program, test) = line.split_once(' ').expect("a program and a test");
        let name = test.rsplit("::").next().unwrap_or(test);
        let text: String = sources(program)
            .iter()
            .map(|path| text_below(path))
            .collect();
        assert!(
            text.contains(&format!("fn {name}()")),
            "no such test: {line}"
        );
    }
}
