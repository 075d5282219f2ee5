//! The log: off unless `ICR_LOG` asks for it, because docker shows a person
//! everything that a helper writes to stderr.

use tracing_subscriber::filter::LevelFilter;

use crate::environment;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::failure::Result;

/// Turns the log on for this process, at the level that the environment names.
///
/// # Errors
/// It names something else than a level.
pub fn start(environment: &Environment) -> Result<()> {
    let Some(level) = environment.text(environment::LOG)? else {
        return Ok(());
    };
    let level: LevelFilter = level.parse().map_err(|_| {
        Failure::act(format!(
            "${} is {level:?}; it can be error, warn, info, debug, trace or off",
            environment::LOG
        ))
    })?;
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
    Ok(())
}
