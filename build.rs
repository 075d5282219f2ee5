//! What `version --json` shows: the target, and for releases the commit. And options for the linker of release binaries on
//! Linux. A start costs little if few pages of memory are touched; `docs/performance.md` says what each option brings.
//!
//! No option is required: each one is tried with a small program first, and left out if the linker, the C library or the
//! machine does not support it.
#![expect(
    clippy::disallowed_methods,
    reason = "cargo gives a build script its arguments as environment variables"
)]

use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// The order of functions in the binary.
const FUNCTION_ORDER: &str = "install/function-order.ld";

/// The `opt-level` of the profile `release`; the profiles that inherit from it have another one.
const RELEASE_OPT_LEVEL: &str = "s";

/// The variable for a file with the linker's map of the binary, which `install/function-order` reads.
const LINK_MAP: &str = "ICR_LINK_MAP";

/// The variable with the commit of a source that has neither a repository nor one of [`COMMIT_FILES`].
const COMMIT_VARIABLE: &str = "SOURCE_COMMIT";

/// The files with the commit: the first is in the source of a published crate, and `git archive` completes the second.
const COMMIT_FILES: [&str; 2] = [".cargo_vcs_info.json", "install/commit.txt"];

/// A program that needs a relocation, and fails without it.
const PROBE: &str = r#"
    static TEXTS: [&str; 2] = ["a", "b"];
    fn main() { assert_eq!(std::hint::black_box(&TEXTS)[1], "b"); }
"#;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={FUNCTION_ORDER}");
    println!("cargo::rerun-if-env-changed={LINK_MAP}");
    println!("cargo::rustc-env=ICR_TARGET={}", variable("TARGET"));
    if let Some(commit) = commit(Path::new(&variable("CARGO_MANIFEST_DIR"))) {
        println!("cargo::rustc-env=ICR_COMMIT={commit}");
    }
    if variable("CARGO_CFG_TARGET_OS") != "linux" || variable("PROFILE") != "release" {
        return;
    }
    let linker = Linker::of_this_build();
    let order = Path::new(&variable("CARGO_MANIFEST_DIR")).join(FUNCTION_ORDER);
    let order = order.display().to_string();
    let mut options = vec![
        ["-T", order.as_str()],
        // No page of the file is mapped twice, as code and as data.
        ["-z", "separate-code"],
    ];
    // Compact relocations have a thirtieth of the size, and each start reads them. musl knows them; of glibc, only the one
    // that runs the program tells.
    if linker.can_run() || variable("CARGO_CFG_TARGET_ENV") == "musl" {
        options.push(["-z", "pack-relative-relocs"]);
    }
    for option in options {
        let arguments = linker.arguments(&option);
        if linker.supports(&arguments) {
            link_with(&arguments);
        }
    }
    // Each shared library costs a start ten page faults, and these two are needed for a backtrace and a spinner. The profile
    // `demo` is a release without link-time optimization: it calls functions that the static libm does not have.
    if variable("CARGO_CFG_TARGET_ENV") == "gnu" && variable("OPT_LEVEL") == RELEASE_OPT_LEVEL {
        for library in ["gcc_eh", "m"] {
            let library = format!("static:-bundle={library}");
            if linker.supports(&["-l".to_owned(), library.clone()]) {
                println!("cargo::rustc-link-lib={library}");
            }
        }
    }
    if let Ok(map) = env::var(LINK_MAP) {
        // With names of functions, because valgrind reports their real addresses only then.
        link_with(&linker.arguments(&["--strip-debug", "--no-demangle", &format!("-Map={map}")]));
    }
}

/// Returns the commit that is built, as Git's hash, if it is known.
fn commit(directory: &Path) -> Option<String> {
    println!("cargo::rerun-if-env-changed={COMMIT_VARIABLE}");
    let given = env::var(COMMIT_VARIABLE).ok();
    let files = COMMIT_FILES.iter().filter_map(|name| {
        // A file that does not exist would run this script at each build.
        let text = std::fs::read_to_string(directory.join(name)).ok()?;
        println!("cargo::rerun-if-changed={name}");
        Some(text)
    });
    given
        .into_iter()
        .chain(files)
        .find_map(|text| hash_in(&text))
        .or_else(|| commit_of_repository(directory))
}

/// Returns the first hash of a commit in a text: 40 or 64 hexadecimal digits.
fn hash_in(text: &str) -> Option<String> {
    let mut words = text.split(|character: char| !character.is_ascii_alphanumeric());
    let is_hash = |word: &&str| {
        matches!(word.len(), 40 | 64) && word.chars().all(|digit| digit.is_ascii_hexdigit())
    };
    words.find(is_hash).map(str::to_lowercase)
}

/// Returns the commit of the repository that begins in this directory. Only for releases: other builds would start anew after
/// each commit.
fn commit_of_repository(directory: &Path) -> Option<String> {
    if variable("PROFILE") != "release" || !directory.join(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(arguments)
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // They change with each commit, and when another branch is checked out.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if directory.join(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    hash_in(&git(&["rev-parse", "HEAD"])?)
}

fn link_with(arguments: &[String]) {
    for argument in arguments {
        if let Some(argument) = argument.strip_prefix("-Clink-arg=") {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}

/// The linker that rustc uses for the binary.
struct Linker {
    /// Not a C compiler, which passes options on.
    is_bare: bool,
    probe: PathBuf,
}

impl Linker {
    fn of_this_build() -> Self {
        Self {
            is_bare: env::var("RUSTC_LINKER").is_ok_and(|linker| linker.ends_with("lld")),
            probe: Path::new(&variable("OUT_DIR")).join("probe"),
        }
    }

    /// Returns rustc's arguments for options of the linker.
    fn arguments(&self, options: &[&str]) -> Vec<String> {
        let options = options.iter().flat_map(|&option| {
            let prefix = (!self.is_bare).then_some("-Xlinker");
            prefix.into_iter().chain([option])
        });
        options
            .map(|option| format!("-Clink-arg={option}"))
            .collect()
    }

    /// Returns whether a program that is linked with these arguments of rustc works.
    fn supports(&self, arguments: &[String]) -> bool {
        let source = self.probe.with_extension("rs");
        let mut rustc = Command::new(variable("RUSTC"));
        rustc
            .args(["--crate-name", "probe", "--edition", "2024"])
            // As the program is linked, so that Zig builds its libraries once.
            .args(["-Cstrip=symbols", "--target"])
            .arg(variable("TARGET"))
            .args(variable("CARGO_ENCODED_RUSTFLAGS").split_terminator('\x1f'))
            .args(env::var("RUSTC_LINKER").map(|linker| format!("-Clinker={linker}")))
            .args(arguments)
            .arg("-o")
            .arg(&self.probe)
            .arg(&source);
        std::fs::write(&source, PROBE).is_ok()
            && is_successful(&mut rustc)
            && (!self.can_run() || is_successful(&mut Command::new(&self.probe)))
    }

    /// Returns whether this machine runs programs for the target.
    fn can_run(&self) -> bool {
        let processor = |target: &str| target.split('-').next().map(str::to_owned);
        processor(&variable("HOST")) == processor(&variable("TARGET"))
    }
}

fn is_successful(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns a variable that cargo sets for every build script.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
