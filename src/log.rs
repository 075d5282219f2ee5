//! The log. It is off by default, because docker shows everything that a helper writes to
//! stderr.
//!
//! `ICR_LOG` is the level of a log on stderr, `ICR_LOG_FILE` the path of a log file. Each
//! step is a span, which logs its duration when it closes. Spans and events hold names,
//! numbers and `Secret`s, which print as nothing.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
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
use crate::environment::mask::Mask;
use crate::error::Error;
use crate::error::one_line;
use crate::text::repeatable::quoted;
use crate::time::run_with_timeout;

mod file;

use file::LogFile;

/// The maximum length of an error about the log itself, in characters.
const MAX_LINE_LENGTH: usize = 1000;

/// The timeout for opening the log file.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Where lines are written.
#[derive(Clone)]
enum Target {
    File(Arc<LogFile>),
    Stderr,
}

/// Writes a line without the keys of the environment.
struct Line {
    target: Target,
    mask: Arc<Mask>,
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.target {
            Target::File(file) => self.mask.write(bytes, &mut &**file),
            Target::Stderr => self.mask.write(bytes, &mut io::stderr()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the log of this process if an environment variable asks for it. An invalid level is
/// a warning in the log, because a log must not make a pull fail.
///
/// Writes one line to `error_output` if the log file cannot be opened.
pub fn start(environment: &Environment, error_output: &mut dyn io::Write) {
    let name = environment.value(environment::LOG).ok().flatten();
    let path = environment.value(environment::LOG_FILE).ok().flatten();
    if name.is_none() && path.is_none() {
        return;
    }
    let level: Option<Result<LevelFilter, _>> = name.map(str::parse);
    let file = path.and_then(|path| match open_in_time(path) {
        Ok(file) => Some(Arc::new(file)),
        Err(error) => {
            let error = Error::from_anyhow(&error);
            let line = format!("no log is written: ${} {error}", environment::LOG_FILE);
            let _ = writeln!(error_output, "{}", one_line(&line, MAX_LINE_LENGTH));
            None
        }
    });
    // Only events of this program, because those of libraries may contain secrets.
    let ours = Targets::new().with_target(
        env!("CARGO_CRATE_NAME"),
        match &level {
            Some(Ok(level)) => *level,
            Some(Err(_)) | None => LevelFilter::DEBUG,
        },
    );
    let mask = Arc::new(Mask::of(environment));
    let masked = |target: Target| {
        let mask = mask.clone();
        BoxMakeWriter::new(move || Line {
            target: target.clone(),
            mask: mask.clone(),
        })
    };
    let to_stderr = name.map(|_| masked(Target::Stderr));
    let to_file = file.map(|file| masked(Target::File(file)));
    let writers = to_stderr.into_iter().chain(to_file);
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = writers.map(lines_to).collect();
    let _ = tracing_subscriber::registry()
        .with(layers.with_filter(ours))
        .try_init();
    if let (Some(name), Some(Err(_))) = (name, &level) {
        tracing::warn!(
            "${} is {}, but must be error, warn, info, debug, trace or off",
            environment::LOG,
            quoted(name)
        );
    }
}

/// Opens the log file. Its file system may not answer.
fn open_in_time(path: &str) -> anyhow::Result<LogFile> {
    let owned = PathBuf::from(path);
    let opened = run_with_timeout(TIMEOUT, move || LogFile::open(&owned));
    opened.unwrap_or_else(|| bail!("names {path}, whose file system does not answer"))
}

/// Returns a layer that writes a line for each event and for each closed span. The writer
/// is boxed, so that the layer is compiled only once.
fn lines_to(writer: BoxMakeWriter) -> Box<dyn Layer<Registry> + Send + Sync> {
    tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .with_target(false)
        .with_span_events(FmtSpan::CLOSE)
        .boxed()
}
