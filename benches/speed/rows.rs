//! What is measured, and the bounds that were set.

use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use docker_credential_icr::registry::REGIONS;

use crate::lab::Lab;
use crate::lab::REGISTRY;
use crate::lab::Setup;
use crate::stopwatch;
use crate::stopwatch::Program;
use crate::table::Table;
use crate::table::milliseconds;

/// The secret that the other helper keeps is as long as an IAM token.
const SECRET_LENGTH: usize = 1600;

/// Where the other helper finds it.
const OTHER_ADDRESS: &str = "registry.example";

const MOST_CALLS: usize = 8;
const MOST_BINARY_BYTES: u64 = 6_000_000;
const MOST_MEMORY_KIB: u64 = 8_000_000 / 1024;
const COLD_ROUNDS: usize = 30;
const PARALLEL: usize = 100;

/// Measures everything. A hot `get` may take `bound` starts of `/bin/true`.
pub(crate) fn measure(lab: &Lab, bound: f64, rounds: usize) -> anyhow::Result<Table> {
    let mut table = Table::default();
    hot(lab, bound, rounds, &mut table)?;
    status(lab, rounds, &mut table)?;
    bus_calls(lab, &mut table)?;
    cold(lab, &mut table)?;
    every_region(lab, &mut table)?;
    in_parallel(lab, &mut table)?;
    size(lab, &mut table)?;
    memory(lab, &mut table)?;
    Ok(table)
}

/// The programs that are started in turn.
fn hot(lab: &Lab, bound: f64, rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    let mut programs = [
        lab.program("/bin/true", &[], REGISTRY)?,
        lab.hot(Setup::EnvironmentKey)?,
        lab.hot(Setup::Kernel)?,
        lab.hot(Setup::Desktop)?,
        lab.hot(Setup::SecretService)?,
        other_helper(lab)?,
    ];
    let before = lab.cloud.exchanges();
    let medians = stopwatch::alternate(&mut programs, rounds)?;
    ensure!(lab.cloud.exchanges() == before, "a hot `get` went to IAM");
    let [floor, hot @ .., service, other] = medians.as_slice() else {
        return Ok(());
    };
    table.unbounded("start of /bin/true", &milliseconds(*floor), "1");
    let what = [
        "hot get, key in the environment",
        "hot get, login in the kernel keyring",
        "hot get, login in the Secret Service",
    ];
    for (what, time) in what.iter().zip(hot) {
        let ratio = ratio(*time, *floor);
        table.bounded(
            what,
            milliseconds(*time),
            format!("{ratio:.2} × /bin/true"),
            &format!("{bound} × /bin/true"),
            ratio <= bound,
        );
    }
    let share = ratio(*service, *other);
    table.bounded(
        "hot get, Secret Service only",
        milliseconds(*service),
        format!("{share:.2} × …-secretservice"),
        "1 × …-secretservice",
        share < 1.0,
    );
    let other_ratio = format!("{:.2} × /bin/true", ratio(*other, *floor));
    table.unbounded(
        "docker-credential-secretservice get",
        &milliseconds(*other),
        &other_ratio,
    );
    Ok(())
}

fn ratio(time: Duration, reference: Duration) -> f64 {
    time.as_secs_f64() / reference.as_secs_f64()
}

