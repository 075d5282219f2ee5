//! The flags of the kubelet in a file of variables that systemd reads (`EnvironmentFile=`), such as
//! kubeadm's `/etc/default/kubelet`.

/// The variable with an administrator's flags (kubeadm's drop-in `10-kubeadm.conf`).
const VARIABLE: &str = "KUBELET_EXTRA_ARGS=";

/// Returns a file with more flags. The last line of the variable counts. Returns `None` if it
/// cannot be changed.
pub fn with_flags(text: &str, flags: &str) -> Option<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let Some(line) = lines
        .iter_mut()
        .rfind(|line| line.trim_start().starts_with(VARIABLE))
    else {
        let newline = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        return Some(format!("{text}{newline}{VARIABLE}\"{flags}\"\n"));
    };
    let end = line.trim_end().len();
    let value = line.get(..end)?.trim_start().strip_prefix(VARIABLE)?;
    // The value continues on the next line.
    if value.ends_with('\\') {
        return None;
    }
    let quote = value
        .chars()
        .next()
        .filter(|first| ['"', '\''].contains(first));
    let at = match quote {
        Some(quote) if value.len() < 2 || !value.ends_with(quote) => return None,
        Some(_) => end - 1,
        None => end,
    };
    let is_empty = value.trim_matches(['"', '\'']).is_empty();
    line.insert_str(at, &format!("{}{flags}", if is_empty { "" } else { " " }));
    Some(lines.concat())
}

/// Returns a file without flags that [`with_flags`] added.
pub fn without_flags(text: &str, flags: &str) -> String {
    let line = format!("{VARIABLE}\"{flags}\"\n");
    let text = text.replace(&line, "");
    text.replace(&format!(" {flags}"), "").replace(flags, "")
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
        ] {
            let with = with_flags(text, "--x").unwrap();
            assert_eq!(with, expected);
            assert_eq!(without_flags(&with, "--x").trim_end(), text.trim_end());
        }
        for text in [
            "KUBELET_EXTRA_ARGS=--a \\\n --b\n",
            "KUBELET_EXTRA_ARGS=\"--a\n",
        ] {
            assert_eq!(with_flags(text, "--x"), None, "{text}");
        }
    }
}
