//! The table of measurements, in Markdown.

use std::time::Duration;

/// A table.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 5]>);

impl Table {
    /// Adds a row with a bound, and whether the measured value is within it.
    pub(crate) fn bounded(
        &mut self,
        what: &str,
        measured: String,
        ratio: String,
        bound: &str,
        is_within: bool,
    ) {
        let verdict = if is_within { "yes" } else { "NO" };
        self.add([what, &measured, &ratio, bound, verdict]);
    }

    /// Adds a row without a bound, for comparison.
    pub(crate) fn unbounded(&mut self, what: &str, measured: &str, ratio: &str) {
        self.add([what, measured, ratio, "", ""]);
    }

    fn add(&mut self, cells: [&str; 5]) {
        self.0.push(cells.map(str::to_owned));
    }

    /// Prints it.
    #[expect(
        clippy::print_stdout,
        reason = "the table is the output of this program"
    )]
    pub(crate) fn print(&self) {
        let head = ["what", "measured", "ratio", "bound", "within bound"].map(str::to_owned);
        let rows = || std::iter::once(&head).chain(&self.0);
        let widths: [usize; 5] = std::array::from_fn(|column| {
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

/// Returns the time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
