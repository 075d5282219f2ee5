//! Parses YAML of any origin: without deep nesting, which overflows the stack of the parser, and
//! without aliases that repeat each other until the memory is full.

use std::collections::HashMap;

use yaml_rust2::Yaml;
use yaml_rust2::YamlLoader;
use yaml_rust2::parser::Event;
use yaml_rust2::parser::MarkedEventReceiver;
use yaml_rust2::parser::Parser;
use yaml_rust2::scanner::Marker;
use yaml_rust2::scanner::ScanError;
use yaml_rust2::scanner::TScalarStyle;

/// How deep lists and objects may be in each other.
const MAX_DEPTH: usize = 64;

/// The maximum number of values, including those that aliases repeat.
const MAX_VALUES: usize = 100_000;

/// Returns the documents of a text.
///
/// # Errors
/// What is wrong with the text, as the rest of a sentence: "is not YAML (line 3)". It contains
/// nothing of the text, which may be a secret.
pub(crate) fn parse(text: &str) -> Result<Vec<Yaml>, String> {
    check_size(text)?;
    YamlLoader::load_from_str(text).map_err(|error| not_yaml(&error))
}

/// Returns the documents of a text as YAML 1.1 has them, in which `yes` and `off` without quotation
/// marks are booleans, too. Kubernetes reads its files so.
///
/// # Errors
/// As those of [`parse`].
pub(crate) fn parse_1_1(text: &str) -> Result<Vec<Yaml>, String> {
    parse(text)?;
    let mut loader = Loader::default();
    let mut parser = Parser::new_from_str(text);
    let loaded = parser.load(&mut loader, true);
    loaded.map_err(|error| not_yaml(&error))?;
    Ok(loader.0.documents().to_vec())
}

/// A loader that gets booleans of YAML 1.1 as those of YAML 1.2.
#[derive(Default)]
struct Loader(YamlLoader);

impl MarkedEventReceiver for Loader {
    fn on_event(&mut self, event: Event, marker: Marker) {
        let event = match event {
            Event::Scalar(text, TScalarStyle::Plain, anchor, None) => {
                let text = boolean(&text).map_or(text, str::to_owned);
                Event::Scalar(text, TScalarStyle::Plain, anchor, None)
            }
            event => event,
        };
        self.0.on_event(event, marker);
    }
}

/// Returns a boolean of YAML 1.1 (yaml.org/type/bool.html) as YAML 1.2 has it.
fn boolean(text: &str) -> Option<&'static str> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some("true"),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some("false"),
        _ => None,
    }
}

/// Counts the values before they are created.
fn check_size(text: &str) -> Result<(), String> {
    let mut parser = Parser::new_from_str(text);
    let mut values = 0;
    // The anchor of each open list or object, and the number of values before it.
    let mut open = Vec::new();
    let mut sizes = HashMap::new();
    loop {
        let (event, marker) = parser.next_token().map_err(|error| not_yaml(&error))?;
        match event {
            Event::StreamEnd => return Ok(()),
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, values));
                values += 1;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((anchor, before)) = open.pop() {
                    sizes.insert(anchor, values - before);
                }
            }
            Event::Scalar(_, _, anchor, _) => {
                sizes.insert(anchor, 1);
                values += 1;
            }
            Event::Alias(anchor) => values += sizes.get(&anchor).copied().unwrap_or(1),
            _ => {}
        }
        if open.len() > MAX_DEPTH {
            return Err(format!("is nested too deeply (line {})", marker.line()));
        }
        if values > MAX_VALUES {
            return Err(format!("has too many values (line {})", marker.line()));
        }
    }
}

fn not_yaml(error: &ScanError) -> String {
    format!("is not YAML (line {})", error.marker().line())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        parse(text).unwrap_err()
    }

    #[test]
    fn aliases_and_several_documents_are_read() {
        let documents = parse("a: &a [1, 2]\nb: *a\n---\nc\n").unwrap();
        assert_eq!(documents[0]["b"][1].as_i64(), Some(2));
        assert_eq!(documents[1].as_str(), Some("c"));
        assert_eq!(parse("").unwrap().len(), 0);
    }

    #[test]
    fn the_line_of_an_error_is_named_and_nothing_of_the_text() {
        assert_eq!(reason("a: b\ntoken: [secret"), "is not YAML (line 3)");
    }

    #[test]
    fn deep_nesting_is_refused() {
        for text in ["[", "- ", "? ", "{a: ", "- [", "&a [", "!t - "] {
            let text = text.repeat(300_000 / text.len());
            assert!(!reason(&text).is_empty());
        }
        assert_eq!(reason(&"- ".repeat(100)), "is nested too deeply (line 1)");
        assert!(parse(&("[".repeat(60) + &"]".repeat(60))).is_ok());
    }

    #[test]
    fn aliases_that_repeat_each_other_are_refused() {
        let levels = ('b'..='k').zip('a'..);
        let levels = levels.map(|(name, last)| {
            format!(
                "{name}: &{name} [{}]\n",
                vec![format!("*{last}"); 9].join(",")
            )
        });
        let text = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned() + &levels.collect::<String>();
        assert_eq!(reason(&text), "has too many values (line 6)");
    }
}
