//! Measures the speed and size of the release binary and prints one table, or profiles it. `benches/run` and
//! `install/function-order` start it.
#![cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "measures on Linux only")
)]

#[cfg(target_os = "linux")]
mod cold;
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

    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|text| text != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["profile", helper, directory] => {
            let environment = environment::Environment::open(helper.as_ref())?;
            rows::profile(&environment, directory.as_ref())
        }
        ["count", helper, smallest, linking] => {
            let environment = environment::Environment::open(helper.as_ref())?;
            counts::check(&environment, smallest.as_ref(), linking)
        }
        [
            "measure",
            helper,
            smallest,
            before,
            bound,
            max_faults,
            rounds,
        ] => {
            let comparison = rows::Comparison {
                smallest: smallest.into(),
                before: (!before.is_empty()).then(|| before.into()),
                bound: bound.parse().context("the bound must be a number")?,
                max_faults: max_faults.parse().context("the bound must be a number")?,
                rounds: rounds.parse().context("ROUNDS must be a number")?,
            };
            let environment = environment::Environment::open(helper.as_ref())?;
            rows::measure(&environment, &comparison)?.print();
            Ok(())
        }
        _ => anyhow::bail!("wrong arguments. Use benches/run or install/function-order"),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> anyhow::Result<()> {
    anyhow::bail!("this measures on Linux only")
}
