//! The text of new members, laid out as the rest of the file is.

use super::Document;
use super::Edit;
use super::Format;
use super::HELPER;
use super::HOST_HELPER;
use super::edit::quoted;
use super::parse::Object;
use super::parse::after_line;

/// The indentation that docker and podman write.
const INDENTATION: &str = "\t";

/// The layout of a file.
struct Style<'a> {
    colon: &'a str,
    indentation: &'a str,
    /// `None` if the file is a single line.
    newline: Option<&'static str>,
}

impl<'a> Document<'a> {
    /// Returns the edit that adds this helper to an entry of `hosts`.
    pub(super) fn field_addition(&self, entry: &Object<'_>) -> Edit {
        let style = self.style();
        let field = host_helper(&style);
        self.with_members(entry, &[field], &self.indentation_of(entry), &style)
    }

    /// Returns the edit that adds this helper for hosts without an entry.
    pub(super) fn addition(&self, helpers: Option<&Object<'a>>, hosts: &[&String]) -> Edit {
        let style = self.style();
        let section = self.format.section();
        let value = match self.format {
            Format::Docker => quoted(HELPER),
            Format::Regctl => format!("{{{}}}", host_helper(&style)),
        };
        let entries: Vec<String> = hosts
            .iter()
            .map(|host| format!("{}{}{value}", quoted(host), style.colon))
            .collect();
        if let Some(helpers) = helpers {
            return self.with_members(helpers, &entries, &self.indentation_of(helpers), &style);
        }
        let Some(root) = &self.root else {
            let object = block(&entries, INDENTATION, &style);
            let all = block(&[format!("\"{section}\": {object}")], "", &style);
            return Edit {
                at: 0..self.text.len(),
                text: all + "\n",
            };
        };
        let inside = if root.members.is_empty() {
            style.indentation.to_owned()
        } else {
            self.indentation_within(root)
        };
        let object = block(&entries, &inside, &style);
        if let Some(null) = self.fields(section).next() {
            return Edit {
                at: null.value_at.clone(),
                text: object,
            };
        }
        let member = format!("\"{section}\"{}{object}", style.colon);
        self.with_members(root, &[member], &self.indentation_of(root), &style)
    }

    /// Returns the edit that adds members at the end of an object; `indentation` is that of
    /// its closing brace.
    fn with_members(
        &self,
        object: &Object<'_>,
        members: &[String],
        indentation: &str,
        style: &Style<'_>,
    ) -> Edit {
        let Some(last) = object.members.last() else {
            return Edit {
                at: object.at.clone(),
                text: block(members, indentation, style),
            };
        };
        let gap = self.gap_before_last(object);
        let gap = match (gap.rfind(['\n', '\r']), object.members.len()) {
            (Some(_), _) => format!("{}{}", style.newline.unwrap_or("\n"), after_line(gap)),
            (None, 1) if gap.is_empty() && style.colon.ends_with(' ') => " ".into(),
            _ => gap.to_owned(),
        };
        let end = last.value_at.end;
        Edit {
            at: end..end,
            text: members
                .iter()
                .map(|member| format!(",{gap}{member}"))
                .collect(),
        }
    }

    /// Returns the white space before the last member's key.
    fn gap_before_last(&self, object: &Object<'_>) -> &'a str {
        let Some(last) = object.members.last() else {
            return "";
        };
        let before = object.members.len().checked_sub(2);
        let start = match before.and_then(|before| object.members.get(before)) {
            None => object.at.start + 1,
            Some(before) => before.value_at.end,
        };
        let gap = &self.text[start..last.key_at.start];
        gap.split_once(',').map_or(gap, |(_, after)| after)
    }

    /// Returns the indentation of an object's members.
    fn indentation_within(&self, object: &Object<'_>) -> String {
        after_line(self.gap_before_last(object)).to_owned()
    }

    /// Returns the indentation of an object's closing brace.
    fn indentation_of(&self, object: &Object<'_>) -> String {
        let before = &self.text[..object.at.start];
        let line = after_line(before);
        let end = line.find(|character| character != ' ' && character != '\t');
        line[..end.unwrap_or(line.len())].to_owned()
    }

    /// Returns the layout of the last member; Docker's own layout for an empty file.
    fn style(&self) -> Style<'a> {
        let is_crlf = self.text.contains("\r\n");
        let newline = if is_crlf { "\r\n" } else { "\n" };
        let members = self.root.as_ref().filter(|root| !root.members.is_empty());
        let Some((root, last)) = members.and_then(|root| Some((root, root.members.last()?))) else {
            return Style {
                colon: ": ",
                indentation: INDENTATION,
                newline: Some(newline),
            };
        };
        let gap = self.gap_before_last(root);
        Style {
            colon: &self.text[last.key_at.end..last.value_at.start],
            indentation: after_line(gap),
            newline: gap.contains(['\n', '\r']).then_some(newline),
        }
    }
}

/// Returns the field with this helper in an entry of `hosts`.
fn host_helper(style: &Style<'_>) -> String {
    let helper = quoted(Format::Regctl.helper());
    format!("{}{}{helper}", quoted(HOST_HELPER), style.colon)
}

/// Returns a new object in the layout of the file; its closing brace is indented by
/// `indentation`.
fn block(members: &[String], indentation: &str, style: &Style<'_>) -> String {
    let Some(newline) = style.newline else {
        let comma = if style.colon.ends_with(' ') {
            ", "
        } else {
            ","
        };
        return format!("{{{}}}", members.join(comma));
    };
    let gap = format!("{newline}{indentation}{}", style.indentation);
    let members: Vec<String> = members
        .iter()
        .map(|member| format!("{gap}{member}"))
        .collect();
    format!("{{{}{newline}{indentation}}}", members.join(","))
}
