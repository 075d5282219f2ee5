//! Measures the speed and size of the release binary and prints one table, or profiles it. `benches/run` and
//! `install/function-order` start it.
#![cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "measures on Linux only")
)]

#[cfg(target_os = "linux")]
mod counts;
#[cfg(target_os = "linux")]
mod desktop;
#[cfg(target_os = "linux")]
mod environment;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod keys;
#[cfg(target_os = "linux")]
mod rows;
mod stopwatch;
mod table;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    use anyhow::Context as _;

    let mut arguments = std::env::args().skip(1).filter(|text| text != "--bench");
    let helper = arguments
        .next()
        .context("missing argument: the binary. Use benches/run")?;
    let smallest = arguments
        .next()
        .context("missing argument: the smallest program. Use benches/run")?;
    let bound = arguments
        .next()
        .context("missing argument: the bound of a hot get. Use benches/run")?
        .parse()
        .context("the bound must be a number")?;
    let rounds = arguments.next();
    let environment = environment::Environment::open(helper.as_ref())?;
    if let Some(linking) = rounds
        .as_ref()
        .and_then(|text| text.strip_prefix("--counts="))
    {
        return counts::check(&environment, smallest.as_ref(), linking);
    }
    let rounds = rounds
        .map_or(Ok(300), |text| text.parse())
        .context("ROUNDS must be a number")?;
    rows::measure(&environment, smallest.as_ref(), bound, rounds)?.print();
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() -> anyhow::Result<()> {
    anyhow::bail!("this measures on Linux only")
}
