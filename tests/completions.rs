//! `completions` prints the files of `install/completions`.

mod support;

use std::fs;
use std::path::Path;

use support::Input;
use support::TestEnv;

/// The shells with their files.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "docker-credential-icr.bash"),
    ("elvish", "docker-credential-icr.elv"),
    ("fish", "docker-credential-icr.fish"),
    ("powershell", "_docker-credential-icr.ps1"),
    ("zsh", "_docker-credential-icr"),
];

#[test]
fn each_shell_gets_its_file() {
    let env = TestEnv::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("install/completions");
    for (shell, file) in SHELLS {
        let expected = fs::read_to_string(directory.join(file)).expect("a generated file");
        let outcome = env.run(&["completions", shell], Input::Open);
        assert!(outcome.stdout == expected, "{shell}");
        assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    }
    let files = fs::read_dir(directory).expect("a directory").count();
    assert_eq!(files, SHELLS.len(), "each file can be printed");
}

#[test]
fn a_shell_must_be_named() {
    let env = TestEnv::new();
    env.run(&["completions"], Input::Open)
        .is_usage_error(&["completions bash"]);
    env.run(&["completions", "tcsh"], Input::Open)
        .is_usage_error(&["'tcsh'", "bash, elvish, fish, powershell, zsh"]);
    env.run(&["completion", "bash"], Input::Open)
        .is_unknown_command(&["Did you mean 'completions'?"]);
}
