//! The flags of the kubelet in a file of variables that systemd reads (`EnvironmentFile=` in
//! systemd.exec(5)), such as kubeadm's `/etc/default/kubelet`.

/// The variable with an administrator's flags (kubeadm's drop-in `10-kubeadm.conf`).
pub const VARIABLE: &str = "KUBELET_EXTRA_ARGS";

/// The marks around a value.
const QUOTES: [char; 2] = ['"', '\''];

/// Returns the variables of a file in their order, as systemd reads them.
pub fn variables(text: &str) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find('\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        match line.split_once('=') {
            Some((name, _)) if !line.starts_with(['#', ';']) => {
                let (value, after) = value(rest.get(name.len() + 1..).unwrap_or_default());
                variables.push((name.trim_end().to_owned(), value));
                rest = after;
            }
            _ => rest = after,
        }
        rest = rest.trim_start();
    }
    variables
}

/// Returns the value at the beginning of a text, and the rest of the text.
fn value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut quote = None;
    let mut is_begun = false;
    // The length without blanks at the end that are not quoted.
    let mut length = 0;
    let mut characters = text.char_indices();
    while let Some((at, it)) = characters.next() {
        match (it, quote) {
            ('\n', None) => {
                value.truncate(length);
                return (value, text.get(at..).unwrap_or_default());
            }
            (_, Some(mark)) if it == mark => (quote, is_begun) = (None, false),
            ('\\', None | Some('"')) => {
                let next = characters.next().map(|(_, it)| it);
                let is_literal = quote.is_some() && !next.is_some_and(|it| "\"\\`$\n".contains(it));
                value.extend(is_literal.then_some('\\'));
                value.extend(next.filter(|it| *it != '\n'));
                is_begun |= quote.is_none();
            }
            ('"' | '\'', None) if !is_begun => quote = Some(it),
            (_, None) if it.is_whitespace() => {
                if is_begun {
                    value.push(it);
                }
                continue;
            }
            _ => {
                value.push(it);
                is_begun |= quote.is_none();
            }
        }
        length = value.len();
    }
    value.truncate(length);
    (value, "")
}

/// Returns the part of a line after the variable's `=` and the blanks there.
fn value_of_line(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix(VARIABLE)?.trim_start();
    Some(rest.strip_prefix('=')?.trim_start_matches([' ', '\t']))
}

/// Returns the last value of the variable.
fn last_value(text: &str) -> Option<String> {
    let mut variables = variables(text).into_iter().rev();
    variables.find(|(name, _)| name == VARIABLE).map(|it| it.1)
}

/// Returns a file with more flags. The last line of the variable counts. Returns `None` if it
/// cannot be changed.
pub fn with_flags(text: &str, flags: &str) -> Option<String> {
    let before = last_value(text);
    if before.as_ref().is_some_and(|value| value.contains(flags)) {
        return Some(text.to_owned());
    }
    // Versions of systemd differ in whether the next line belongs to such a comment.
    let mut comments = text
        .lines()
        .filter(|it| it.trim_start().starts_with(['#', ';']));
    if comments.any(|line| line.trim_end().ends_with('\\')) {
        return None;
    }
    let changed = add(text, flags)?;
    let expected = match before.filter(|value| !value.trim().is_empty()) {
        Some(before) => format!("{} {flags}", before.trim_end()),
        None => flags.to_owned(),
    };
    let is_other = |(name, _): &(String, String)| name != VARIABLE;
    let others = |text: &str| {
        variables(text)
            .into_iter()
            .filter(is_other)
            .collect::<Vec<_>>()
    };
    let is_as_expected = last_value(&changed)
        .is_some_and(|it| it.split_whitespace().eq(expected.split_whitespace()))
        && others(&changed) == others(text);
    is_as_expected.then_some(changed)
}

fn add(text: &str, flags: &str) -> Option<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let Some(line) = lines.iter_mut().rfind(|line| value_of_line(line).is_some()) else {
        let is_complete = text.is_empty() || text.ends_with('\n');
        let newline = if is_complete { "" } else { "\n" };
        return Some(format!("{text}{newline}{VARIABLE}=\"{flags}\"\n"));
    };
    let end = line.trim_end().len();
    let value = value_of_line(line.get(..end)?)?;
    // The value continues on the next line.
    if value.ends_with('\\') {
        return None;
    }
    let (at, inner) = match value.chars().next().filter(|it| QUOTES.contains(it)) {
        Some(quote) => {
            let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
            // What such a mark means depends on who reads it.
            if inner.contains(['"', '\'', '\\']) {
                return None;
            }
            (end - 1, inner)
        }
        None => (end, value),
    };
    let is_open = |quote: char| inner.matches(quote).count() % 2 == 1;
    if QUOTES.into_iter().any(is_open) {
        return None;
    }
    let blank = if inner.is_empty() { "" } else { " " };
    line.insert_str(at, &format!("{blank}{flags}"));
    Some(lines.concat())
}

