//! Runs commands on each screen, and compares the output with a file of this directory.

use expect_test::expect_file;
use regex::Regex;

use crate::support::Screen;
use crate::support::TestEnv;
use crate::support::Typed;

/// The title of each screen, the screen, and whether it has colors.
const SCREENS: [(&str, Screen, bool); 4] = [
    ("in a pipe", Screen::Pipe, true),
    ("at a terminal of 40 columns", Screen::Terminal(40), true),
    ("at a terminal of 200 columns", Screen::Terminal(200), true),
    (
        "at a terminal of 200 columns, with NO_COLOR",
        Screen::Terminal(200),
        false,
    ),
];

/// No input.
pub(crate) const NO_INPUT: &[(&str, &str)] = &[];

/// A machine on which commands run.
pub(crate) struct Setup {
    pub(crate) env: TestEnv,
    /// Texts that vary, each with a placeholder.
    placeholders: Vec<(String, &'static str)>,
    /// The host of the registry on loopback.
    pub(crate) registry: Option<String>,
}

impl Setup {
    pub(crate) fn of(env: TestEnv) -> Self {
        let root = env.path("").display().to_string();
        let iam = env.cloud.url();
        Self {
            placeholders: vec![
                (root.trim_end_matches('/').to_owned(), "/tmp/of-machine"),
                (iam, "http://127.0.0.1:44444"),
            ],
            env,
            registry: None,
        }
    }

    /// Creates a setup with a registry on loopback, and an API key for it in the environment.
    pub(crate) fn with_registry(env: TestEnv) -> Self {
        let mut env = env.with_registry();
        env.set_environment_key();
        let [host, _] = env.registries();
        let mut setup = Self::of(env);
        // Replaced before the URL of IAM, which can contain it.
        setup.placeholders.insert(0, (host.clone(), REGISTRY));
        setup.registry = Some(host);
        setup
    }

    /// Runs commands, and returns them with their output.
    pub(crate) fn run(&self, screen: Screen, commands: &[Typed<'_>]) -> String {
        let with_host = |(command, _): &Typed<'_>| match &self.registry {
            Some(host) => command.replace(REGISTRY, host),
            None => (*command).to_owned(),
        };
        let typed: Vec<String> = commands.iter().map(with_host).collect();
        let dialogs = commands.iter().map(|(_, dialog)| *dialog);
        let typed: Vec<Typed<'_>> = typed.iter().map(String::as_str).zip(dialogs).collect();
        let outputs = screen.shows(&self.env, &typed);
        let outputs = commands.iter().zip(outputs);
        let outputs = outputs.map(|((command, _), output)| {
            format!(
                "$ docker-credential-icr {command}\n{}\n",
                self.without_variations(&output)
            )
        });
        outputs.collect()
    }

    /// Replaces the texts that vary.
    fn without_variations(&self, text: &str) -> String {
        let text = self
            .placeholders
            .iter()
            .fold(text.to_owned(), |text, (varying, placeholder)| {
                text.replace(varying, placeholder)
            });
        VARIATIONS
            .iter()
            .fold(text, |text, (pattern, placeholder)| {
                let pattern = Regex::new(pattern).expect("a pattern");
                pattern.replace_all(&text, *placeholder).into_owned()
            })
    }
}

/// The placeholder for the registry on loopback.
const REGISTRY: &str = "localhost:55555";

/// Patterns of times, names, identifiers and tokens, each with a placeholder; of the same length where a line may be wrapped.
const VARIATIONS: [(&str, &str); 10] = [
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-12-31 23:59"),
    (r"\d{4}-\d\d-\d\d\b", "2026-12-31"),
    (r#""expires_at": \d{10}"#, r#""expires_at": 1798761540"#),
    (
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "01234567-89ab-cdef-0123-456789abcdef",
    ),
    (
        r"ApiKey-[0-9a-f]{32}",
        "ApiKey-0123456789abcdef0123456789abcdef",
    ),
    (r"icr on [^']+'", "icr on a-machine'"),
    (r"\bin (50|49) min\b", "in 50 min"),
    (r#""age": \d{3}"#, r#""age": 600"#),
    (r#""expires_in": \d{4}"#, r#""expires_in": 3000"#),
    (r"eyJ[\w.-]+", "eyJ…"),
];

/// Runs the commands on each screen, with a new setup for each, and compares the output with the file of this name.
pub(crate) fn compare(name: &str, setup: impl Fn() -> Option<Setup>, commands: &[Typed<'_>]) {
    let mut outputs: Vec<(&str, String)> = Vec::new();
    for (title, screen, has_colors) in SCREENS {
        let Some(mut setup) = setup() else { return };
        setup.env.set("TERM", "xterm");
        if !has_colors {
            setup.env.set("NO_COLOR", "1");
        }
        let text = setup.run(screen, commands);
        outputs.push((title, text));
    }
    let parts = outputs.iter().map(|(title, text)| {
        let mut earlier = outputs.iter().take_while(|(other, _)| other != title);
        match earlier.find(|(_, other)| other == text) {
            Some((other, _)) => format!("═══ {title}: as {other} ═══\n"),
            None => format!("═══ {title} ═══\n\n{text}"),
        }
    });
    let all: Vec<String> = parts.collect();
    expect_file![format!("{name}.txt")].assert_eq(&all.join("\n"));
}
