//! Tables for people: plain text in columns.

/// The gap between two columns.
const GAP: usize = 2;

/// Rows as lines, each column as wide as its widest cell; without spaces at the
/// end of lines. Widths are counted in characters.
pub(super) fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default() + GAP
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}"))
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
        assert_eq!(aligned::<2>(&[]), "");
    }
}
