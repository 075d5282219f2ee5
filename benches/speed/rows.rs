//! The measurements and their bounds.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use docker_credential_icr::registry::REGIONS;

use crate::cold;
use crate::counts;
use crate::environment::Environment;
use crate::environment::REGISTRY;
use crate::environment::Storage;
use crate::faults;
use crate::stopwatch;
use crate::stopwatch::Program;
use crate::table::Table;
use crate::table::milliseconds;

/// The length of the other helper's secret, about that of an IAM token.
const SECRET_LENGTH: usize = 1600;

/// The address of that secret.
const OTHER_ADDRESS: &str = "registry.example";

const MAX_BINARY_BYTES: u64 = 6_000_000;
const MAX_MEMORY_KIB: u64 = 8_000_000 / 1024;
const FULL_ROUNDS: usize = 30;
const PARALLEL: usize = 100;

const OTHER_HELPER: &str = "docker-credential-secretservice get";

/// The hot `get`s that are measured.
const HOT: [(&str, Bound, Storage); 4] = [
    (
        "hot get, key in the environment",
        Bound::Local,
        Storage::EnvironmentKey,
    ),
    (HOT_GET, Bound::Local, Storage::Kernel),
    (
        "hot get, login in the Secret Service",
        Bound::Local,
        Storage::Desktop,
    ),
    (
        "hot get, Secret Service only",
        Bound::OtherHelper,
        Storage::SecretService,
    ),
];

const HOT_GET: &str = "hot get, login in the kernel keyring";

/// What a program's time is compared with.
enum Bound {
    /// Nothing.
    None,
    /// `/bin/true`, and the page faults of the smallest program.
    Local,
    /// docker-credential-secretservice.
    OtherHelper,
    /// [`HOT_GET`].
    HotGet,
}

/// The bound of a hot answer to the kubelet, in hot `get`s.
const KUBELET_BOUND: f64 = 1.5;

/// What the helper is compared with.
pub(crate) struct Comparison {
    pub(crate) smallest: PathBuf,
    /// An earlier helper.
    pub(crate) before: Option<PathBuf>,
    /// The bound of a hot `get`, in starts of `/bin/true`.
    pub(crate) bound: f64,
    /// The bound of its page faults beyond those of the smallest program.
    pub(crate) max_faults: i64,
    /// How often each program is started.
    pub(crate) rounds: usize,
}

/// A program that is timed in turn with others.
struct Row {
    what: String,
    bound: Bound,
    program: Program,
}

/// Measures everything.
pub(crate) fn measure(environment: &Environment, comparison: &Comparison) -> anyhow::Result<Table> {
    environment.ensure_it_is_bare()?;
    let mut table = Table::default();
    hot(environment, comparison, &mut table)?;
    full_keyring(environment, &mut table)?;
    bus_calls(environment, &mut table)?;
    cold::measure(environment, &mut table)?;
    every_region(environment, &mut table)?;
    in_parallel(environment, &mut table)?;
    size(environment, &mut table)?;
    memory(environment, &mut table)?;
    Ok(table)
}

/// Returns the rows of hot `get`s, `status` and other programs. The first two are what the others are compared with.
fn rows(environment: &Environment, comparison: &Comparison) -> anyhow::Result<Vec<Row>> {
    let row = |what: &str, bound, program| Row {
        what: what.to_owned(),
        bound,
        program,
    };
    let other =
        |program: &Path, arguments: &[&str]| environment.program(program, arguments, REGISTRY);
    let mut rows = vec![
        row(
            "smallest static program",
            Bound::None,
            other(&comparison.smallest, &[])?,
        ),
        row(
            "/bin/true",
            Bound::None,
            other(Path::new("/bin/true"), &[])?,
        ),
        row(
            "version",
            Bound::None,
            other(&environment.helper, &["version"])?,
        ),
    ];
    for (what, bound, storage) in HOT {
        let program = environment.hot(storage)?;
        if let Some(before) = &comparison.before {
            let before = program.with_executable(before);
            rows.push(row(&format!("before: {what}"), Bound::None, before));
        }
        rows.push(row(what, bound, program));
    }
    rows.extend([
        row(
            "hot answer to the kubelet, login in the kernel keyring",
            Bound::HotGet,
            environment.hot_kubelet()?,
        ),
        row(OTHER_HELPER, Bound::None, other_helper(environment)?),
        row(
            "status, login in the kernel keyring",
            Bound::None,
            environment.status(Storage::Kernel)?,
        ),
        row(
            "status, login in the Secret Service",
            Bound::None,
            environment.status(Storage::Desktop)?,
        ),
    ]);
    Ok(rows)
}

