//! The width and the colours of the output.

use console::Style;
use console::measure_text_width;

use crate::context::Context;
use crate::context::Stdio;
use crate::environment;
use crate::environment::Environment;

/// The minimum width for which lines are wrapped, in characters: a word must fit.
const MIN_WIDTH: usize = 20;

/// The output of a command as a person sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    has_colors: bool,
    width: Option<usize>,
}

impl Screen {
    /// A file: no colours, and lines of any length.
    pub(super) const PLAIN: Self = Self {
        has_colors: false,
        width: None,
    };

    /// Creates the screen for the standard output. The width is `COLUMNS`, or else that of
    /// the terminal; a pipe has none. There are no colours in a pipe, with `NO_COLOR`
    /// (no-color.org), with `CLICOLOR=0` or with `TERM=dumb`.
    pub(super) fn of(stdio: &Stdio<'_>, context: &Context<'_>) -> Self {
        let is_terminal = stdio.output_is_terminal;
        let of_terminal = || context.terminal.width().filter(|_| is_terminal);
        Self {
            has_colors: is_terminal && wants_colors(context.environment),
            width: columns(context.environment).or_else(of_terminal),
        }
    }

    /// Returns the width in characters; `None` if lines may have any length.
    pub(super) fn width(self) -> Option<usize> {
        self.width
    }

    /// Returns whether each line of a text fits.
    pub(super) fn fits(self, text: &str) -> bool {
        let fits = |width| text.lines().all(|line| measure_text_width(line) <= width);
        self.width.is_none_or(fits)
    }

    /// Returns a text in the style of headings.
    pub(super) fn heading(self, text: &str) -> String {
        self.styled(&Style::new().bold(), text)
    }

    /// Returns a text in the colour for `ok`.
    pub(super) fn good(self, text: &str) -> String {
        self.styled(&Style::new().green(), text)
    }

    /// Returns a text in the colour for warnings.
    pub(super) fn warning(self, text: &str) -> String {
        self.styled(&Style::new().yellow(), text)
    }

    /// Returns a text in the colour for problems.
    pub(super) fn problem(self, text: &str) -> String {
        self.styled(&Style::new().red(), text)
    }

    /// Returns a unified diff in the colours of git.
    pub(super) fn diff(self, diff: &str) -> String {
        let style = |line: &str| match line.as_bytes() {
            [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => Style::new().bold(),
            [b'@', b'@', ..] => Style::new().cyan(),
            [b'-', ..] => Style::new().red(),
            [b'+', ..] => Style::new().green(),
            _ => Style::new(),
        };
        let lines = diff.lines().map(|line| self.styled(&style(line), line));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn styled(self, style: &Style, text: &str) -> String {
        let style = style.clone().force_styling(self.has_colors);
        style.apply_to(text).to_string()
    }

    /// Wraps a text between words. The first line begins with `hang`, and the others are
    /// indented by its width. A word that is too long has a line of its own.
    pub(super) fn wrap(self, hang: &str, text: &str) -> String {
        let start = text.trim_start_matches(' ');
        let hang = format!("{hang}{}", &text[..text.len() - start.len()]);
        let indent = measure_text_width(&hang);
        let room = self.width.map_or(usize::MAX, |width| width.max(MIN_WIDTH));
        let mut lines = vec![hang];
        let mut used = indent;
        for word in start.split(' ') {
            let width = measure_text_width(word);
            let is_first = used == indent;
            if !is_first && used.saturating_add(1).saturating_add(width) > room {
                lines.push(" ".repeat(indent));
                used = indent;
            }
            if let Some(line) = lines.last_mut() {
                if used > indent {
                    line.push(' ');
                    used += 1;
                }
                line.push_str(word);
                used += width;
            }
        }
        lines.join("\n")
    }
}

fn wants_colors(environment: &Environment) -> bool {
    let is_dumb = environment.text(environment::TERM) == Ok(Some("dumb"));
    let is_off = environment.text(environment::CLICOLOR) == Ok(Some("0"));
    !is_dumb && !is_off && !environment.has(environment::NO_COLOR)
}

fn columns(environment: &Environment) -> Option<usize> {
    let text = environment.text(environment::COLUMNS).ok()??;
    text.parse().ok().filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: Option<usize>, has_colors: bool) -> Screen {
        Screen { has_colors, width }
    }

    #[test]
    fn a_text_is_wrapped_between_words_and_indented() {
        let text = "one two three four a-word-that-is-much-too-long five";
        let narrow = screen(Some(20), false);
        assert_eq!(
            narrow.wrap("  - ", text),
            "  - one two three\n    four\n    a-word-that-is-much-too-long\n    five"
        );
        assert_eq!(screen(None, false).wrap("- ", text), format!("- {text}"));
        assert_eq!(
            narrow.wrap("", "  one two three four five"),
            "  one two three four\n  five"
        );
        let tiny = screen(Some(1), false).wrap("", "a b");
        assert_eq!(tiny, "a b", "smaller widths are ignored");
    }

    #[test]
    fn colors_depend_on_term_and_no_color() {
        assert_eq!(screen(None, false).good("ok"), "ok");
        assert_eq!(screen(None, true).good("ok"), "\u{1b}[32mok\u{1b}[0m");
        for (variables, wanted) in [
            (&[("TERM", "xterm")][..], true),
            (&[], true),
            (&[("TERM", "dumb")], false),
            (&[("NO_COLOR", "1")], false),
            (&[("NO_COLOR", "")], true),
            (&[("CLICOLOR", "0")], false),
            (&[("CLICOLOR", "1")], true),
            (&[("CLICOLOR", "1"), ("NO_COLOR", "1")], false),
        ] {
            let environment = variables.iter().copied().collect();
            assert_eq!(wants_colors(&environment), wanted, "{variables:?}");
        }
    }

    #[test]
    fn a_diff_has_the_colors_of_git() {
        let diff = "--- a\n+++ b\n@@ -1 +1 @@\n same\n-old\n+new";
        assert_eq!(screen(None, false).diff(diff), diff);
        let colored = screen(None, true).diff(diff);
        assert_eq!(
            colored,
            "\u{1b}[1m--- a\u{1b}[0m\n\u{1b}[1m+++ b\u{1b}[0m\n\u{1b}[36m@@ -1 +1 @@\u{1b}[0m\n same\n\u{1b}[31m-old\u{1b}[0m\n\u{1b}[32m+new\u{1b}[0m"
        );
    }

    #[test]
    fn columns_must_be_a_positive_number() {
        for (text, columns) in [("80", Some(80)), ("0", None), ("wide", None), ("", None)] {
            let environment = [("COLUMNS", text)].into_iter().collect();
            assert_eq!(super::columns(&environment), columns);
        }
    }
}
