//! Pages in Markdown: their blocks, headings and links.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use regex::Regex;

/// The pages beside `docs/`, the README first.
const TOP: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
];

/// A page of the documentation.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A block between fences.
pub(crate) struct Block {
    /// The page and the line.
    pub(crate) place: String,
    pub(crate) language: String,
    pub(crate) text: String,
    pub(crate) how: How,
}

/// Who runs a block.
pub(crate) enum How {
    NotRun,
    Run(Vec<Condition>),
    RunBy(String),
}

/// A condition under which a block runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Condition {
    /// On the machine of the block before.
    Continued,
    /// With an API key in the environment.
    Key,
    /// Without a login and without configured clients.
    NewMachine,
    /// With the settings of the last block of settings above it.
    Settings,
    /// With a session of the IBM Cloud CLI, which has logged in Docker, too.
    Session,
    /// At a terminal, where all questions are answered.
    Terminal,
}

impl Page {
    /// Returns all pages, the README first.
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let entries = fs::read_dir(root.join("docs")).expect("docs/");
        let entries = entries.map(|entry| entry.expect("an entry").path());
        let mut pages: Vec<PathBuf> = entries
            .filter(|path| path.extension().is_some_and(|end| end == "md"))
            .collect();
        pages.sort();
        let top = TOP.iter().map(|name| root.join(name));
        top.chain(pages).map(Self::read).collect()
    }

    pub(crate) fn read(path: PathBuf) -> Self {
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// Returns the path below the workspace.
    pub(crate) fn name(&self) -> String {
        let root = env!("CARGO_MANIFEST_DIR");
        let path = self
            .path
            .strip_prefix(root)
            .expect("a page of the workspace");
        path.display().to_string()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().expect("a file")
    }

    /// Returns all blocks. Fences may be indented in a list.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut above = "";
        let mut lines = self.text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let trimmed = line.trim_start();
            if let Some(language) = trimmed.strip_prefix("```") {
                let place = format!("{}:{}", self.name(), number + 1);
                let indentation = line.len() - trimmed.len();
                let body = lines.by_ref().map(|(_, line)| line);
                let body = body.take_while(|line| line.trim_start() != "```");
                let text =
                    body.map(|line| format!("{}\n", line.get(indentation..).unwrap_or_default()));
                blocks.push(Block {
                    text: text.collect(),
                    language: language.to_owned(),
                    how: how(above, &place),
                    place,
                });
            }
            above = line;
        }
        blocks
    }

    /// Returns the lines outside of blocks, with their numbers.
    fn prose(&self) -> Vec<(usize, &str)> {
        let mut is_block = false;
        let lines = self.text.lines().enumerate();
        let lines = lines.filter(|(_, line)| {
            let is_fence = line.trim_start().starts_with("```");
            is_block ^= is_fence;
            !is_block && !is_fence
        });
        lines.map(|(number, line)| (number + 1, line)).collect()
    }

    /// Returns the links within the repository, each with its place.
    pub(crate) fn links(&self) -> Vec<(String, String)> {
        let mut links = self.found(r"\]\(([^)\s]+)\)");
        links.retain(|(_, link)| !link.contains("://"));
        links
    }

    /// Returns the files of the repository that are named between backticks, each with its place.
    pub(crate) fn named_files(&self) -> Vec<(String, String)> {
        self.found(r"`((?:benches|docs|install|src|tests)/[\w./-]+)")
    }

    /// Returns the first group of each match outside of blocks, with its place.
    fn found(&self, pattern: &str) -> Vec<(String, String)> {
        let pattern = Regex::new(pattern).expect("a pattern");
        let found = self.prose().into_iter().flat_map(|(number, line)| {
            let place = format!("{}:{number}", self.name());
            let texts = pattern
                .captures_iter(line)
                .map(|groups| groups[1].to_owned());
            texts.map(|text| (place.clone(), text)).collect::<Vec<_>>()
        });
        found.collect()
    }

    /// Returns the anchors that GitHub gives to the headings.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let lines = self.prose().into_iter().map(|(_, line)| line);
        lines
            .filter(|line| line.starts_with('#'))
            .map(anchor)
            .collect()
    }
}

fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

/// Returns how a block below this line is run.
fn how(above: &str, place: &str) -> How {
    let comment = above
        .trim()
        .strip_prefix("<!-- ")
        .and_then(|text| text.strip_suffix(" -->"));
    let Some((word, rest)) = comment.and_then(|comment| comment.split_once(": ")) else {
        return How::Run(Vec::new());
    };
    match word {
        "not run" => How::NotRun,
        "run by" => How::RunBy(rest.to_owned()),
        "run" => How::Run(
            rest.split(", ")
                .map(|name| condition(name, place))
                .collect(),
        ),
        other => panic!("{place}: the comment above begins with '{other}'"),
    }
}

fn condition(name: &str, place: &str) -> Condition {
    match name {
        "continued" => Condition::Continued,
        "key" => Condition::Key,
        "new machine" => Condition::NewMachine,
        "settings" => Condition::Settings,
        "session" => Condition::Session,
        "terminal" => Condition::Terminal,
        other => panic!("{place}: unknown condition '{other}'"),
    }
}
