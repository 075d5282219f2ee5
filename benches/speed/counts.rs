//! What does not depend on the machine's noise, compared with `bounds.txt`: system calls, instructions, page faults and
//! D-Bus calls of a hot `get`.

use std::path::Path;

use anyhow::Context as _;
use anyhow::ensure;

use crate::environment::Environment;
use crate::environment::Storage;
use crate::faults;
use crate::stopwatch::Program;

/// The bounds: `NAME: NUMBER` in each line.
const BOUNDS: &str = include_str!("../bounds.txt");

/// Prints the counts of a helper that is linked in this way (`static` or `dynamic`).
///
/// # Errors
/// A count is above its bound, or a program that counts is missing.
#[expect(
    clippy::print_stdout,
    reason = "the counts are the output of this program"
)]
pub(crate) fn check(
    environment: &Environment,
    smallest: &Path,
    linking: &str,
) -> anyhow::Result<()> {
    let least = faults::of(&environment.program(smallest, &[], "")?, environment)?;
    let mut exceeded = Vec::new();
    for (place, storage) in [
        ("kernel keyring", Storage::Kernel),
        ("Secret Service only", Storage::SecretService),
    ] {
        let hot = || environment.hot(storage);
        let mut counts = vec![
            ("system calls", system_calls(&hot()?, environment)?),
            ("instructions", instructions(&hot()?, environment)?),
            (
                "page faults",
                usize::try_from(faults::of(&hot()?, environment)? - least)?,
            ),
        ];
        if matches!(storage, Storage::SecretService) {
            let mut program = hot()?;
            let home = environment.home.path();
            let run = || program.time().map(drop);
            counts.push(("D-Bus calls", environment.desktop.calls_during(home, run)?));
        }
        for (what, count) in counts {
            let name = format!("{linking} hot get, {place}, {what}");
            let bound = bound(&name)?;
            println!("{name}: {count} (bound: {bound})");
            if count > bound {
                exceeded.push(name);
            }
        }
    }
    ensure!(
        exceeded.is_empty(),
        "above the bound: {}",
        exceeded.join("; ")
    );
    Ok(())
}

/// Returns a bound.
///
/// # Errors
/// The file does not have it.
pub(crate) fn bound(name: &str) -> anyhow::Result<usize> {
    let mut lines = BOUNDS.lines();
    let number = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let number = number.with_context(|| format!("no bound for {name}"))?;
    Ok(number.parse()?)
}

fn system_calls(program: &Program, environment: &Environment) -> anyhow::Result<usize> {
    let report = report(environment);
    let arguments = ["--follow-forks", "--quiet=all", "--output", &report];
    program.under("strace", &arguments).time()?;
    let report = std::fs::read_to_string(report)?;
    // A call that another thread interrupts has two lines.
    let calls = report.lines().filter(|line| line.contains('('));
    Ok(calls.filter(|line| !line.contains(" resumed>")).count())
}

/// Returns the number of instructions, which callgrind writes as `Collected : NUMBER`.
fn instructions(program: &Program, environment: &Environment) -> anyhow::Result<usize> {
    let report = report(environment);
    let log = format!("--log-file={report}");
    let profile = format!("--callgrind-out-file={report}-profile");
    let arguments = ["--tool=callgrind", &profile, &log];
    program.under("valgrind", &arguments).time()?;
    let report = std::fs::read_to_string(report)?;
    let count = report
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, count) = count.with_context(|| format!("unexpected output of valgrind: {report}"))?;
    Ok(count.trim().parse()?)
}

fn report(environment: &Environment) -> String {
    environment.home.path().join("report").display().to_string()
}
