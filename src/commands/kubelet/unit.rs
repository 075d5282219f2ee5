//! A unit as systemd reads it: the command line, and the files that set its variables
//! (systemd.unit(5), systemd.service(5), systemd.exec(5)).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use super::distribution::Distribution;
use super::location::MAX_SIZE;
use super::location::entries;
use crate::client_config::kubelet_flags;
use crate::fs;

/// The directories of systemd's units, of which the first counts most.
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The files of a machine, some of them as they are going to be.
pub(super) struct Files<'a> {
    root: &'a Path,
    changes: Vec<(PathBuf, Option<String>)>,
}

impl<'a> Files<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self {
            root,
            changes: Vec::new(),
        }
    }

    /// Returns the files after a change; `None` is a file that is deleted.
    pub(super) fn with(mut self, path: PathBuf, text: Option<String>) -> Self {
        self.changes.push((path, text));
        self
    }

    fn real(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        fs::entry_exists(&self.real(path))
    }

    /// Returns whether a unit or a drop-in is a link with which systemd ignores it.
    fn is_masked(&self, path: &Path) -> bool {
        let target = std::fs::read_link(self.real(path));
        target.is_ok_and(|target| target == Path::new("/dev/null"))
    }

    /// Returns the text of a file; `None` if it is missing.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(&self, path: &Path) -> anyhow::Result<Option<String>> {
        if let Some((_, text)) = self.changes.iter().find(|(changed, _)| changed == path) {
            return Ok(text.clone());
        }
        let real = self.real(path);
        if !fs::entry_exists(&real) {
            return Ok(None);
        }
        if self.is_masked(path) {
            return Ok(Some(String::new()));
        }
        fs::read_regular(&real, MAX_SIZE).map(Some)
    }

    /// Returns the paths in a directory, sorted.
    pub(super) fn entries(&self, directory: &Path) -> Vec<PathBuf> {
        let names = entries(&self.real(directory)).into_iter();
        let names = names.filter_map(|path| path.file_name().map(OsString::from));
        names.map(|name| directory.join(name)).collect()
    }
}

/// A unit with its drop-ins.
#[derive(Default)]
pub(super) struct Unit {
    /// The unit, its drop-ins and its files of variables, with their texts.
    sources: Vec<(PathBuf, String)>,
    commands: Vec<String>,
    environment: Vec<(String, String)>,
    environment_files: Vec<PathBuf>,
    /// Names, or names with a value, of variables that the process does not get.
    unset: Vec<String>,
    /// The variables, with the files that set them. `None` is the unit.
    variables: BTreeMap<String, (String, Option<PathBuf>)>,
    /// A file that was not read, so that the rest is uncertain.
    pub(super) unread: Option<PathBuf>,
}

impl Unit {
    /// Returns the paths of the unit and its drop-ins, in the order in which systemd reads them.
    fn paths(files: &Files<'_>, name: &str) -> Vec<PathBuf> {
        let service = format!("{name}.service");
        let directories = || DIRECTORIES.iter().map(Path::new);
        let mut paths: Vec<PathBuf> = Self::path(files, name).into_iter().collect();
        let mut drop_ins = BTreeMap::new();
        for folder in [format!("{service}.d"), "service.d".to_owned()] {
            if folder == "service.d" && paths.is_empty() && drop_ins.is_empty() {
                break;
            }
            for path in directories().flat_map(|it| files.entries(&it.join(&folder))) {
                if path.extension().is_some_and(|it| it == "conf") {
                    let name = path.file_name().map(OsString::from);
                    drop_ins.entry(name).or_insert(path);
                }
            }
        }
        paths.extend(drop_ins.into_values());
        paths
    }

    /// Returns whether systemd can start a unit.
    pub(super) fn exists(files: &Files<'_>, name: &str) -> bool {
        Self::path(files, name).is_some_and(|path| !files.is_masked(&path))
    }

    fn path(files: &Files<'_>, name: &str) -> Option<PathBuf> {
        let service = format!("{name}.service");
        let mut paths = DIRECTORIES.iter().map(|it| Path::new(it).join(&service));
        paths.find(|path| files.exists(path))
    }

    /// Reads the units of these names that have files.
    pub(super) fn read_all(files: &Files<'_>, names: &[&str]) -> Vec<Self> {
        let units = names.iter().filter_map(|name| Self::read(files, name));
        units.collect()
    }

    /// Reads a unit; `None` if it has no file.
    pub(super) fn read(files: &Files<'_>, name: &str) -> Option<Self> {
        let paths = Self::paths(files, name);
        if paths.is_empty() {
            return None;
        }
        let mut unit = Self::default();
        for path in paths {
            if let Some(text) = unit.read_source(files, path) {
                unit.assign(&text);
            }
        }
        unit.set_variables(files);
        Some(unit)
    }

