//! For tests of logins: an IAM client and a person with a browser.

use std::cell::RefCell;
use std::io;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use icr_emulator::Emulator;
use reqwest::blocking::Client;

use crate::http::Http;
use crate::http::Limits;
use crate::http::client::Https;
use crate::http::test_support::NO_MARKS;
use crate::http::test_support::NO_PROXIES;
use crate::iam::Iam;
use crate::iam::endpoint::Endpoint;
use crate::secret::Secret;
use crate::terminal::Progress;
use crate::terminal::Terminal;
use crate::terminal::fake::FakeTerminal;
use crate::time::Clock;
use crate::time::Deadline;
use crate::time::fake::FakeClock;

/// Calls `requests` with a client of the emulated IAM, which does not retry.
pub(super) fn with_iam<T>(
    cloud: &Emulator,
    clock: &dyn Clock,
    requests: impl FnOnce(&Iam<'_>) -> T,
) -> T {
    let limits = Limits::default();
    requests(&Iam {
        endpoint: Endpoint::parse(&cloud.url()).unwrap(),
        http: Http {
            transport: &Https::default(),
            clock,
            random: &|| 7,
            limits,
            max_attempts: 1,
            deadline: Deadline::after(clock, limits.deadline),
            proxies: &NO_PROXIES,
            outage_marks: &NO_MARKS,
            avoids_outages: false,
            trust: None,
        },
    })
}

/// A slow person at a terminal, with a browser that follows redirects.
pub(super) struct FakeDesktop {
    pub(super) clock: FakeClock,
    pub(super) terminal: FakeTerminal,
    page: RefCell<Option<JoinHandle<String>>>,
}

impl FakeDesktop {
    /// How long each answer takes.
    const ANSWER_TIME: Duration = Duration::from_secs(100);

    /// Creates one who types these answers.
    pub(super) fn new(answers: &[&str]) -> Self {
        Self {
            clock: FakeClock::at(0),
            terminal: FakeTerminal::typing(answers),
            page: RefCell::default(),
        }
    }

    /// Returns the last page of the browser.
    pub(super) fn page(&self) -> String {
        let browser = self.page.borrow_mut().take();
        browser.expect("a browser was started").join().unwrap()
    }

    /// Returns what the terminal showed.
    pub(super) fn shown(&self) -> String {
        self.terminal.shown.borrow().join("\n")
    }
}

impl Terminal for FakeDesktop {
    fn is_interactive(&self) -> bool {
        self.terminal.is_interactive()
    }

    fn ask_secret(&self, prompt: &str) -> io::Result<Secret> {
        self.clock.advance(Self::ANSWER_TIME);
        self.terminal.ask_secret(prompt)
    }

    fn ask(&self, prompt: &str) -> io::Result<String> {
        self.clock.advance(Self::ANSWER_TIME);
        self.terminal.ask(prompt)
    }

    fn confirm(&self, question: &str, default: bool) -> io::Result<bool> {
        self.clock.advance(Self::ANSWER_TIME);
        self.terminal.confirm(question, default)
    }

    fn write_line(&self, line: &str) {
        self.terminal.write_line(line);
    }

    fn open_browser(&self, url: &str) -> bool {
        self.clock.advance(Self::ANSWER_TIME);
        let url = url.to_owned();
        *self.page.borrow_mut() = Some(thread::spawn(move || {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let browser = Client::builder().no_proxy().build().unwrap();
            browser.get(url).send().unwrap().text().unwrap()
        }));
        true
    }

    fn progress(&self, what: &str) -> Progress {
        self.terminal.progress(what)
    }
}
