//! The step with a wrong key: the error that a client shows, and the advice of `doctor`.

use anyhow::ensure;

use crate::Demo;
use crate::cloud::SECOND_REGION;
use crate::cloud::image_in;
use crate::login::VARIABLE;
use crate::program::HELPER;
use crate::pull;
use crate::screen;
use crate::secret;
use crate::secret::shortened;

/// Pulls with a wrong key, asks `doctor`, does what it says, and pulls again.
pub(crate) fn show(demo: &mut Demo) -> anyhow::Result<()> {
    let image = image_in(SECOND_REGION);
    let wrong = secret::api_key()?;
    let assignment = format!("{VARIABLE}={}", shortened(&wrong));
    screen::note(if demo.has_keychain {
        "A variable with an old key is left over, and takes precedence over the login:"
    } else {
        "The variable has an old key:"
    })?;
    screen::command("export", &[&assignment], "")?;
    demo.shell.set(VARIABLE, wrong);

    screen::command(pull::CLIENT, &[&image], "")?;
    let pulled = demo.shell.run(pull::CLIENT, &[&image], "")?;
    ensure!(
        !pulled.succeeded() && pulled.stderr().contains(VARIABLE),
        "the error of the pull should name the variable:{pulled}"
    );
    screen::output(pulled.stderr())?;

    let problems = doctor(demo)?;
    ensure!(
        problems.contains("problem") && problems.contains("fix: "),
        "'doctor' should find the problem and a fix"
    );
    screen::note("The problems in its output:")?;
    screen::output(&problems)?;

    demo.shell.unset(VARIABLE);
    if demo.has_keychain {
        screen::command("unset", &[VARIABLE], "")?;
    } else {
        let assignment = format!("{VARIABLE}={}", shortened(&demo.key));
        screen::command("export", &[&assignment], "")?;
        demo.shell.set(VARIABLE, &*demo.key);
    }
    pull::pull(demo, &image)?;
    ensure!(
        doctor(demo)?.is_empty(),
        "'doctor' should find the key good again"
    );
    Ok(screen::note("It has no problem with the key any more.")?)
}

/// Runs `doctor`, and returns its lines about problems with the key, each with its fix. Other problems are this machine's own.
fn doctor(demo: &Demo) -> anyhow::Result<String> {
    screen::command(HELPER, &["doctor"], "")?;
    let finished = demo.shell.run(HELPER, &["doctor"], "")?;
    let mut lines = finished.stdout().lines().map(str::trim_start);
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("problem") && line.contains(VARIABLE) {
            found.extend([Some(line), lines.next()].into_iter().flatten());
        }
    }
    Ok(found.join("\n"))
}