    fn read_source(&mut self, files: &Files<'_>, path: PathBuf) -> Option<String> {
        match files.read(&path) {
            Ok(text) => {
                let text = text?;
                self.sources.push((path, text.clone()));
                Some(text)
            }
            Err(_) => {
                self.unread = Some(path);
                None
            }
        }
    }

    /// Applies the lines of a unit or a drop-in. An empty value resets what was assigned before.
    fn assign(&mut self, text: &str) {
        let mut is_service = false;
        for line in lines(text) {
            if line.starts_with('[') {
                is_service = line == "[Service]";
            }
            let Some((key, value)) = line.split_once('=').filter(|_| is_service) else {
                continue;
            };
            let value = value.trim();
            match (key.trim(), value.is_empty()) {
                ("ExecStart", true) => self.commands.clear(),
                ("ExecStart", false) => self.commands.push(value.to_owned()),
                ("Environment", true) => self.environment.clear(),
                ("Environment", false) => {
                    let words = words(value).into_iter();
                    self.environment.extend(words.filter_map(|word| {
                        let (name, value) = word.split_once('=')?;
                        Some((name.to_owned(), value.to_owned()))
                    }));
                }
                ("UnsetEnvironment", true) => self.unset.clear(),
                ("UnsetEnvironment", false) => self.unset.extend(words(value)),
                ("EnvironmentFile", true) => self.environment_files.clear(),
                ("EnvironmentFile", false) => {
                    let path = value.strip_prefix('-').unwrap_or(value);
                    self.environment_files.push(path.into());
                }
                _ => {}
            }
        }
    }

    /// Sets the variables. A file counts more than the unit, a later one more than an earlier, and
    /// what is unset most.
    fn set_variables(&mut self, files: &Files<'_>) {
        for (name, value) in &self.environment {
            self.variables.insert(name.clone(), (value.clone(), None));
        }
        for path in self.environment_files.clone() {
            // A pattern, or a specifier of systemd.
            if path.to_string_lossy().contains(['*', '?', '[', '%']) {
                self.unread = Some(path);
                continue;
            }
            let Some(text) = self.read_source(files, path.clone()) else {
                continue;
            };
            for (name, value) in kubelet_flags::variables(&text) {
                self.variables.insert(name, (value, Some(path.clone())));
            }
        }
        self.variables.retain(|name, (value, _)| {
            let is_unset = |it: &String| it == name || *it == format!("{name}={value}");
            !self.unset.iter().any(is_unset)
        });
    }

    /// Returns the command lines with the values of their variables.
    pub(super) fn command_line(&self) -> String {
        let commands = self.commands.iter().map(|command| self.expand(command));
        commands.collect::<Vec<_>>().join("\n")
    }

    fn expand(&self, command: &str) -> String {
        let mut parts = command.split('$');
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = match part.strip_prefix('{').and_then(|it| it.split_once('}')) {
                Some(braced) => braced,
                None => {
                    let is_end = |it: char| !it.is_ascii_alphanumeric() && it != '_';
                    part.split_at(part.find(is_end).unwrap_or(part.len()))
                }
            };
            expanded.push_str(self.variable(name).map_or("", |(value, _)| value));
            expanded.push_str(rest);
        }
        expanded
    }

    /// Returns whether the command line has a variable.
    pub(super) fn uses(&self, name: &str) -> bool {
        let forms = [format!("${name}"), format!("${{{name}}}")];
        let mut words = self.commands.iter().flat_map(|it| it.split_whitespace());
        words.any(|word| forms.iter().any(|form| form == word))
    }

    /// Returns the value of a variable and the file that sets it. `None` is the unit.
    pub(super) fn variable(&self, name: &str) -> Option<(&str, Option<&Path>)> {
        let (value, file) = self.variables.get(name)?;
        Some((value, file.as_deref()))
    }

    /// Returns the variables of the process.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let variables = self.variables.iter();
        variables
            .map(|(name, (value, _))| (name.clone(), value.clone()))
            .collect()
    }

    /// Returns the path of the program that is started last.
    pub(super) fn program(&self) -> Option<PathBuf> {
        let program = self.commands.last()?.split_whitespace().next()?;
        // systemd.service(5), "Special executable prefixes".
        Some(
            program
                .trim_start_matches(['@', '-', ':', '+', '!', '|'])
                .into(),
        )
    }

    /// Returns the values of all variables.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.variables.values().map(|(value, _)| &**value)
    }

    pub(super) fn environment_files(&self) -> &[PathBuf] {
        &self.environment_files
    }

    /// Returns the last file with a text, outside of comments.
    pub(super) fn source_of(&self, text: &str) -> Option<&Path> {
        let has_text = |content: &str| lines(content).iter().any(|line| line.contains(text));
        let mut sources = self.sources.iter().rev();
        let (path, _) = sources.find(|(_, content)| has_text(content))?;
        Some(path)
    }
}

