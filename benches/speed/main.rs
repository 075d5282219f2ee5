//! How fast is the release binary, and what does it ask of the machine? `benches/run` starts this; it prints one table.
#![cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "measures on Linux only")
)]

#[cfg(target_os = "linux")]
mod desktop;
#[cfg(target_os = "linux")]
mod keys;
#[cfg(target_os = "linux")]
mod lab;
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
        .context("which binary? benches/run says it")?;
    let bound = arguments
        .next()
        .context("how long may a hot get take? benches/run says it")?
        .parse()
        .context("the bound is a number")?;
    let rounds = arguments
        .next()
        .map_or(Ok(300), |text| text.parse())
        .context("ROUNDS is a number")?;
    let lab = lab::Lab::open(helper.as_ref())?;
    rows::measure(&lab, bound, rounds)?.print();
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() -> anyhow::Result<()> {
    anyhow::bail!("this measures on Linux only")
}
