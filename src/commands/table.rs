//! Text tables.

use console::Alignment;
use console::measure_text_width;
use console::pad_str;
use console::truncate_str;

use super::screen::Screen;

/// The number of spaces between two columns.
const GAP: usize = 2;

/// Returns a table with headings if it fits on the screen; otherwise a paragraph for each
/// row, with the headings beside the cells. The first cell is the title of the row.
pub(super) fn to_text<Row: AsRef<[String]>>(
    headings: &[&str],
    rows: &[Row],
    screen: Screen,
) -> String {
    let first: Vec<String> = headings.iter().map(|text| (*text).to_owned()).collect();
    let mut all: Vec<&[String]> = vec![&first];
    all.extend(rows.iter().map(AsRef::as_ref));
    let table = aligned(&all);
    if screen.fits(&table) {
        return match table.split_once('\n') {
            Some((first, rest)) => format!("{}\n{rest}", screen.heading(first)),
            None => screen.heading(&table),
        };
    }
    let headings = headings.get(1..).unwrap_or_default();
    let width = headings.iter().map(|text| measure_text_width(text)).max();
    let width = width.unwrap_or_default();
    let paragraph = |row: &[String]| {
        let mut cells = row.iter();
        let first = cells.next().map(|cell| screen.heading(cell));
        let rest = headings.iter().zip(cells).map(|(heading, cell)| {
            let heading = pad_str(heading, width, Alignment::Left, None).to_lowercase();
            let lines = screen.wrap(&format!("  {heading} "), cell);
            lines.trim_end().to_owned()
        });
        first.into_iter().chain(rest).collect::<Vec<_>>().join("\n")
    };
    let paragraphs: Vec<String> = all.into_iter().skip(1).map(paragraph).collect();
    paragraphs.join("\n")
}

/// Returns the rows with longer cells of these columns cut, in this order, so that the table is
/// no wider. Each column has its minimum width. Returns `None` if it is wider even so.
pub(super) fn cut(
    headings: &[&str],
    rows: &[Vec<String>],
    width: usize,
    columns: &[(usize, usize)],
) -> Option<Vec<Vec<String>>> {
    let mut rows = rows.to_vec();
    let mut widths: Vec<usize> = (0..headings.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let cells = cells.map(|cell| measure_text_width(cell));
            let heading = headings.get(column).map(|text| measure_text_width(text));
            cells.chain(heading).max().unwrap_or_default()
        })
        .collect();
    for &(column, minimum) in columns {
        let excess = (widths.iter().sum::<usize>() + GAP * (widths.len() - 1)).checked_sub(width);
        let (Some(excess @ 1..), Some(old)) = (excess, widths.get_mut(column)) else {
            continue;
        };
        *old = (*old).min(old.saturating_sub(excess).max(minimum));
        for cell in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            *cell = truncate_str(cell, *old, "…").into_owned();
        }
    }
    let total = widths.iter().sum::<usize>() + GAP * (widths.len() - 1);
    (total <= width).then_some(rows)
}

/// Returns rows as lines, each column as wide as its widest cell, without trailing spaces.
/// A wide character occupies two terminal columns.
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
    fn a_wide_table_is_cut_in_the_order_of_the_columns() {
        let rows = [vec!["abcdef".to_owned(), "ghijkl".to_owned()]];
        let cut = |width| {
            let rows = cut(&["A", "B"], &rows, width, &[(1, 3), (0, 4)])?;
            Some(rows.concat().join(" "))
        };
        for (width, expected) in [
            (14, Some("abcdef ghijkl")),
            (13, Some("abcdef ghij…")),
            (11, Some("abcdef gh…")),
            (9, Some("abc… gh…")),
            (8, None),
        ] {
            assert_eq!(cut(width).as_deref(), expected, "{width}");
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bbb", ""], ["äöü", "b", "c"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "a    bbb\näöü  b    c");
        assert_eq!(aligned::<[String; 2]>(&[]), "");
        let wide = [["部署", "b"], ["abc", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&wide), "部署  b\nabc   b");
    }
}