/// Debian's helper with a secret of the same length in the same keyring.
fn other_helper(lab: &Lab) -> anyhow::Result<Program> {
    let secret = "x".repeat(SECRET_LENGTH);
    let login =
        format!(r#"{{"ServerURL":"{OTHER_ADDRESS}","Username":"somebody","Secret":"{secret}"}}"#);
    let mut store = lab.program("docker-credential-secretservice", &["store"], "")?;
    lab.run(&mut store.command, &login)?;
    lab.program("docker-credential-secretservice", &["get"], OTHER_ADDRESS)
}

/// What a person may have in a shell's prompt.
fn status(lab: &Lab, rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    let mut programs = [
        lab.program("/bin/true", &[], REGISTRY)?,
        lab.status(Setup::Kernel)?,
        lab.status(Setup::Desktop)?,
    ];
    let before = lab.cloud.requests().len();
    let medians = stopwatch::alternate(&mut programs, rounds)?;
    ensure!(lab.cloud.requests().len() == before, "`status` asked IAM");
    let [floor, times @ ..] = medians.as_slice() else {
        return Ok(());
    };
    let what = [
        "status, login in the kernel keyring",
        "status, login in the Secret Service",
    ];
    for (what, time) in what.iter().zip(times) {
        let ratio = ratio(*time, *floor);
        table.unbounded(
            what,
            &milliseconds(*time),
            &format!("{ratio:.2} × /bin/true"),
        );
    }
    Ok(())
}

fn bus_calls(lab: &Lab, table: &mut Table) -> anyhow::Result<()> {
    let calls_of = |mut program: Program| {
        lab.desktop
            .calls_during(lab.home.path(), || program.time().map(drop))
    };
    let calls = calls_of(lab.hot(Setup::SecretService)?)?;
    let others = calls_of(other_helper(lab)?)?;
    table.bounded(
        "D-Bus calls of a hot get, Secret Service only",
        calls.to_string(),
        format!("{others} by …-secretservice"),
        &format!("at most {MOST_CALLS}"),
        calls <= MOST_CALLS,
    );
    Ok(())
}

fn cold(lab: &Lab, table: &mut Table) -> anyhow::Result<()> {
    let before = lab.cloud.requests().len();
    let mut times = Vec::new();
    for _ in 0..COLD_ROUNDS {
        times.push(lab.cold()?.time()?);
    }
    let requests = lab.cloud.requests().len() - before;
    table.bounded(
        "cold get, HTTPS to the emulator",
        milliseconds(stopwatch::median(times)),
        format!("requests: {requests} in {COLD_ROUNDS}"),
        "1 request",
        requests == COLD_ROUNDS,
    );
    Ok(())
}

fn every_region(lab: &Lab, table: &mut Table) -> anyhow::Result<()> {
    let hosts = REGIONS
        .iter()
        .flat_map(|region| [region.host, region.private_host]);
    let mut program = lab.cold()?;
    let before = lab.cloud.exchanges();
    let mut total = Duration::ZERO;
    let mut count = 0;
    for host in hosts {
        program.input = lab.input(host)?;
        total += program.time()?;
        count += 1;
    }
    exchanges(
        lab,
        before,
        table,
        &format!("get for {count} hosts, one after the other"),
        total,
    );
    Ok(())
}

fn in_parallel(lab: &Lab, table: &mut Table) -> anyhow::Result<()> {
    let mut program = lab.cold()?;
    let before = lab.cloud.exchanges();
    let total = program.time_together(PARALLEL)?;
    exchanges(
        lab,
        before,
        table,
        &format!("{PARALLEL} cold gets at once"),
        total,
    );
    lab.forget_cold_tokens();
    Ok(())
}

fn exchanges(lab: &Lab, before: usize, table: &mut Table, what: &str, total: Duration) {
    let exchanges = lab.cloud.exchanges() - before;
    table.bounded(
        what,
        format!("{} in all", milliseconds(total)),
        format!("exchanges: {exchanges}"),
        "1 exchange",
        exchanges == 1,
    );
}

fn size(lab: &Lab, table: &mut Table) -> anyhow::Result<()> {
    let bytes = std::fs::metadata(&lab.helper)?.len();
    let measured = format!("{:.2} MB", bytes as f64 / 1e6);
    table.bounded(
        "release binary",
        measured,
        String::new(),
        "under 6 MB",
        bytes < MOST_BINARY_BYTES,
    );
    Ok(())
}

/// By GNU time, because a process that is started from a large one counts that one's memory as its own.
fn memory(lab: &Lab, table: &mut Table) -> anyhow::Result<()> {
    for (what, setup) in [
        (
            "peak memory of a hot get, kernel keyring",
            Setup::EnvironmentKey,
        ),
        (
            "peak memory of a hot get, Secret Service only",
            Setup::SecretService,
        ),
    ] {
        let report = lab.home.path().join("memory");
        let hot = lab.hot(setup)?;
        let mut measured = hot.under("time", &["--format", "%M", "--output"], &report);
        measured.time()?;
        let text = std::fs::read_to_string(&report)?;
        let kib: u64 = text
            .trim()
            .parse()
            .with_context(|| format!("time said {text}"))?;
        let measured = format!("{:.2} MB", kib as f64 * 1024.0 / 1e6);
        table.bounded(
            what,
            measured,
            String::new(),
            "under 8 MB",
            kib < MOST_MEMORY_KIB,
        );
    }
    Ok(())
}