/// Returns the variables of the unit that runs the kubelet, such as those for a proxy.
pub(super) fn environment(
    root: &Path,
    distribution: Option<Distribution>,
) -> Vec<(String, String)> {
    let names = distribution.unwrap_or(Distribution::Kubeadm).units();
    let units = Unit::read_all(&Files::new(root), names);
    units.first().map(Unit::environment).unwrap_or_default()
}

/// Returns the lines without comments, those that end with a backslash together with the next.
fn lines(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut begun = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(line) = line.strip_suffix('\\') {
            begun.push_str(line);
            begun.push(' ');
            continue;
        }
        all.push(std::mem::take(&mut begun) + line);
    }
    all.push(begun);
    all
}

/// Returns the words of a value, without their quotation marks.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(it) = characters.next() {
        match it {
            '\\' => word.extend(characters.next()),
            _ if quote == Some(it) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(it),
            _ if it.is_whitespace() && quote.is_none() => words.push(std::mem::take(&mut word)),
            _ => word.push(it),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "usr/lib/systemd/system/kubelet.service";

    fn unit(files: &[(&str, &str)]) -> Option<Unit> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Unit::read(&Files::new(root.path()), "kubelet")
    }

    #[test]
    fn units_and_drop_ins_are_read_in_the_order_of_systemd() {
        assert!(unit(&[("usr/lib/systemd/system/service.d/a.conf", "[Service]\n")]).is_none());
        let exec = "[Service]\nExecStart=/usr/bin/kubelet $A \\\n# no\n  ${B}-$C\n";
        let found = unit(&[
            (MAIN, exec),
            (
                "lib/systemd/system/kubelet.service",
                "[Service]\nExecStart=/old\n",
            ),
            (
                "usr/lib/systemd/system/kubelet.service.d/20.conf",
                "[Service]\nEnvironment=\"A=--a --b\" 'B=2' C=3\n[Unit]\nEnvironment=\n",
            ),
            (
                "run/systemd/system/kubelet.service.d/10.conf",
                "[Service]\nEnvironment=A=0\nEnvironmentFile=-/a.env\n",
            ),
            (
                "usr/lib/systemd/system/kubelet.service.d/10.conf",
                "[Service]\nEnvironmentFile=/b\n",
            ),
            (
                "etc/systemd/system/kubelet.service.d/x.txt",
                "[Service]\nExecStart=\n",
            ),
            ("a.env", "B=\"of the file\"\n"),
        ]);
        let found = found.unwrap();
        assert_eq!(
            found.command_line(),
            "/usr/bin/kubelet --a --b  of the file-3"
        );
        assert_eq!(
            found.variable("B"),
            Some(("of the file", Some(Path::new("/a.env"))))
        );
        assert!(found.uses("A") && !found.uses("C") && found.unread.is_none());
    }

    #[test]
    fn variables_are_unset_at_last() {
        let text = "[Service]\nUnsetEnvironment=Z\nUnsetEnvironment=\nExecStart=/new $A $B $C $Z\nEnvironment=A=1 B=2 C=3 Z=4\nEnvironmentFile=/a\nUnsetEnvironment=A 'B=2' C=2\n";
        let found = unit(&[(MAIN, text), ("a", "A=5\n")]).unwrap();
        assert_eq!(found.command_line(), "/new   3 4");
    }

    #[test]
    fn an_empty_value_resets_and_a_pattern_is_uncertain() {
        let drop_in = "usr/lib/systemd/system/kubelet.service.d/10.conf";
        let found = unit(&[
            (
                MAIN,
                "[Service]\nExecStart=/old\nEnvironment=A=1\nEnvironmentFile=/a\n",
            ),
            (
                drop_in,
                "[Service]\nExecStart=\nExecStart=/new $A\nEnvironment=\nEnvironmentFile=\nEnvironmentFile=/etc/kubelet.d/*\n",
            ),
            ("a", "A=2\n"),
        ]);
        let found = found.unwrap();
        assert_eq!(found.command_line(), "/new ");
        assert_eq!(found.unread.as_deref(), Some(Path::new("/etc/kubelet.d/*")));
    }
}
