//! The spinner while a person waits. Not from `indicatif`, which links libm: ten page faults at
//! each start.

use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use console::Term;

use crate::error::one_line;

/// The time between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(100);

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// A spinner on stderr, which disappears when it is dropped.
pub(super) struct Spinner {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Spinner {
    /// Starts it with a message. `None` if stderr is no terminal.
    pub(super) fn start(message: &str) -> Option<Self> {
        let terminal = Term::stderr();
        if !terminal.is_term() {
            return None;
        }
        let (stop, stopped) = mpsc::channel();
        let message = message.to_owned();
        let thread = thread::Builder::new()
            .spawn(move || spin(&terminal, &message, &stopped))
            .ok()?;
        Some(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Shows frames until the other end of the channel is dropped.
fn spin(terminal: &Term, message: &str, stopped: &Receiver<()>) {
    for frame in FRAMES.into_iter().cycle() {
        let (_, columns) = terminal.size();
        let _ = terminal.write_str(&format!("\r{}", line(frame, message, columns)));
        if stopped.recv_timeout(FRAME_INTERVAL) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    let _ = terminal.clear_line();
}

/// Returns a line that is shorter than the terminal is wide, because a longer one could not be
/// cleared.
fn line(frame: char, message: &str, columns: u16) -> String {
    one_line(
        &format!("{frame} {message}"),
        usize::from(columns).saturating_sub(1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_too_long_for_the_terminal_is_cut() {
        assert_eq!(line('⠋', "Waiting for IAM", 80), "⠋ Waiting for IAM");
        assert_eq!(line('⠋', "Waiting for IAM", 10), "⠋ Waiting");
        assert_eq!(line('⠋', "Waiting for IAM", 0), "");
    }

    #[test]
    fn there_is_no_spinner_without_a_terminal() {
        // Tests may run in a terminal, so the test starts one only elsewhere.
        if !Term::stderr().is_term() {
            assert!(Spinner::start("Waiting").is_none());
        }
    }
}
