//! Generates the completions, the manual, the licences and the order of functions. `install/generate`, `install/packages` and
//! `install/function-order` run it. It is a crate of its own so that the shipped binary contains none of it.

use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::bail;

mod completions;
mod function_order;
mod licences;
mod manual;

const USAGE: &str =
    "usage: icr-documents generate DIRECTORY     write completions and manual into subdirectories
       icr-documents licences TARGET      print the licences of everything linked for a target
       icr-documents function-order DIRECTORY…    print the linker script for builds and their profiles";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["generate", directory] => generate(Path::new(directory)),
        ["licences", target] => print(&licences::text(target)?),
        ["function-order", builds @ ..] => print(&function_order::script(builds)?),
        _ => bail!(USAGE),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// A generated file.
struct Document {
    name: String,
    content: Vec<u8>,
}

/// Returns the directories of generated files with their files.
fn documents() -> std::io::Result<[(PathBuf, Vec<Document>); 2]> {
    Ok([
        (PathBuf::from("completions"), completions::all()),
        (PathBuf::from("man"), manual::all()?),
    ])
}

/// Writes every file, and deletes files that are no longer generated.
fn generate(directory: &Path) -> anyhow::Result<()> {
    for (name, documents) in documents()? {
        let directory = directory.join(name);
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        std::fs::create_dir_all(&directory)?;
        for document in documents {
            std::fs::write(directory.join(document.name), document.content)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    type Files = BTreeMap<String, String>;

    fn files(directory: &Path) -> Files {
        let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
    }

    #[test]
    fn the_committed_files_are_current() {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (name, documents) in documents().unwrap() {
            let generated: Files = documents
                .into_iter()
                .map(|document| (document.name, String::from_utf8(document.content).unwrap()))
                .collect();
            let committed = files(&committed.join(&name));
            let differ = generated
                .keys()
                .chain(committed.keys())
                .find(|name| generated.get(*name) != committed.get(*name));
            assert_eq!(
                differ,
                None,
                "in install/{} not current: run install/generate",
                name.display()
            );
        }
    }

    #[test]
    fn files_that_are_no_longer_generated_are_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let stale = directory.path().join("man/docker-credential-icr-stale.1");
        fs::create_dir(directory.path().join("man")).unwrap();
        fs::write(&stale, "").unwrap();
        generate(directory.path()).unwrap();
        assert!(!stale.exists());
        assert!(
            directory
                .path()
                .join("man/docker-credential-icr.1")
                .exists()
        );
    }
}
