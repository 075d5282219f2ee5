//! Cold `get`s: those without a cached token.

use crate::environment::Environment;
use crate::environment::Storage;
use crate::stopwatch::Times;
use crate::table::Table;
use crate::table::milliseconds;

const COLD_ROUNDS: usize = 30;

/// The keychains of the login.
const KEYCHAINS: [(&str, Storage); 4] = [
    ("the kernel keyring", Storage::Kernel),
    ("the Secret Service", Storage::Desktop),
    ("systemd-creds", Storage::SystemdCreds),
    ("pass", Storage::Pass),
];

/// Measures a cold `get`, and one with the login in each keychain.
pub(crate) fn measure(environment: &Environment, table: &mut Table) -> anyhow::Result<()> {
    request(environment, table)?;
    for (name, storage) in KEYCHAINS {
        let what = format!("cold get, login in {name}");
        // systemd-creds needs root, and a home that is not on a temporary file system.
        let Ok(mut program) = environment.hot(storage) else {
            table.add([&what, "not possible here", "", "", "", "", ""]);
            continue;
        };
        let mut times = Vec::new();
        for _ in 0..COLD_ROUNDS {
            environment.remove_tokens(storage);
            times.push(program.time()?);
        }
        let median = milliseconds(Times::of(times).median);
        table.add([&what, &median, "", "", "", "", ""]);
    }
    Ok(())
}

fn request(environment: &Environment, table: &mut Table) -> anyhow::Result<()> {
    let before = environment.cloud.requests().len();
    let (mut times, mut curl_times) = (Vec::new(), Vec::new());
    let mut curl = environment.token_request_by_curl()?;
    for _ in 0..COLD_ROUNDS {
        times.push(environment.cold()?.time()?);
        curl_times.push(curl.time()?);
    }
    let requests = environment.cloud.requests().len() - before - COLD_ROUNDS;
    let [median, of_curl] = [times, curl_times].map(|times| Times::of(times).median);
    table.bounded(
        "cold get, HTTPS to the emulator",
        milliseconds(median),
        format!("requests: {requests} in {COLD_ROUNDS}"),
        "1 request, below curl",
        requests == COLD_ROUNDS && median < of_curl,
    );
    table.add([
        "curl, the same request",
        &milliseconds(of_curl),
        "",
        "",
        "",
        "",
        "",
    ]);
    Ok(())
}
