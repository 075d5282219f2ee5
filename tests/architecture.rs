//! The order of the modules: each uses only those below it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The top-level modules ("rooms") from top to bottom.
const ROOMS: [&str; 31] = [
    "main",
    "cli",
    "kubelet",
    "helper",
    "commands",
    "credentials",
    "sources",
    "context",
    "client_config",
    "token_cache",
    "login",
    "settings",
    "metadata",
    "kubernetes",
    "process",
    "registry",
    "iam",
    "http",
    "keychain",
    "lock",
    "terminal",
    "log",
    "environment",
    "fs",
    "child",
    "credential",
    "digest",
    "secret",
    "error",
    "time",
    "text",
];

#[test]
fn no_room_imports_from_a_room_above_it() {
    let wrong: Vec<String> = imports()
        .into_iter()
        .filter(|import| position(&import.from) >= position(&import.to))
        .map(|import| format!("{}: `{}` uses `{}`", import.file, import.from, import.to))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_found() {
    let source = "//! crate::cli\nuse crate::iam::Iam; // crate::cli\nlet x = crate::http::y(crate::PROGRAM);\n\
                  #[cfg(test)]\nmod tests {\n    use crate::commands;\n}\n";
    let found = rooms_in(source);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["http", "iam"]);
    assert!(imports().len() > ROOMS.len(), "the program's own imports");
}

/// The use of one room by a file of another.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Import {
    from: String,
    to: String,
    file: String,
}

fn position(room: &str) -> usize {
    ROOMS
        .iter()
        .position(|name| *name == room)
        .unwrap_or_else(|| panic!("`{room}` is missing in the list of rooms"))
}

fn imports() -> BTreeSet<Import> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = BTreeSet::new();
    for file in rust_files(&root) {
        let path = file.strip_prefix(&root).expect("a path below src");
        let first = path.components().next().expect("a name").as_os_str();
        let from = first
            .to_str()
            .expect("a name in UTF-8")
            .trim_end_matches(".rs")
            .to_owned();
        if from == "lib" {
            continue;
        }
        let source = fs::read_to_string(&file).expect("a source file");
        let others = rooms_in(&source).into_iter().filter(|to| *to != from);
        imports.extend(others.map(|to| Import {
            from: from.clone(),
            to,
            file: path.display().to_string(),
        }));
    }
    imports
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns the rooms that a source file names after `crate::`, except in comments and in
/// its tests, which are at its end.
fn rooms_in(source: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = source.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].ends_with('{') && pair[1].contains("mod ")
    });
    let code = &lines[..tests.unwrap_or(lines.len())];
    code.iter()
        .filter_map(|line| line.split("//").next())
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|path| {
            let is_end = |character: char| !(character.is_ascii_lowercase() || character == '_');
            path.split(is_end).next().unwrap_or_default().to_owned()
        })
        .filter(|room| !room.is_empty())
        .collect()
}
