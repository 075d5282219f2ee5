//! The order of functions in the binary: those that a hot `get` executes are next to each other, so that it touches few
//! pages. `install/function-order` runs it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::ensure;

/// A pattern also matches instances of a generic function that are not executed. With more bytes of them than this, it
/// follows the other patterns; with more than the second number, it is left out.
const MAX_UNUSED_BYTES: [u64; 2] = [1024, 40_000];

/// What valgrind does not execute, because it emulates an older processor.
const NEWER_PROCESSORS: &str = "*-aes-gcm-avx2-x86_64-elf.o(.text)";

/// What a pattern matches.
struct Use {
    /// The number of the first profile that executes it.
    first_profile: usize,
    /// The bytes of functions that are not executed.
    unused: u64,
}

/// A function or a few, which the linker moves only as a whole.
struct Section {
    start: u64,
    size: u64,
    pattern: String,
}

/// Returns a linker script for the builds in these directories. A directory has the linker's map `map` and profiles,
/// `callgrind.1` and so on. Functions of the first profile come first.
pub(crate) fn script(builds: &[&str]) -> anyhow::Result<String> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    for directory in builds.iter().map(Path::new) {
        let map = fs::read_to_string(directory.join("map"))?;
        let profiles = profiles(directory, &symbols(&map))?;
        for (pattern, found) in uses_in(&sections(&map), &profiles) {
            let known = uses.entry(pattern).or_insert(Use { ..found });
            known.first_profile = known.first_profile.min(found.first_profile);
            known.unused = known.unused.max(found.unused);
        }
    }
    Ok(format(&uses))
}

fn format(uses: &BTreeMap<String, Use>) -> String {
    let [few, many] = MAX_UNUSED_BYTES;
    let mut patterns: Vec<(usize, u64, &str)> = uses
        .iter()
        .filter(|(_, found)| found.unused <= many)
        .map(|(pattern, found)| {
            let unused = if found.unused > few { found.unused } else { 0 };
            (found.first_profile, unused, pattern.as_str())
        })
        .chain([(0, 0, NEWER_PROCESSORS)])
        .collect();
    patterns.sort_unstable();
    let lines: String = patterns
        .iter()
        .map(|(_, _, pattern)| format!("    {pattern}\n"))
        .collect();
    format!(
        "/* Functions that a hot get executes. Made by install/function-order; build.rs gives it to the linker. */\n\
         SECTIONS\n{{\n  .text.hot :\n  {{\n{lines}  }}\n}}\nINSERT BEFORE .text;\n"
    )
}

/// Returns the sections with code in a map of lld, by address.
fn sections(map: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = map.lines().filter_map(section).collect();
    sections.sort_unstable_by_key(|section| section.start);
    sections
}

/// Returns the section of a line: address, load address, size, alignment, `file:(name)`.
fn section(line: &str) -> Option<Section> {
    let mut words = line.split_ascii_whitespace();
    let start = u64::from_str_radix(words.next()?, 16).ok()?;
    let size = u64::from_str_radix(words.nth(1)?, 16).ok()?;
    let (file, name) = words.nth(1)?.strip_suffix(')')?.rsplit_once(":(")?;
    (size > 0 && name.starts_with(".text")).then(|| Section {
        start,
        size,
        pattern: pattern(file, name),
    })
}

/// Returns the linker's pattern for a section. It matches in later builds, too: it has no hash of a crate, of types or of
/// an archive.
fn pattern(file: &str, section: &str) -> String {
    if section != ".text" {
        return format!("*({})", without_hashes(section));
    }
    let file = file.rsplit(['/', '(']).next().unwrap_or(file);
    let file = file.trim_end_matches(')');
    match file.split_once('-') {
        Some((hash, name)) if is_hash(hash) => format!("*-{name}(.text)"),
        _ => format!("*{file}(.text)"),
    }
}

