//! Tables for people: plain text in columns.

use console::Alignment;
use console::measure_text_width;
use console::pad_str;

/// The gap between two columns.
const GAP: usize = 2;

/// Rows as lines, each column as wide as its widest cell; without spaces at the
/// end of lines. A wide character takes two places of a terminal.
pub(super) fn aligned<Row: AsRef<[String]>>(rows: &[Row]) -> String {
    let columns = rows.iter().map(|row| row.as_ref().len()).max();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.as_ref().get(column));
        let widths = cells.map(|cell| measure_text_width(cell));
        widths.max().unwrap_or_default() + GAP
    };
    let widths: Vec<usize> = (0..columns.unwrap_or_default()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.as_ref().iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| pad_str(cell, *width, Alignment::Left, None))
            .collect();
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bbb", ""], ["äöü", "b", "c"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "a    bbb\näöü  b    c");
        assert_eq!(aligned::<[String; 2]>(&[]), "");
        let wide = [["部署", "b"], ["abc", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&wide), "部署  b\nabc   b");
    }
}
