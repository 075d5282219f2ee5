//! Which program clients find on the PATH.

use std::fs;
use std::path::Path;

use crate::healthy_env::HealthyMachine;
use crate::support;
use crate::support::set_mode;

/// Writes a shell script.
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("the directory is writable"))
        .expect("the directory is writable");
    support::write_executable(format!("#!/bin/sh\n{text}\n").as_bytes(), path);
}

#[test]
fn another_program_of_the_same_name_on_the_path_is_reported() {
    let mut healthy = HealthyMachine::new();
    let own = healthy.env.path("bin");
    healthy.reports("path", "ok", &["/bin/docker-credential-icr"]);
    healthy.env.set("PATH", "/nowhere");
    healthy.reports(
        "path",
        "problem",
        &["cannot find docker-credential-icr", "export PATH="],
    );
    let other = healthy.env.path("other");
    let program = other.join("docker-credential-icr");
    let path = format!("{}:{}", other.display(), own.display());
    healthy.env.set("PATH", &path);
    script(&program, "echo docker-credential-icr 0.1.0");
    healthy.reports(
        "path",
        "problem",
        &[
            "different program",
            "Remove",
            "/other/docker-credential-icr",
        ],
    );
    script(
        &program,
        "echo 'docker-credential-icr (docker-credential-icr) 0.0.1'",
    );
    healthy.reports("path", "warning", &["another version of this program"]);
    set_mode(&program, 0o644);
    healthy.reports("path", "ok", &["/bin/docker-credential-icr"]);
}

#[test]
fn a_login_shell_that_does_not_find_the_program_is_reported() {
    let mut healthy = HealthyMachine::new();
    healthy.env.set("SHELL", "/bin/sh");
    healthy.reports(
        "login-shell",
        "warning",
        &[
            "does not find",
            "Add to ~/.profile: export PATH=",
            "/bin:$PATH",
        ],
    );
    let own = healthy.env.path("bin").display().to_string();
    let profile = format!("echo Welcome\nPATH=\"{own}:$PATH\"\n");
    healthy.env.file("home/.profile", &profile);
    healthy.reports("login-shell", "ok", &["/bin/docker-credential-icr"]);
    // The background process holds the shell's output open until something is written to the pipe.
    let pipe = healthy.env.path("pipe");
    let background = format!("mkfifo {0}; cat {0} &\n{profile}", pipe.display());
    healthy.env.file("home/.profile", &background);
    let (diagnostics, _) = healthy.diagnostics();
    // Opened for reading, too: opening does not block if the background process does not exist.
    let mut pipe = fs::File::options();
    pipe.read(true)
        .write(true)
        .open(healthy.env.path("pipe"))
        .unwrap();
    let login_shell = diagnostics.iter().find(|it| it["check"] == "login-shell");
    assert_eq!(login_shell.map(|it| &it["verdict"]), Some(&"ok".into()));
}