/// Replaces what depends on hashes: `17h…E` at the end of a name, and in names of the newer form `Cs…_`, and `B…_`, which
/// refers to a place in the name. Also replaces the number of a copy, `.123` at the end.
fn without_hashes(name: &str) -> String {
    if let Some((name, number)) = name.rsplit_once('.')
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("{}.*", without_hashes(name));
    }
    if let Some((path, hash)) = name.rsplit_once("17h")
        && hash.strip_suffix('E').is_some_and(is_hash)
    {
        return format!("{path}17h*E");
    }
    let Some(start) = name.find("_R") else {
        return name.to_owned();
    };
    let (mut result, mut rest) = (name[..start].to_owned(), &name[start..]);
    while let Some(found) = ["Cs", "B"]
        .iter()
        .filter_map(|tag| Some((rest.find(tag)?, tag)))
        .min()
    {
        let (at, tag) = found;
        let after = &rest[at + tag.len()..];
        let digits = after.find(|letter: char| !letter.is_ascii_alphanumeric());
        result.push_str(&rest[..at + tag.len()]);
        rest = after;
        if let Some(digits) = digits.filter(|digits| after[*digits..].starts_with('_')) {
            result.push('*');
            rest = &after[digits..];
        }
    }
    result + rest
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the addresses of all instructions in each profile of a directory.
fn profiles(directory: &Path, symbols: &BTreeMap<&str, u64>) -> anyhow::Result<Vec<BTreeSet<u64>>> {
    let mut profiles = Vec::new();
    for number in 1.. {
        let path = directory.join(format!("callgrind.{number}"));
        if !path.exists() {
            break;
        }
        profiles.push(executed(&fs::read_to_string(path)?, symbols));
    }
    ensure!(
        !profiles.is_empty(),
        "no profile in {}",
        directory.display()
    );
    Ok(profiles)
}

/// Returns the addresses in a profile of callgrind's `--dump-instr`, in the program itself and not in libraries.
fn executed(profile: &str, symbols: &BTreeMap<&str, u64>) -> BTreeSet<u64> {
    let command = profile.lines().find_map(|line| line.strip_prefix("cmd: "));
    let program = command.and_then(|command| command.split_whitespace().next());
    let load_address = load_address(profile, symbols);
    let mut addresses = BTreeSet::new();
    let mut start = None;
    for line in profile.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            // Without the object, callgrind writes addresses in memory.
            start = match object {
                "???" => Some(load_address),
                object => (Some(object) == program).then_some(0),
            };
        } else if let Some(start) = start
            && let Some(address) = address(line)
        {
            addresses.extend(address.checked_sub(start));
        }
    }
    addresses
}

/// Returns where the program is in memory: the most frequent difference between a function's address in memory and in the
/// binary.
fn load_address(profile: &str, symbols: &BTreeMap<&str, u64>) -> u64 {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for (name, call) in profile.lines().zip(profile.lines().skip(1)) {
        if let Some(symbol) = name.strip_prefix("cfn=").and_then(|name| symbols.get(name))
            && let Some(called) = call.strip_prefix("calls=")
            && let Some(called) = called.split(' ').find_map(address)
            && let Some(difference @ 1..) = called.checked_sub(*symbol)
        {
            *counts.entry(difference).or_default() += 1;
        }
    }
    let most_frequent = counts.into_iter().max_by_key(|(_, count)| *count);
    most_frequent.map_or(0, |(difference, _)| difference)
}

