use std::cell::Cell;
use std::time::Duration;

use super::super::Http;
use super::super::test_support::FakeService;
use super::super::test_support::later;
use super::super::test_support::network;
use super::super::test_support::request;
use super::super::test_support::response;
use super::super::test_support::unreachable;
use super::super::transport::Response;
use super::super::transport::TransportError;
use super::*;

type Answer = Result<Response, TransportError>;

fn token() -> Answer {
    response(200, "{}")
}

fn silence() -> Answer {
    Err(TransportError::NoAnswer {
        is_connected: false,
    })
}

/// Processes of one user that start one after the other.
struct User {
    marks: OutageMarks,
    now: Cell<u64>,
    _directory: tempfile::TempDir,
}

/// What a process did.
#[derive(Debug, PartialEq)]
struct Run {
    is_answered: bool,
    requests: usize,
    seconds: u64,
}

impl User {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            marks: OutageMarks::at([
                "/proc/not-possible".into(),
                directory.path().join("created/when/needed"),
            ]),
            now: Cell::new(1_800_000_000),
            _directory: directory,
        }
    }

    /// Runs a process that gets these answers, each after so many seconds. Time goes on by
    /// what it takes.
    fn run(&self, answers: Vec<(u64, Answer)>, change: fn(Http<'_>) -> Http<'_>) -> Run {
        let service = FakeService::answering_after(answers);
        service.clock.now.set(self.now.get());
        let http = Http {
            outage_marks: &self.marks,
            avoids_outages: true,
            ..service.http()
        };
        let outcome = change(http).send_with_retry(&request());
        let elapsed = service.clock.elapsed.get();
        self.now.set(service.clock.now.get());
        Run {
            is_answered: outcome.is_ok(),
            requests: service.requests().len(),
            seconds: elapsed.as_secs(),
        }
    }

    fn get(&self, answers: Vec<(u64, Answer)>) -> Run {
        self.run(answers, |http| http)
    }

    fn wait(&self, seconds: u64) {
        self.now.set(self.now.get() + seconds);
    }
}

/// A process that has a token that still works.
fn with_token(http: Http<'_>) -> Http<'_> {
    Http {
        max_attempts: 1,
        ..http
    }
}

fn command_of_a_person(http: Http<'_>) -> Http<'_> {
    Http {
        avoids_outages: false,
        ..http
    }
}

const AT_ONCE: Run = Run {
    is_answered: false,
    requests: 0,
    seconds: 0,
};

const ANSWERED: Run = Run {
    is_answered: true,
    requests: 1,
    seconds: 0,
};

#[test]
fn after_a_failure_other_processes_fail_at_once_for_a_while() {
    let four = |answer: fn() -> Answer| (0..4).map(|_| (0, answer())).collect::<Vec<_>>();
    for (answers, requests, holds) in [
        (four(unreachable), 4, QUICK_OUTAGE),
        (four(network), 4, QUICK_OUTAGE),
        (four(|| response(503, "")), 4, QUICK_OUTAGE),
        ((0..3).map(|_| (9, silence())).collect(), 3, SILENT_OUTAGE),
    ] {
        let user = User::new();
        assert_eq!(user.get(answers).requests, requests);
        for _ in 0..12 {
            assert_eq!(user.get(Vec::new()), AT_ONCE);
        }
        user.wait(holds - 1);
        assert_eq!(user.get(Vec::new()), AT_ONCE);
        user.wait(1);
        assert_eq!(
            user.get(vec![(0, token())]),
            ANSWERED,
            "the network is back"
        );
        assert_eq!(user.get(vec![(0, token())]), ANSWERED);
    }
}

#[test]
fn a_single_quick_attempt_says_nothing_to_others() {
    let user = User::new();
    let failed = user.run(vec![(0, unreachable())], with_token);
    assert_eq!(failed.requests, 1);
    assert_eq!(user.get(vec![(0, token())]), ANSWERED);
    user.run(vec![(10, silence())], with_token);
    assert_eq!(user.get(Vec::new()), AT_ONCE, "ten seconds do");
}

#[test]
fn a_command_of_a_person_asks_and_an_answer_ends_the_outage_for_all() {
    let user = User::new();
    user.get((0..4).map(|_| (0, unreachable())).collect());
    assert_eq!(user.run(vec![(0, token())], command_of_a_person), ANSWERED);
    assert_eq!(user.get(vec![(0, token())]), ANSWERED);
}

#[test]
fn all_processes_wait_for_the_moment_that_a_service_names() {
    let user = User::new();
    let first = user.get(vec![(0, later(429, "30"))]);
    assert_eq!(first.requests, 1, "30 s are longer than the deadline");
    assert_eq!(user.get(Vec::new()), AT_ONCE);
    user.wait(23);
    let waits = user.get(vec![(0, token())]);
    assert_eq!((waits.is_answered, waits.requests), (true, 1));
    assert!((7..=8).contains(&waits.seconds), "{waits:?}");
}

#[test]
fn a_process_with_a_token_does_not_wait_for_a_service() {
    let user = User::new();
    let asked = user.run(vec![(0, later(429, "7"))], with_token);
    assert_eq!((asked.requests, asked.seconds), (1, 0));
    assert_eq!(user.run(Vec::new(), with_token), AT_ONCE);
}

#[test]
fn a_pause_is_never_longer_than_a_minute() {
    let user = User::new();
    user.get(vec![(0, later(503, "86400"))]);
    user.wait(MAX_PAUSE - 30);
    assert_eq!(user.get(Vec::new()), AT_ONCE);
    user.wait(30);
    assert_eq!(user.get(vec![(0, token())]), ANSWERED);
}

#[test]
fn a_mark_holds_for_its_route_and_its_time() {
    let error = ServiceError::Unavailable(Outage::Unreachable("refused".into()));
    let mark = Mark::of_error("direct", &error, 1000).unwrap();
    assert_eq!(mark.reaction("direct", 1000), Some(Reaction::Fail(error)));
    assert_eq!(mark.reaction("http://proxy 12ab", 1000), None);
    assert_eq!(mark.reaction("direct", 1000 + QUICK_OUTAGE), None);
    assert_eq!(mark.reaction("direct", 999), None, "the clock was set back");
    let local = ServiceError::Unavailable(Outage::Local("too many files".into()));
    assert_eq!(Mark::of_error("direct", &local, 1000), None);
}

#[test]
fn the_time_until_the_next_request_counts_down() {
    let outage = Outage::Answered {
        status: 429,
        retry_after: Some(Duration::from_secs(3600)),
    };
    let mark = Mark::pause("direct", &outage, 3600, 1000);
    let left = Outage::Answered {
        status: 429,
        retry_after: Some(Duration::from_secs(3590)),
    };
    let expected = Reaction::Wait(MAX_PAUSE - 10, ServiceError::Unavailable(left));
    assert_eq!(mark.reaction("direct", 1010), Some(expected));
}

#[test]
fn an_unreadable_mark_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let marks = OutageMarks::at([directory.path().to_owned()]);
    let path = marks.paths("https://service.example").next().unwrap();
    for text in ["", "{", "[]", "{\"route\":\"direct\"}", "\u{fffd}"] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(marks.read("https://service.example"), None, "{text}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(marks.read("https://service.example"), None);
    marks.remove("https://service.example");
    OutageMarks::NONE.remove("https://service.example");
}