fn hot(
    environment: &Environment,
    comparison: &Comparison,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut rows = rows(environment, comparison)?;
    let before = environment.cloud.requests().len();
    let programs = rows.iter_mut().map(|row| &mut row.program).collect();
    let times = stopwatch::alternate(programs, comparison.rounds)?;
    ensure!(
        environment.cloud.requests().len() == before,
        "a hot `get` or `status` sent a request"
    );
    let faults = rows
        .iter()
        .map(|row| faults::of(&row.program, environment))
        .collect::<anyhow::Result<Vec<i64>>>()?;
    let of_other = rows.iter().position(|row| row.what == OTHER_HELPER);
    let hot_get = rows.iter().position(|row| row.what == HOT_GET);
    let (Some(least), [_, floor, ..], Some(other), Some(hot_get)) =
        (faults.first(), &*times, of_other, hot_get)
    else {
        return Ok(());
    };
    let (bound, max_faults) = (comparison.bound, comparison.max_faults);
    for ((row, time), faults) in rows.iter().zip(&times).zip(&faults) {
        let ratio = ratio(time.median, floor.median);
        let local = format!("{bound} × /bin/true, {max_faults} page faults");
        let bound = match row.bound {
            Bound::None => None,
            Bound::Local => Some((&*local, ratio <= bound && faults - least <= max_faults)),
            Bound::OtherHelper => Some(("1 × …-secretservice", time.median < times[other].median)),
            Bound::HotGet => {
                let of_get = self::ratio(time.median, times[hot_get].median);
                Some(("1.5 × the hot get", of_get <= KUBELET_BOUND))
            }
        };
        table.timed(
            &row.what,
            *time,
            &format!("{ratio:.2} × /bin/true"),
            Some(faults - least),
            bound,
        );
    }
    Ok(())
}

/// Measures commands with 1,000 logins among 5,000 keys, if the quota of the user allows so many.
fn full_keyring(environment: &Environment, table: &mut Table) -> anyhow::Result<()> {
    if environment.fill_kernel().is_ok() {
        let names = ["hot get", "status", "list"];
        let mut programs = [
            environment.program("/bin/true", &[], REGISTRY)?,
            environment.hot(Storage::FullKernel)?,
            environment.with_token(Storage::FullKernel, "status")?,
            environment.with_token(Storage::FullKernel, "list")?,
        ];
        let times = stopwatch::alternate(programs.iter_mut().collect(), FULL_ROUNDS)?;
        let [floor, times @ ..] = times.as_slice() else {
            return Ok(());
        };
        for (name, times) in names.iter().zip(times) {
            let what = format!("{name}, 1,000 logins among 5,000 keys");
            let ratio = format!("{:.2} × /bin/true", ratio(times.median, floor.median));
            table.timed(&what, *times, &ratio, None, None);
        }
    }
    environment.empty_kernel();
    Ok(())
}

/// Runs each hot `get` once under callgrind, which writes a profile of its instructions, `callgrind.1` and so on.
pub(crate) fn profile(environment: &Environment, directory: &Path) -> anyhow::Result<()> {
    for (number, (_, _, storage)) in (1..).zip(HOT) {
        let output = directory.join(format!("callgrind.{number}"));
        let output = format!("--callgrind-out-file={}", output.display());
        let plain = [
            "--dump-instr=yes",
            "--compress-pos=no",
            "--compress-strings=no",
            "--demangle=no",
        ];
        let arguments = [&["--quiet", "--tool=callgrind", &output], &plain[..]].concat();
        environment
            .hot(storage)?
            .under("valgrind", &arguments)
            .time()?;
    }
    Ok(())
}

