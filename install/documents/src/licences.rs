//! The licences of all crates in the binary, which must be distributed with it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;
use serde_json::Value;

/// The prefixes of licence files, in upper case.
const FILE_PREFIXES: [&str; 4] = ["COPYING", "LICENSE", "LICENCE", "NOTICE"];

/// Linked libraries that are not crates.
const OTHER_LIBRARIES: &str = "\
Rust's standard library: Copyright (c) The Rust Project contributors, MIT OR Apache-2.0
musl, in static binaries: Copyright (c) 2005-2020 Rich Felker, et al., MIT
LLVM's libunwind, in static binaries: Copyright (c) LLVM Project contributors, Apache-2.0 WITH LLVM-exception
Zig's compiler runtime and C library, where Zig links: Copyright (c) Zig contributors, MIT
";

/// Returns a list of the crates with their licences, followed by each licence text once, with the names of its crates.
pub(crate) fn text(target: &str) -> anyhow::Result<String> {
    let metadata = metadata(target)?;
    let crates = linked(&metadata)?;
    let mut summary = OTHER_LIBRARIES.to_owned();
    let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in crates {
        let name = format!(
            "{} {}",
            string(package, "name")?,
            string(package, "version")?
        );
        let licence = string(package, "license")?;
        summary.push_str(&format!("{name}: {licence}\n"));
        let manifest = Path::new(string(package, "manifest_path")?);
        let directory = manifest.parent().context("a manifest is in a directory")?;
        let mut texts = files(directory)?;
        if texts.is_empty() {
            texts.extend(header(directory));
        }
        for text in texts {
            words.entry(text).or_default().insert(name.clone());
        }
    }
    let words = words.into_iter().map(|(text, names)| {
        let names: Vec<String> = names.into_iter().collect();
        let line = "-".repeat(80);
        format!("\n{line}\n{}\n{line}\n\n{text}\n", names.join(", "))
    });
    Ok(summary + &words.collect::<String>())
}

fn metadata(target: &str) -> anyhow::Result<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version=1"])
        .args(["--filter-platform", target])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata: {error}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Returns the crates that the program needs at run time, by name.
fn linked(metadata: &Value) -> anyhow::Result<Vec<&Value>> {
    let root = string(&metadata["resolve"], "root")?;
    let nodes: BTreeMap<&str, &Value> = array(&metadata["resolve"]["nodes"])?
        .iter()
        .map(|node| Ok((string(node, "id")?, node)))
        .collect::<anyhow::Result<_>>()?;
    let mut found = BTreeSet::new();
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        if !found.insert(id) {
            continue;
        }
        for dependency in array(&nodes.get(id).context("an unknown crate")?["deps"])? {
            let kinds = array(&dependency["dep_kinds"])?;
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                waiting.push(string(dependency, "pkg")?);
            }
        }
    }
    let packages = array(&metadata["packages"])?.iter();
    let mut linked: Vec<&Value> = packages
        .filter(|package| string(package, "id").is_ok_and(|id| found.contains(id) && id != root))
        .collect();
    linked.sort_by_key(|package| (package["name"].as_str(), package["version"].as_str()));
    Ok(linked)
}

/// Returns the licences of a crate and of the C libraries that it contains.
fn files(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    for directory in std::iter::once(directory.to_owned()).chain(vendored_libraries(directory)?) {
        let mut entries: Vec<_> = std::fs::read_dir(directory)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().to_uppercase();
            let is_licence = FILE_PREFIXES
                .iter()
                .any(|beginning| name.starts_with(beginning));
            if is_licence && entry.file_type()?.is_file() {
                let text = std::fs::read(entry.path())?;
                let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
                texts.push(text.trim_end().to_owned());
            }
        }
    }
    Ok(texts)
}

/// Returns the licence at the beginning of a crate's source, for crates without a licence file.
fn header(directory: &Path) -> Option<String> {
    let source = std::fs::read_to_string(directory.join("src/lib.rs")).ok()?;
    let lines = source.lines().map_while(|line| line.strip_prefix("//"));
    let lines: Vec<&str> = lines.map(str::trim_end).collect();
    let text = lines.join("\n");
    text.contains("Copyright").then_some(text)
}

fn vendored_libraries(directory: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let vendor = directory.join("vendor");
    if !vendor.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(vendor)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn string<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value[key]
        .as_str()
        .with_context(|| format!("cargo metadata without {key}"))
}

fn array(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value.as_array().context("cargo metadata without a list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_linked_crates_but_no_build_or_test_dependencies() {
        let text = text("x86_64-unknown-linux-musl").unwrap();
        for linked in [
            "ring 0.",
            "rustls 0.",
            "libdbus-sys 0.",
            "musl,",
            "Permission is hereby granted",
        ] {
            assert!(text.contains(linked), "{linked}");
        }
        assert!(
            text.contains("GNU GENERAL PUBLIC LICENSE") || text.contains("Academic Free License")
        );
        for not_linked in ["\ncc 1", "\nrexpect ", "\nclap_mangen ", "\nkeyring 4"] {
            assert!(!text.contains(not_linked), "{not_linked}");
        }
    }
}
