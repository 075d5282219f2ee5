//! The log: off unless `ICR_LOG` asks for it, because docker shows a person
//! everything that a helper writes to stderr.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment;
use crate::environment::Environment;

/// Turns the log on for this process, at the level that the environment names.
/// A name that is none turns it on as well, and says so: a log must not get in
/// the way of a pull.
pub fn start(environment: &Environment) {
    let Ok(Some(name)) = environment.text(environment::LOG) else {
        return;
    };
    let level: Result<LevelFilter, _> = name.parse();
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    // Of ourselves alone: what libraries log, nobody has looked through for secrets.
    let ours = Targets::new().with_target(
        env!("CARGO_CRATE_NAME"),
        level.as_ref().copied().unwrap_or(LevelFilter::DEBUG),
    );
    let _ = tracing_subscriber::registry()
        .with(ours)
        .with(log)
        .try_init();
    if level.is_err() {
        tracing::warn!(
            "${} is {name:?}; it can be error, warn, info, debug, trace or off",
            environment::LOG
        );
    }
}
