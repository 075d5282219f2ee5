//! Do all tests exist that `docs/security.md` names?

use std::fs;
use std::path::Path;

/// The page names at least this many tests. If fewer are found, this test does not understand
/// the page any more.
const MIN_POINTERS: usize = 50;

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/security.md")).expect("the page");
    // Every second part is between backticks.
    let quoted = page.split('`').skip(1).step_by(2);
    let pointers: Vec<(&str, &str)> = quoted
        .filter(|text| text.starts_with("tests/") || text.starts_with("src/"))
        .map(|text| text.split_once(": ").expect(text))
        .collect();
    assert!(pointers.len() >= MIN_POINTERS, "{pointers:?}");
    for (file, test) in pointers {
        let path = root.join(file);
        if path.is_dir() {
            let case = path.join(test).join("expect.json");
            assert!(case.exists(), "{file} has no case {test}");
            continue;
        }
        let source = fs::read_to_string(path).expect(file);
        let definition = if file.ends_with(".rs") {
            format!("fn {test}() {{")
        } else {
            format!("\n{test}() {{")
        };
        assert!(source.contains(&definition), "{file} has no test {test}");
    }
}
