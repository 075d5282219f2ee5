//! A prompt whose answer is not shown. The terminal's settings are restored when the prompt
//! ends, when a signal ends the process, and while the process is stopped.

use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::raw::c_int;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::Builder;
use std::thread::JoinHandle;

use nix::sys::termios;
use nix::sys::termios::LocalFlags;
use nix::sys::termios::SetArg;
use nix::sys::termios::SpecialCharacterIndices;
use nix::sys::termios::Termios;
use nix::unistd;
use once_cell::sync::OnceCell;
use signal_hook::consts::SIGCONT;
use signal_hook::consts::SIGHUP;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGQUIT;
use signal_hook::consts::SIGTERM;
use signal_hook::consts::SIGTSTP;
use signal_hook::flag;
use signal_hook::iterator::Handle;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::secret::Secret;

/// The signals that can end or stop a process during a prompt and can be caught.
const INTERRUPTIONS: [c_int; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];

/// The character that clears the answer (`Ctrl-U`).
const CLEAR_LINE: u8 = 0x15;

/// Prompts at the terminal for a secret.
///
/// # Errors
/// There is no terminal, or the input ends without an answer.
pub(super) fn read(prompt: &str) -> io::Result<Secret> {
    let terminal = Arc::new(HiddenTerminal::open(prompt)?);
    let _signals = SignalWatcher::start(&terminal)?;
    terminal.hide()?;
    let answer = rpassword::read_password_with_config(
        rpassword::ConfigBuilder::new()
            // Not the device, because rpassword would disable signals.
            .input_reader(Keyboard::of(&terminal)?)
            .output_discard()
            .build(),
    );
    terminal.show(Ending::Answer);
    answer.map(Secret::new)
}

/// The terminal device, with and without echo.
struct HiddenTerminal {
    device: File,
    prompt: String,
    /// Whether to discard what was typed so far, because the process was stopped.
    discards_input: AtomicBool,
    settings: Mutex<Settings>,
}

struct Settings {
    usual: Termios,
    hidden: Termios,
    is_hidden: bool,
    /// Whether the prompt has ended, so that the terminal is no longer hidden.
    is_over: bool,
}

/// Why a terminal is shown again.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Ending {
    Answer,
    Interruption,
}

impl HiddenTerminal {
    fn open(prompt: &str) -> io::Result<Self> {
        let device = File::options().read(true).write(true).open(super::DEVICE)?;
        let usual = termios::tcgetattr(&device)?;
        let mut hidden = usual.clone();
        // Without the kernel's lines, which have at most 4,095 characters, but with its signals.
        hidden
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON);
        hidden.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        hidden.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        Ok(Self {
            device,
            prompt: prompt.to_owned(),
            discards_input: AtomicBool::new(false),
            settings: Mutex::new(Settings {
                usual,
                hidden,
                is_hidden: false,
                is_over: false,
            }),
        })
    }

    /// Hides what is typed, and shows the prompt.
    fn hide(&self) -> io::Result<()> {
        let mut settings = self.settings();
        if settings.is_over || !self.is_in_foreground() {
            return Ok(());
        }
        if settings.is_hidden {
            // The process was stopped by a signal that cannot be caught.
            self.discard_input();
        }
        termios::tcsetattr(&self.device, SetArg::TCSANOW, &settings.hidden)?;
        settings.is_hidden = true;
        (&self.device).write_all(self.prompt.as_bytes())
    }

    /// Restores the terminal if it is hidden, and ends the line of the prompt.
    fn show(&self, ending: Ending) {
        let mut settings = self.settings();
        settings.is_over |= ending == Ending::Answer;
        if settings.is_hidden {
            let when = match ending {
                Ending::Answer => SetArg::TCSANOW,
                // The shell must not read, and show, the rest of a secret.
                Ending::Interruption => SetArg::TCSAFLUSH,
            };
            let _ = termios::tcsetattr(&self.device, when, &settings.usual);
            settings.is_hidden = false;
            let _ = (&self.device).write_all(b"\n");
        }
    }

    /// Discards what was typed so far.
    fn discard_input(&self) {
        self.discards_input.store(true, Ordering::SeqCst);
    }

    /// Returns whether the process is in the foreground. Otherwise, the kernel stops it when it
    /// changes the settings.
    fn is_in_foreground(&self) -> bool {
        unistd::tcgetpgrp(&self.device).is_ok_and(|group| group == unistd::getpgrp())
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Restores the terminal before a signal ends or stops the process, until it is dropped.
struct SignalWatcher {
    default_actions: Arc<AtomicBool>,
    handle: Handle,
    terminal: Arc<HiddenTerminal>,
    thread: Option<JoinHandle<()>>,
}

impl SignalWatcher {
    fn start(terminal: &Arc<HiddenTerminal>) -> io::Result<Self> {
        let mut signals = Signals::new(INTERRUPTIONS.iter().chain(&[SIGCONT]))?;
        let handle = signals.handle();
        let default_actions = default_actions()?;
        default_actions.store(false, Ordering::SeqCst);
        // From here on, dropping it restores everything.
        let mut watcher = Self {
            default_actions,
            handle,
            terminal: Arc::clone(terminal),
            thread: None,
        };
        let terminal = Arc::clone(terminal);
        watcher.thread = Some(Builder::new().spawn(move || {
            for signal in signals.forever() {
                react(signal, &terminal);
            }
        })?);
        Ok(watcher)
    }
}

impl Drop for SignalWatcher {
    fn drop(&mut self) {
        self.terminal.show(Ending::Answer);
        self.default_actions.store(true, Ordering::SeqCst);
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn react(signal: c_int, terminal: &HiddenTerminal) {
    if signal == SIGCONT {
        let _ = terminal.hide();
        return;
    }
    terminal.show(Ending::Interruption);
    terminal.discard_input();
    // Does not return if the signal ends the process.
    let _ = emulate_default_handler(signal);
}

/// Returns the flag that lets the signals have their default effect. Handlers stay installed
/// for the life of the process, so they must have that effect after the prompt.
fn default_actions() -> io::Result<Arc<AtomicBool>> {
    static FLAG: OnceCell<Arc<AtomicBool>> = OnceCell::new();
    let flag = FLAG.get_or_try_init(|| {
        let flag = Arc::new(AtomicBool::new(true));
        for signal in INTERRUPTIONS {
            flag::register_conditional_default(signal, Arc::clone(&flag))?;
        }
        Ok::<_, io::Error>(flag)
    })?;
    Ok(Arc::clone(flag))
}

/// The person's input, byte by byte.
struct Keyboard {
    device: File,
    /// The byte to return after an inserted one.
    next: Option<u8>,
    terminal: Arc<HiddenTerminal>,
}

impl Keyboard {
    fn of(terminal: &Arc<HiddenTerminal>) -> io::Result<Self> {
        Ok(Self {
            device: terminal.device.try_clone()?,
            next: None,
            terminal: Arc::clone(terminal),
        })
    }

    fn read_byte(&mut self) -> io::Result<u8> {
        if let Some(byte) = self.next.take() {
            return Ok(byte);
        }
        let mut byte = [0];
        // An answer cut off by a hangup is not used.
        match self.device.read_exact(&mut byte) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(io::Error::other("the terminal was closed"));
            }
            outcome => outcome?,
        }
        if self.terminal.discards_input.swap(false, Ordering::SeqCst) {
            self.next = Some(byte[0]);
            return Ok(CLEAR_LINE);
        }
        Ok(byte[0])
    }
}

impl Read for Keyboard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(first) = buffer.first_mut() else {
            return Ok(0);
        };
        *first = self.read_byte()?;
        Ok(1)
    }
}
