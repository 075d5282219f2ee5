//! Page faults of a program: most of the time of a short run, and the same in every run.

use anyhow::Context as _;

use crate::environment::Environment;
use crate::stopwatch::Program;

/// A run may have more page faults than another one, because the kernel maps files ahead or not.
const RUNS: usize = 5;

/// Returns the number of page faults in the best of a few runs. GNU time counts them; its own before it starts the program are the
/// same for every program.
pub(crate) fn of(program: &Program, environment: &Environment) -> anyhow::Result<i64> {
    let report = environment.home.path().join("page-faults");
    let report = report.display().to_string();
    let mut least = i64::MAX;
    for _ in 0..RUNS {
        program
            .under("time", &["--format", "%R", "--output", &report])
            .time()?;
        let text = std::fs::read_to_string(&report)?;
        let count = text
            .trim()
            .parse()
            .with_context(|| format!("unexpected output of time: {text}"))?;
        least = least.min(count);
    }
    Ok(least)
}
