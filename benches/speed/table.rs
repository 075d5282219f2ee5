//! The table of measurements, in Markdown.

use std::time::Duration;

use crate::stopwatch::Times;

/// A table.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 7]>);

impl Table {
    /// Adds a program that was timed: its ratio to the reference, the page faults beyond those of the smallest program, and
    /// the bound of the ratio.
    pub(crate) fn timed(
        &mut self,
        what: &str,
        times: Times,
        ratio: &str,
        faults: Option<i64>,
        bound: Option<(&str, bool)>,
    ) {
        let faults = faults.map_or_else(String::new, |count| count.to_string());
        let (bound, verdict) =
            bound.map_or(("", ""), |(bound, is_within)| (bound, verdict(is_within)));
        let [median, p10] = [times.median, times.p10].map(milliseconds);
        self.add([what, &median, &p10, ratio, &faults, bound, verdict]);
    }

    /// Adds a row with a bound, and whether the measured value is within it.
    pub(crate) fn bounded(
        &mut self,
        what: &str,
        measured: String,
        ratio: String,
        bound: &str,
        is_within: bool,
    ) {
        self.add([what, &measured, "", &ratio, "", bound, verdict(is_within)]);
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, cells: [&str; 7]) {
        self.0.push(cells.map(str::to_owned));
    }

    /// Prints it.
    #[expect(
        clippy::print_stdout,
        reason = "the table is the output of this program"
    )]
    pub(crate) fn print(&self) {
        let head = [
            "what",
            "median",
            "p10",
            "ratio",
            "page faults over the smallest",
            "bound",
            "within bound",
        ]
        .map(str::to_owned);
        let rows = || std::iter::once(&head).chain(&self.0);
        let widths: [usize; 7] = std::array::from_fn(|column| {
            rows()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        });
        for (number, row) in rows().enumerate() {
            let cells = row.iter().zip(widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                println!("|-{}-|", widths.map(|width| "-".repeat(width)).join("-|-"));
            }
        }
    }
}

fn verdict(is_within: bool) -> &'static str {
    if is_within { "yes" } else { "NO" }
}

/// Returns the time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
