//! The log: off unless a variable asks for it, because docker shows a person
//! everything that a helper writes to stderr.
//!
//! `ICR_LOG` names a level and writes to stderr, `ICR_LOG_FILE` names a file. Each
//! step is a span, which tells how long it took when it closes. What stands in a
//! span or an event is a name, a number or a `Secret`, which prints as nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment;
use crate::environment::Environment;
use crate::error::one_line;
use crate::text::repeatable::quoted;

mod file;

use file::LogFile;

/// The longest line about the log itself, in characters.
const LONGEST_LINE: usize = 1000;

/// Turns the log on for this process, where and at the level that the environment
/// names. A name that is none turns it on as well, and says so: a log must not get
/// in the way of a pull. Without the variables nothing is built.
///
/// `complain` takes what keeps a log file from being written, one line.
pub fn start(environment: &Environment, complain: &mut dyn io::Write) {
    let name = environment.text(environment::LOG).ok().flatten();
    let path = environment.text(environment::LOG_FILE).ok().flatten();
    if name.is_none() && path.is_none() {
        return;
    }
    let level: Option<Result<LevelFilter, _>> = name.map(str::parse);
    let file = path.and_then(|path| match LogFile::open(Path::new(path)) {
        Ok(file) => Some(Arc::new(file)),
        Err(error) => {
            let line = format!("no log is written: ${} {error}", environment::LOG_FILE);
            let _ = writeln!(complain, "{}", one_line(&line, LONGEST_LINE));
            None
        }
    });
    // Of ourselves alone: what libraries log, nobody has looked through for secrets.
    let ours = Targets::new().with_target(
        env!("CARGO_CRATE_NAME"),
        match &level {
            Some(Ok(level)) => *level,
            Some(Err(_)) | None => LevelFilter::DEBUG,
        },
    );
    let to_stderr = name.map(|_| BoxMakeWriter::new(io::stderr));
    let writers = to_stderr.into_iter().chain(file.map(BoxMakeWriter::new));
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = writers.map(lines_to).collect();
    let _ = tracing_subscriber::registry()
        .with(layers.with_filter(ours))
        .try_init();
    if let (Some(name), Some(Err(_))) = (name, &level) {
        tracing::warn!(
            "${} is {}; it can be error, warn, info, debug, trace or off",
            environment::LOG,
            quoted(name)
        );
    }
}

/// One line for each event, and one for each step when it is over. The writer is
/// boxed, so that there is this layer once in the program.
fn lines_to(writer: BoxMakeWriter) -> Box<dyn Layer<Registry> + Send + Sync> {
    tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .with_target(false)
        .with_span_events(FmtSpan::CLOSE)
        .boxed()
}
