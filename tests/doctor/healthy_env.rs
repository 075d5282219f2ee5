//! A machine without problems, and what `doctor` reports on it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::ENVIRONMENT_KEY;
use crate::support::Input;
use crate::support::Outcome;
use crate::support::TestEnv;
use crate::support::with_slashes;

/// A machine without problems: the program on the PATH, an API key, and docker configured for a registry on loopback.
pub(crate) struct HealthyMachine {
    pub(crate) env: TestEnv,
    pub(crate) registry: String,
}

impl HealthyMachine {
    pub(crate) fn new() -> Self {
        Self::on(TestEnv::with_environment_key())
    }

    pub(crate) fn on(env: TestEnv) -> Self {
        let mut env = env.with_registry();
        let bin = env.path("bin");
        fs::create_dir(&bin).expect("the directory is writable");
        link(&bin);
        env.set("PATH", bin);
        env.add_api_key(ENVIRONMENT_KEY, "environment");
        let [registry, _] = env.registries();
        let healthy = Self { env, registry };
        healthy.docker(&format!(
            "{{\"credHelpers\": {{\"{}\": \"icr\"}}}}",
            healthy.registry
        ));
        healthy
    }

    /// Writes docker's file.
    pub(crate) fn docker(&self, text: &str) {
        fs::create_dir_all(self.env.path("home/.docker")).expect("the directory is writable");
        self.env.file("home/.docker/config.json", text);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let mut all = vec!["doctor"];
        all.extend(arguments);
        self.env.run(&all, Input::Open)
    }

    /// Returns all diagnostics, and whether the command succeeded.
    pub(crate) fn diagnostics(&self) -> (Vec<Value>, bool) {
        let outcome = self.run(&["--json"]);
        let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let diagnostics = answer["diagnostics"].as_array().expect("a list").clone();
        for (verdict, key) in [("problem", "problem_count"), ("warning", "warning_count")] {
            let of_verdict = diagnostics.iter().filter(|it| it["verdict"] == verdict);
            assert_eq!(answer[key], of_verdict.count(), "{answer:#}");
        }
        (diagnostics, outcome.status == Some(0))
    }

    /// Asserts that a check has a diagnostic with this verdict and these parts of its text.
    #[track_caller]
    pub(crate) fn reports(&self, check: &str, verdict: &str, parts: &[&str]) {
        let (diagnostics, has_succeeded) = self.diagnostics();
        let diagnostic = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic["check"] == check)
            .find(|diagnostic| diagnostic["verdict"] == verdict);
        let diagnostic =
            diagnostic.unwrap_or_else(|| panic!("no {verdict} of {check}: {diagnostics:#?}"));
        let text = format!("{} fix: {}", diagnostic["message"], diagnostic["fix"]);
        let text = with_slashes(&text);
        for part in parts {
            assert!(
                text.contains(&*with_slashes(part)),
                "`{part}` is missing: {text}"
            );
        }
        assert!(verdict != "problem" || !has_succeeded, "{diagnostics:#?}");
    }

    #[track_caller]
    pub(crate) fn does_not_report(&self, check: &str) {
        let (diagnostics, _) = self.diagnostics();
        let diagnostic = diagnostics
            .iter()
            .find(|diagnostic| diagnostic["check"] == check);
        assert_eq!(diagnostic, None);
    }

    #[track_caller]
    pub(crate) fn has_no_problems(&self) {
        let (diagnostics, has_succeeded) = self.diagnostics();
        let problems: Vec<&Value> = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic["verdict"] == "problem")
            .collect();
        assert!(has_succeeded && problems.is_empty(), "{problems:#?}");
    }
}

#[cfg(unix)]
fn link(directory: &Path) {
    std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_docker-credential-icr"),
        directory.join("docker-credential-icr"),
    )
    .expect("the program exists");
}

#[cfg(not(unix))]
fn link(directory: &Path) {
    let name = format!("docker-credential-icr{}", std::env::consts::EXE_SUFFIX);
    fs::copy(
        env!("CARGO_BIN_EXE_docker-credential-icr"),
        directory.join(name),
    )
    .expect("the program exists");
}