/// Returns the address at the beginning of a text.
fn address(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?.split(' ').next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// Returns the addresses of functions in a map of lld.
fn symbols(map: &str) -> BTreeMap<&str, u64> {
    let symbol = |line| {
        let words: Vec<&str> = str::split_ascii_whitespace(line).collect();
        let [start, _, _, _, name] = words.as_slice() else {
            return None;
        };
        Some((*name, u64::from_str_radix(start, 16).ok()?))
    };
    map.lines().filter_map(symbol).collect()
}

/// Returns for each pattern that matches an executed section what it matches.
fn uses_in(sections: &[Section], profiles: &[BTreeSet<u64>]) -> BTreeMap<String, Use> {
    let mut first_profiles: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unused: BTreeMap<&str, u64> = BTreeMap::new();
    for section in sections {
        let range = section.start..section.start + section.size;
        let executes = |profile: &BTreeSet<u64>| profile.range(range.clone()).next().is_some();
        if let Some(number) = profiles.iter().position(executes) {
            let first = first_profiles.entry(&section.pattern).or_insert(number);
            *first = number.min(*first);
        } else {
            *unused.entry(&section.pattern).or_default() += section.size;
        }
    }
    let with_unused = |(pattern, first_profile)| {
        let unused = unused.get(pattern).copied().unwrap_or_default();
        let found = Use {
            first_profile,
            unused,
        };
        (String::from(pattern), found)
    };
    first_profiles.into_iter().map(with_unused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "\
             VMA              LMA     Size Align Out     In      Symbol
             2b8              2b8      870     8 .relr.dyn
          100d80           100d80       30    16         /build/one.o:(.text._ZN3one3hot17h0123456789abcdefE)
          100d80           100d80       30     1                 _ZN3one3hot17h0123456789abcdefE
          100db0           100db0       40    16         /build/one.o:(.text._ZN3one4cold17h0123456789abcdefE)
          100df0           100df0       40    16         /build/libring.rlib(0123456789abcdef-sha256-x86_64-elf.o):(.text)
          100e30           100e30        8     1         /build/one.o:(.rodata.table)
          200000           200000       10    16         /build/libdbus.rlib(0123456789abcdef-dbus-message.o):(.text.lock)
          200000           200000       10     1                 lock
";

    const PROFILE: &str = "\
cmd: /build/program get
positions: instr line

ob=/build/program
fl=???
fn=one
0x100d84 0 7
calls=1 0x100e00 0
0x100d88 0 5
0x100df4 0 1
ob=/lib/libc.so.6
fn=write
0x100db4 0 3
ob=???
fn=lock
0x308004 0 1
cfn=lock
calls=1 0x308000 0
";

    #[test]
    fn a_function_is_named_without_hashes() {
        for (name, expected) in [
            (
                ".text._ZN4core3fmt5write17h0123456789abcdefE",
                ".text._ZN4core3fmt5write17h*E",
            ),
            (
                ".text.unlikely._RNvMs4_NtCs2Nb3gJ4iU0I_5alloc7raw_vecNtB5_11RawVecInner11finish_growB7_",
                ".text.unlikely._RNvMs4_NtCs*_5alloc7raw_vecNtB*_11RawVecInner11finish_growB*_",
            ),
            (
                ".text._RNvMNtNtNtCsaz6eC2DG7lh_3std4sync4mpmc5waker10disconnect.302",
                ".text._RNvMNtNtNtCs*_3std4sync4mpmc5waker10disconnect.*",
            ),
            (".text.__libc_start_main", ".text.__libc_start_main"),
        ] {
            assert_eq!(without_hashes(name), expected);
        }
    }

    #[test]
    fn only_executed_functions_of_the_program_are_listed() {
        let profile = executed(PROFILE, &symbols(MAP));
        let uses = uses_in(&sections(MAP), &[profile]);
        let patterns: Vec<&str> = uses.keys().map(String::as_str).collect();
        assert_eq!(
            patterns,
            [
                "*(.text._ZN3one3hot17h*E)",
                "*(.text.lock)",
                "*-sha256-x86_64-elf.o(.text)",
            ]
        );
    }

    #[test]
    fn functions_of_the_first_profile_come_first_and_those_with_much_unused_code_later() {
        let uses = [
            ("a", 0, 2000),
            ("b", 0, 0),
            ("c", 0, 1_000_000),
            ("d", 0, 1500),
            ("e", 0, 9),
            ("f", 1, 0),
        ]
        .map(|(pattern, first_profile, unused)| {
            let found = Use {
                first_profile,
                unused,
            };
            (pattern.to_owned(), found)
        });
        let script = format(&BTreeMap::from(uses));
        let order: Vec<&str> = script
            .lines()
            .map(str::trim)
            .filter(|line| line.len() == 1 && line.chars().all(char::is_alphabetic))
            .collect();
        assert_eq!(order, ["b", "e", "d", "a", "f"]);
    }
}