fn ratio(time: Duration, reference: Duration) -> f64 {
    time.as_secs_f64() / reference.as_secs_f64()
}

/// Returns Debian's helper, with a secret of the same length in the same keyring.
fn other_helper(environment: &Environment) -> anyhow::Result<Program> {
    let secret = "x".repeat(SECRET_LENGTH);
    let login =
        format!(r#"{{"ServerURL":"{OTHER_ADDRESS}","Username":"user","Secret":"{secret}"}}"#);
    let mut store = environment.other_helper("store", "")?;
    environment.run(&mut store.command, &login)?;
    environment.other_helper("get", OTHER_ADDRESS)
}

fn bus_calls(environment: &Environment, table: &mut Table) -> anyhow::Result<()> {
    let calls_of = |mut program: Program| {
        environment
            .desktop
            .calls_during(environment.home.path(), || program.time().map(drop))
    };
    let calls = calls_of(environment.hot(Storage::SecretService)?)?;
    let others = calls_of(other_helper(environment)?)?;
    let max_calls = counts::bound("dynamic hot get, Secret Service only, D-Bus calls")?;
    table.bounded(
        "D-Bus calls of a hot get, Secret Service only",
        calls.to_string(),
        format!("{others} by …-secretservice"),
        &format!("at most {max_calls}"),
        calls <= max_calls,
    );
    Ok(())
}

fn every_region(environment: &Environment, table: &mut Table) -> anyhow::Result<()> {
    let hosts = REGIONS
        .iter()
        .flat_map(|region| [region.host, region.private_host]);
    let mut program = environment.cold()?;
    let before = environment.cloud.exchanges();
    let mut total = Duration::ZERO;
    let mut count = 0;
    for host in hosts {
        program.input = environment.input(host)?;
        total += program.time()?;
        count += 1;
    }
    exchanges(
        environment,
        before,
        table,
        &format!("get for {count} hosts, one after the other"),
        total,
    );
    Ok(())
}

fn in_parallel(environment: &Environment, table: &mut Table) -> anyhow::Result<()> {
    let mut program = environment.cold()?;
    let before = environment.cloud.exchanges();
    let total = program.time_parallel(PARALLEL)?;
    exchanges(
        environment,
        before,
        table,
        &format!("{PARALLEL} parallel cold gets"),
        total,
    );
    environment.remove_cold_tokens();
    Ok(())
}

fn exchanges(
    environment: &Environment,
    before: usize,
    table: &mut Table,
    what: &str,
    total: Duration,
) {
    let exchanges = environment.cloud.exchanges() - before;
    table.bounded(
        what,
        format!("{} in all", milliseconds(total)),
        format!("exchanges: {exchanges}"),
        "1 exchange",
        exchanges == 1,
    );
}

fn size(environment: &Environment, table: &mut Table) -> anyhow::Result<()> {
    let bytes = std::fs::metadata(&environment.helper)?.len();
    let measured = format!("{:.2} MB", bytes as f64 / 1e6);
    table.bounded(
        "release binary",
        measured,
        String::new(),
        "under 6 MB",
        bytes < MAX_BINARY_BYTES,
    );
    Ok(())
}

/// Measured by GNU time, because the kernel counts the memory of a large parent process as the child's.
fn memory(environment: &Environment, table: &mut Table) -> anyhow::Result<()> {
    for (what, storage) in [
        (
            "peak memory of a hot get, kernel keyring",
            Storage::EnvironmentKey,
        ),
        (
            "peak memory of a hot get, Secret Service only",
            Storage::SecretService,
        ),
    ] {
        let report = environment.home.path().join("memory").display().to_string();
        let hot = environment.hot(storage)?;
        let mut measured = hot.under("time", &["--format", "%M", "--output", &report]);
        measured.time()?;
        let text = std::fs::read_to_string(&report)?;
        let kib: u64 = text
            .trim()
            .parse()
            .with_context(|| format!("unexpected output of time: {text}"))?;
        let measured = format!("{:.2} MB", kib as f64 * 1024.0 / 1e6);
        table.bounded(
            what,
            measured,
            String::new(),
            "under 8 MB",
            kib < MAX_MEMORY_KIB,
        );
    }
    Ok(())
}