/// Returns a file without flags that [`with_flags`] added. Each is removed if its value is the same.
pub fn without_flags(text: &str, flags: &str) -> String {
    let line = format!("{VARIABLE}=\"{flags}\"\n");
    let text = text.replace(&line, "");
    let lines = text.split_inclusive('\n').map(|line| {
        if value_of_line(line).is_none() {
            return line.to_owned();
        }
        let mut line = line.to_owned();
        for flag in flags.split_whitespace() {
            for form in [flag.to_owned(), flag.replacen('=', " ", 1)] {
                line = without_flag(&line, &form);
            }
        }
        line
    });
    lines.collect()
}

/// Returns a line without a flag, and without a blank beside it.
fn without_flag(line: &str, flag: &str) -> String {
    let is_end = |it: char| it.is_whitespace() || QUOTES.contains(&it);
    let mut kept = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(flag) {
        let begins = before.ends_with(|it| is_end(it) || it == '=');
        if begins && (after.is_empty() || after.starts_with(is_end)) {
            let shorter = before.strip_suffix([' ', '\t']);
            kept.push_str(shorter.unwrap_or(before));
            let after_blank = after
                .strip_prefix([' ', '\t'])
                .filter(|_| shorter.is_none());
            rest = after_blank.unwrap_or(after);
        } else {
            kept.push_str(before);
            kept.push_str(flag);
            rest = after;
        }
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_added_to_the_line_that_counts_and_removed() {
        for (text, expected) in [
            ("", "KUBELET_EXTRA_ARGS=\"--x\"\n"),
            ("A=1", "A=1\nKUBELET_EXTRA_ARGS=\"--x\"\n"),
            ("KUBELET_EXTRA_ARGS=\n", "KUBELET_EXTRA_ARGS=--x\n"),
            ("KUBELET_EXTRA_ARGS=\"\"", "KUBELET_EXTRA_ARGS=\"--x\""),
            (
                "KUBELET_EXTRA_ARGS=--a\nKUBELET_EXTRA_ARGS=--v=2 --b\nB=\n",
                "KUBELET_EXTRA_ARGS=--a\nKUBELET_EXTRA_ARGS=--v=2 --b --x\nB=\n",
            ),
            (
                "KUBELET_EXTRA_ARGS='--a' \n",
                "KUBELET_EXTRA_ARGS='--a --x' \n",
            ),
            (
                "#KUBELET_EXTRA_ARGS=--a\n",
                "#KUBELET_EXTRA_ARGS=--a\nKUBELET_EXTRA_ARGS=\"--x\"\n",
            ),
            (
                " KUBELET_EXTRA_ARGS =  \"--a\"\n",
                " KUBELET_EXTRA_ARGS =  \"--a --x\"\n",
            ),
            (
                "KUBELET_EXTRA_ARGS=--a=\"b c\"\n",
                "KUBELET_EXTRA_ARGS=--a=\"b c\" --x\n",
            ),
        ] {
            let with = with_flags(text, "--x").unwrap();
            assert_eq!(with, expected);
            assert_eq!(with_flags(&with, "--x").as_ref(), Some(&with), "not twice");
            assert_eq!(without_flags(&with, "--x").trim_end(), text.trim_end());
        }
        for text in [
            "KUBELET_EXTRA_ARGS=--a \\\n --b\n",
            "KUBELET_EXTRA_ARGS=\"--a\n",
            "KUBELET_EXTRA_ARGS=\"--a\" --b\n",
            "KUBELET_EXTRA_ARGS=\"--a\" \"--b\"\n",
            "KUBELET_EXTRA_ARGS=\"--a=\\\"b\\\"\"\n",
            "KUBELET_EXTRA_ARGS=\"--a='b c'\"\n",
            "KUBELET_EXTRA_ARGS=--a=\"b\n",
            "A=\\\nKUBELET_EXTRA_ARGS=--a\n",
            "A=\"\nKUBELET_EXTRA_ARGS=--a\n\"\n",
            "A=\"open\n",
            "# \\\nKUBELET_EXTRA_ARGS=--a\n",
        ] {
            assert_eq!(with_flags(text, "--x"), None, "{text}");
        }
    }

    #[test]
    fn flags_are_removed_one_by_one_if_they_have_the_same_value() {
        for (text, expected) in [
            ("\"--c=/a --v=2 --d=/b\"", "\"--v=2\""),
            ("--d /b --c /a --v=2", "--v=2"),
            ("--c=/a.yaml --d=/b/c", "--c=/a.yaml --d=/b/c"),
        ] {
            let line = |value: &str| format!("# --c=/a\nKUBELET_EXTRA_ARGS={value}\nA=--c=/a\n");
            assert_eq!(without_flags(&line(text), "--c=/a --d=/b"), line(expected));
        }
    }

    #[test]
    fn variables_are_read_as_systemd_does() {
        let text = "; no=1\n# no=1\nA = 1 2 \nexport\nB='x\ny' z\nC=\"a\\\"\\n\"\nD=a\\\nb\\c\nE=";
        let expected = [
            ("A", "1 2"),
            ("B", "x\nyz"),
            ("C", "a\"\\n"),
            ("D", "abc"),
            ("E", ""),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables(text), expected);
    }
}
