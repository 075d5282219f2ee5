//! The commands in definitions of CI jobs.

use regex::Regex;
use yaml_rust2::Yaml;
use yaml_rust2::YamlLoader;

use crate::page::Block;

/// The keys whose values are commands: of GitHub Actions, of GitLab and Tekton.
const COMMAND_KEYS: [&str; 3] = ["before_script", "run", "script"];

/// Returns the scripts of a definition in YAML or Groovy, in their order; none if it is the definition of something else.
pub(crate) fn shell_parts(block: &Block) -> Vec<String> {
    if block.language == "groovy" {
        let pattern = Regex::new(r"(?s)\bsh '''(.*?)'''").expect("a pattern");
        let scripts = pattern.captures_iter(&block.text);
        return scripts.map(|script| script[1].to_owned()).collect();
    }
    let documents = YamlLoader::load_from_str(&block.text);
    let documents = documents.unwrap_or_else(|error| panic!("{}: {error}", block.place));
    let mut scripts = Vec::new();
    for document in &documents {
        add_scripts(document, &mut scripts);
    }
    scripts
}

fn add_scripts(value: &Yaml, scripts: &mut Vec<String>) {
    match value {
        Yaml::Array(items) => items.iter().for_each(|item| add_scripts(item, scripts)),
        Yaml::Hash(members) => {
            for (key, value) in members {
                match key.as_str() {
                    Some(key) if COMMAND_KEYS.contains(&key) => scripts.push(script(value)),
                    _ => add_scripts(value, scripts),
                }
            }
        }
        _ => {}
    }
}

/// Returns one script: a text, or lines.
fn script(value: &Yaml) -> String {
    match value {
        Yaml::Array(lines) => {
            let lines = lines
                .iter()
                .map(|line| line.as_str().expect("a line of a script"));
            lines.collect::<Vec<_>>().join("\n")
        }
        other => other.as_str().expect("a script").to_owned(),
    }
}
