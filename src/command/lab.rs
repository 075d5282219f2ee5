//! A cloud to log in at, for tests.

use icr_emulator::Emulator;

use crate::clock::Deadline;
use crate::clock::SystemClock;
use crate::iam::Iam;
use crate::iam::endpoint::Endpoint;
use crate::iam::https::Https;
use crate::settings::Limits;

/// Puts questions to the emulated IAM of `cloud`, each once.
pub(super) fn ask<T>(cloud: &Emulator, questions: impl FnOnce(&Iam<'_>) -> T) -> T {
    let clock = SystemClock::start();
    let limits = Limits::default();
    questions(&Iam {
        endpoint: Endpoint::parse(&cloud.url()).unwrap(),
        transport: &Https::trusting(None),
        clock: &clock,
        random: &|| 7,
        limits,
        most_attempts: 1,
        deadline: Deadline::after(&clock, limits.deadline),
    })
}
