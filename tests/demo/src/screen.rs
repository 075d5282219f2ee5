//! The demo's output. Only this module writes to standard output; no line is wider than 80 columns.

use std::io;
use std::io::Write as _;

const WIDTH: usize = 79;

/// Prints a formatted text.
pub(crate) fn text(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints the heading of a step.
pub(crate) fn heading(number: u8, title: &str) -> io::Result<()> {
    text(&format!("\n{number}. {title}"))
}

/// Prints a command as it could be typed, with its standard input.
pub(crate) fn command(program: &str, arguments: &[&str], input: &str) -> io::Result<()> {
    let line = match input {
        "" => program.to_owned(),
        json if json.starts_with('{') => return here_document(program, arguments, json),
        word => format!("echo {word} | {program}"),
    };
    text(&folded(
        &format!("{line} {}", arguments.join(" ")),
        "   $ ",
        "       ",
        " \\",
    ))
}

/// Prints the output of a command.
pub(crate) fn output(output: &str) -> io::Result<()> {
    for line in output.lines() {
        text(&folded(&without_long_digests(line), "     ", "       ", ""))?;
    }
    Ok(())
}

/// Prints a note.
pub(crate) fn note(note: &str) -> io::Result<()> {
    text(&folded(note, "   ", "   ", ""))
}

fn here_document(program: &str, arguments: &[&str], input: &str) -> io::Result<()> {
    text(&format!("   $ {program} {} <<END", arguments.join(" ")))?;
    output(input)?;
    text("     END")
}

/// Breaks a line after spaces or commas.
fn folded(line: &str, first: &str, others: &str, mark: &str) -> String {
    let mut folded = first.to_owned();
    let mut column = first.len();
    for word in line.split_inclusive([' ', ',']) {
        let length = word.trim_end().chars().count();
        if column + length + mark.len() > WIDTH && column > others.len() {
            folded.truncate(folded.trim_end().len());
            folded += &format!("{mark}\n{others}");
            column = others.len();
        }
        folded += word;
        column += word.chars().count();
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Shortens the digests of a line that is too long, as clients do.
fn without_long_digests(line: &str) -> String {
    if line.chars().count() <= WIDTH - 5 {
        return line.to_owned();
    }
    let mut pieces = line.split("sha256:");
    let mut shortened = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_hexdigit).count();
        shortened += "sha256:";
        shortened += &match digits {
            64 => format!("{}…{}", &piece[..12], &piece[digits..]),
            _ => piece.to_owned(),
        };
    }
    shortened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let words = "word ".repeat(40);
        let folded = folded(&words, "   $ ", "       ", " \\");
        assert!(folded.lines().all(|line| line.len() <= WIDTH), "{folded}");
        assert_eq!(folded.matches("word").count(), 40, "nothing gets lost");
        assert_eq!(folded.matches(" \\\n").count(), folded.lines().count() - 1);
        assert!(!folded.ends_with(' '));
    }

    #[test]
    fn a_word_that_is_too_wide_has_its_own_line() {
        let wide = "w".repeat(100);
        assert_eq!(
            folded(&format!("a {wide} b"), "", " ", ""),
            format!("a\n {wide}\n b")
        );
    }

    #[test]
    fn digests_are_shortened_if_the_line_is_too_long() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(without_long_digests(&digest), digest);
        let line = format!("Copying blob {digest} done");
        assert_eq!(
            without_long_digests(&line),
            "Copying blob sha256:aaaaaaaaaaaa… done"
        );
    }
}
