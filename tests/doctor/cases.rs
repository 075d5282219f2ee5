//! The cases of `tests/cases/doctor`, whose README.md says how to add one.

use std::fs;

use serde_json::Value;

use crate::healthy_env::HealthyMachine;
use crate::support::case_directories;
use crate::support::with_slashes;

#[expect(clippy::print_stdout, reason = "it names the case that fails")]
#[test]
fn every_case_of_dockers_file_is_reported_as_expected() {
    let healthy = HealthyMachine::new();
    for case in case_directories("doctor") {
        // Shown if the case fails.
        println!("case {}", case.display());
        let config = fs::read(case.join("config.json")).expect("config.json");
        healthy.docker("{}");
        fs::write(healthy.env.path("home/.docker/config.json"), config).expect("it is writable");
        let (diagnostics, _) = healthy.diagnostics();
        let findings = fs::read_to_string(case.join("findings.txt")).expect("findings.txt");
        for finding in findings.split("\n\n") {
            check(finding, &diagnostics);
        }
    }
}

fn check(finding: &str, diagnostics: &[Value]) {
    let mut lines = finding.lines();
    let first = lines.next().expect("a verdict and a check");
    let (verdict, check) = first.split_once(' ').expect("a verdict and a check");
    let of_check = diagnostics.iter().filter(|it| it["check"] == check);
    if verdict == "no" {
        let found: Vec<&Value> = of_check.filter(|it| it["verdict"] != "ok").collect();
        assert!(found.is_empty(), "{found:#?}");
        return;
    }
    let parts: Vec<&str> = lines.collect();
    let found = of_check.filter(|it| it["verdict"] == verdict).any(|it| {
        let word = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let text = format!("{} fix: {}", word("message"), word("fix"));
        let text = with_slashes(&text);
        let has = |part: &&str| text.contains(&*with_slashes(part));
        parts.iter().all(has)
    });
    assert!(found, "`{finding}` is missing: {diagnostics:#?}");
}
