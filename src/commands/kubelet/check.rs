//! `kubelet check`: reads a configuration as the kubelet does, and tries it.

use std::path::Path;
use std::path::PathBuf;

use super::PROVIDER;
use super::distribution::Distribution;
use super::location::Location;
use super::location::MAX_SIZE;
use super::location::config_files;
use super::location::location;
use super::trials::Trials;
use super::trials::given_account;
use super::unit;
use crate::client_config::kubelet_provider;
use crate::client_config::kubelet_provider::Provider;
use crate::client_config::kubelet_values;
use crate::commands::doctor::diagnostic::Diagnostic;
use crate::commands::doctor::diagnostic::Verdict;
use crate::commands::print;
use crate::context::Context;
use crate::context::Stdio;
use crate::environment::COMPUTE_RESOURCE_PROFILE;
use crate::environment::SERVICE_ACCOUNT_PROFILE;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::settings::Settings;
use crate::time;

/// The name of the check.
pub(super) const CHECK: &str = "kubelet-provider";

/// The name of the check that the configuration names this program.
const ABSENCE: &str = "kubelet-provider-absent";

/// The audience of service accounts' tokens that IAM accepts.
pub(super) const AUDIENCE: &str = "iam";

/// The longest `defaultCacheDuration` that is no risk, in seconds: half of a token's life.
const MAX_CACHE_DURATION: u64 = 30 * 60;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr kubelet check
  docker-credential-icr kubelet check credential-provider.yaml --bin-dir /usr/local/libexec/kubelet-credential-providers
  kubectl create token builder --audience iam | docker-credential-icr kubelet check --service-account-token -

Exit status: 0 if there are no problems (warnings are allowed), otherwise 1.";

/// Check the kubelet's configuration for this program
///
/// Reads a CredentialProviderConfig as strictly as the kubelet, which does not start with
/// an invalid one, and finds what it never asks for. Then runs the program for each
/// registry with the environment that the kubelet gives it. The kubelet runs it as root.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(super) struct Arguments {
    /// File or directory [default: that of the kubelet's flags]
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,

    /// Directory of the programs [default: that of the kubelet's flags]
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    bin_dir: Option<PathBuf>,

    /// Try the token of a service account in this file; - is stdin
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    service_account_token: Option<PathBuf>,

    /// Trusted profile that the service account's annotation names
    #[arg(long, value_name = "ID", requires = "service_account_token")]
    profile: Option<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let root = &context.system_paths.root;
    let found = location_of_machine(root);
    // The program is started in another directory.
    let programs = arguments.bin_dir.as_ref();
    let programs = programs.map(|it| std::path::absolute(it).unwrap_or_else(|_| it.clone()));
    let location = match (&arguments.file, found) {
        (Some(file), found) => Location::new(file.clone(), programs.or_else(|| found?.programs)),
        (None, Some(found)) => Location {
            programs: programs.or(found.programs),
            ..found
        },
        (None, None) => {
            return Err(Error::user(
                "the kubelet has no configuration of credential providers here",
            )
            .with_hint("Run 'docker-credential-icr kubelet install', or name a file"));
        }
    };
    let settings = context.settings().unwrap_or_default();
    let token = arguments.service_account_token.as_deref();
    let profile = arguments.profile.as_deref();
    let account = token.map(|file| given_account(file, profile, &settings, stdio));
    let trials = Trials {
        settings: &settings,
        account: account.transpose()?,
        now: context.clock.now(),
        environment: unit::environment(root, Distribution::of_machine(root)),
    };
    let diagnostics = checks(&location, &trials, context);
    for diagnostic in &diagnostics {
        let verdict = diagnostic.verdict.name();
        let mut text = format!("{verdict:<8} {}", diagnostic.message);
        if let Some(fix) = &diagnostic.fix {
            text.push_str(&format!("\n         fix: {fix}"));
        }
        print(stdio, &text)?;
    }
    if diagnostics.iter().any(|it| it.verdict == Verdict::Problem) {
        return Err(Error::user("the kubelet's configuration has problems").as_shown());
    }
    Ok(())
}

/// Returns the checks of the configuration that this machine's kubelet has, if it has one.
pub(in crate::commands) fn checks_of_node(
    context: &Context<'_>,
    settings: &Settings,
) -> Vec<Diagnostic> {
    let root = &context.system_paths.root;
    let Some(location) = location_of_machine(root) else {
        return Vec::new();
    };
    let trials = Trials {
        settings,
        account: None,
        now: context.clock.now(),
        environment: unit::environment(root, Distribution::of_machine(root)),
    };
    let mut diagnostics = checks(&location, &trials, context);
    // The kubelet of this machine may have other providers only.
    diagnostics.retain(|diagnostic| diagnostic.check != ABSENCE);
    diagnostics
}

fn location_of_machine(root: &Path) -> Option<Location> {
    location(root, Distribution::of_machine(root))
}

fn problem(message: impl Into<String>, fix: impl Into<String>) -> Diagnostic {
    Diagnostic::problem(CHECK, message, fix)
}

pub(super) fn checks(
    location: &Location,
    trials: &Trials<'_>,
    context: &Context<'_>,
) -> Vec<Diagnostic> {
    let (providers, mut diagnostics) = providers(&location.config);
    if !diagnostics.is_empty() {
        return diagnostics;
    }
    let path = location.config.display();
    let registries = trials.settings.all_registries();
    let hosts: Vec<String> = registries
        .map(|registry| registry.host().to_owned())
        .collect();
    let own = (context.program)().and_then(|program| program.canonicalize().ok());
    let mut has_own = false;
    for provider in &providers {
        let program = location.programs.as_ref();
        let program = program.map(|directory| directory.join(&provider.name));
        let staged = location
            .staged
            .clone()
            .filter(|_| provider.name == PROVIDER);
        let program = staged.or(program);
        let file = program.as_ref().and_then(|it| it.canonicalize().ok());
        let is_own = provider.name == PROVIDER
            || provider.name.starts_with(crate::PROGRAM)
            || file.is_some() && file == own;
        diagnostics.extend(program_checks(provider, program.as_deref()));
        if is_own {
            has_own = true;
            diagnostics.extend(own_checks(provider, &hosts));
            diagnostics.extend(annotation_check(provider, trials.settings));
            let is_usable = program.as_deref().is_some_and(fs::is_executable);
            if let Some(program) = program.filter(|_| is_usable) {
                diagnostics.extend(trials.run(provider, &program, &hosts));
            }
        }
    }
    if !has_own {
        diagnostics.push(Diagnostic::warning(
            ABSENCE,
            format!("{path} does not name this program"),
            "Add the provider that 'docker-credential-icr kubelet config' prints",
        ));
    }
    diagnostics
}

/// Returns the providers of a file or of the files in a directory, and why the kubelet does not
/// start with them.
fn providers(path: &Path) -> (Vec<Provider>, Vec<Diagnostic>) {
    let is_directory = path.is_dir();
    let files = if is_directory {
        config_files(path)
    } else {
        vec![path.to_owned()]
    };
    let mut diagnostics = Vec::new();
    let fatal = |file: &Path, reason: &str| {
        let message = format!(
            "the kubelet does not start with {}: {reason}",
            file.display()
        );
        problem(message, format!("Correct {}", file.display()))
    };
    if files.is_empty() {
        diagnostics.push(fatal(path, "it has no file *.json, *.yaml or *.yml"));
    }
    let mut all: Vec<Provider> = Vec::new();
    for file in files {
        let text = match fs::read_regular(&file, MAX_SIZE) {
            Ok(text) => text,
            Err(_) if is_denied(&file) => {
                let message = format!("{} cannot be read by this user", file.display());
                let fix = "Run 'docker-credential-icr kubelet check' as root, as the kubelet is";
                diagnostics.push(Diagnostic::warning(CHECK, message, fix));
                continue;
            }
            Err(error) => {
                diagnostics.push(fatal(&file, &format!("it cannot be read ({error:#})")));
                continue;
            }
        };
        match kubelet_provider::parse(&text) {
            Err(reasons) => diagnostics.extend(reasons.iter().map(|reason| fatal(&file, reason))),
            Ok(providers) => {
                for provider in providers {
                    if all.iter().any(|other| other.name == provider.name) {
                        let reason = "it has the name of a provider in another file";
                        diagnostics.push(fatal(&file, reason));
                    }
                    all.push(provider);
                }
            }
        }
    }
    (all, diagnostics)
}

fn is_denied(file: &Path) -> bool {
    fs::open(file).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Returns whether the kubelet finds the program.
fn program_checks(provider: &Provider, program: Option<&Path>) -> Option<Diagnostic> {
    let Some(program) = program else {
        return Some(Diagnostic::warning(
            CHECK,
            "the directory of the programs is unknown, so they were not run",
            "Name it with --bin-dir, as --image-credential-provider-bin-dir of the kubelet",
        ));
    };
    let path = program.display();
    if !program.exists() {
        let message = format!("the kubelet does not start, because {path} does not exist");
        let fix = if provider.name == PROVIDER {
            format!("Run 'install -D -m 0755 \"$(command -v docker-credential-icr)\" {path}'")
        } else {
            format!("Install {path}, or remove the provider")
        };
        return Some(problem(message, fix));
    }
    (!fs::is_executable(program)).then(|| {
        let message = format!("the kubelet cannot run {path}: it is not executable");
        problem(message, format!("Run 'chmod 755 {path}'"))
    })
}

/// Returns what the kubelet never asks this program for, and what it keeps for too long.
fn own_checks(provider: &Provider, hosts: &[String]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let name = &provider.name;
    if name.starts_with("docker-credential-") && provider.args != ["kubelet"] {
        let message = format!("the kubelet runs {name} as docker's helper, which does not know it");
        diagnostics.push(problem(message, "Set args: [\"kubelet\"]"));
    }
    for pattern in &provider.match_images {
        diagnostics.extend(pattern_check(pattern, hosts));
    }
    if provider.default_cache_duration > MAX_CACHE_DURATION {
        let duration = time::duration(provider.default_cache_duration);
        diagnostics.push(Diagnostic::warning(
            CHECK,
            format!(
                "defaultCacheDuration is {duration}, which is longer than half of a token's life"
            ),
            "Set defaultCacheDuration: \"0s\"; answers say themselves how long they are kept",
        ));
    }
    if provider
        .token_attributes
        .as_ref()
        .is_some_and(|attributes| attributes.audience != AUDIENCE)
    {
        diagnostics.push(problem(
            "IAM does not accept tokens of service accounts with this serviceAccountTokenAudience",
            "Set serviceAccountTokenAudience: iam",
        ));
    }
    diagnostics
}

/// Returns whether the trusted profile of a service account can be named.
fn annotation_check(provider: &Provider, settings: &Settings) -> Option<Diagnostic> {
    let attributes = provider.token_attributes.as_ref()?;
    let key = &settings.service_accounts.annotation;
    let is_sent = attributes.annotations.contains(key);
    let profiles = [SERVICE_ACCOUNT_PROFILE, COMPUTE_RESOURCE_PROFILE];
    let mut variables = provider.env.iter();
    let has_profile = settings.service_accounts.profile.is_some()
        || variables.any(|(name, _)| profiles.contains(&&**name));
    (!is_sent && !has_profile).then(|| {
        let message = format!(
            "the kubelet does not send the annotation {key}, which names the trusted profile"
        );
        let fix = format!("Add \"{key}\" to optionalServiceAccountAnnotationKeys");
        Diagnostic::warning(CHECK, message, fix)
    })
}

fn pattern_check(pattern: &str, hosts: &[String]) -> Option<Diagnostic> {
    let shown = crate::error::one_line(pattern, 100);
    let (host, path) = pattern.split_once('/').unwrap_or((pattern, ""));
    if pattern.contains("://") {
        let message = format!("the kubelet never asks for \"{shown}\": it has a scheme");
        return Some(problem(message, "Use the host alone"));
    }
    if path.contains('*') {
        let message = format!(
            "the kubelet never asks for \"{shown}\": a * does not stand for a part of a path"
        );
        return Some(problem(message, format!("Use \"{host}\"")));
    }
    if let Some((host, _)) = host.split_once(':') {
        let message =
            format!("\"{shown}\" matches only images whose name has this port, not {host}/…");
        return Some(Diagnostic::warning(
            CHECK,
            message,
            format!("Use \"{host}\""),
        ));
    }
    let matches_ours = hosts
        .iter()
        .any(|host| kubelet_values::matches_host(pattern, host));
    (!matches_ours).then(|| {
        let message = format!("\"{shown}\" matches no IBM Cloud registry");
        let fix = "Use hosts such as \"us.icr.io\"; *.icr.io matches neither icr.io nor private.us.icr.io";
        problem(message, fix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_config::kubelet_provider::TokenAttributes;

    fn provider(name: &str, pattern: &str) -> Provider {
        Provider {
            name: name.into(),
            match_images: vec![pattern.into()],
            ..Provider::default()
        }
    }

    fn found(provider: &Provider) -> String {
        let hosts = ["us.icr.io", "icr.io", "private.us.icr.io"].map(str::to_owned);
        let diagnostics = own_checks(provider, &hosts).into_iter();
        let lines = diagnostics.map(|it| format!("{} {}", it.verdict.name(), it.message));
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_the_kubelet_never_asks_for_is_a_problem() {
        for (pattern, expected) in [
            ("us.icr.io", ""),
            ("*.icr.io", ""),
            ("us.icr.io/namespace", ""),
            (
                "us.icr.io/*",
                "problem the kubelet never asks for \"us.icr.io/*\"",
            ),
            ("https://us.icr.io", "it has a scheme"),
            (
                "us.icr.io:443",
                "warning \"us.icr.io:443\" matches only images",
            ),
            ("*.us.icr.com", "matches no IBM Cloud registry"),
            ("icr.io.*", "matches no IBM Cloud registry"),
        ] {
            let found = found(&provider(PROVIDER, pattern));
            assert!(found.contains(expected), "{pattern}: {found}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{pattern}: {found}");
        }
    }

    #[test]
    fn dockers_name_needs_arguments_and_tokens_need_an_audience() {
        let mut provider = provider("docker-credential-icr", "us.icr.io");
        assert!(found(&provider).contains("as docker's helper"));
        provider.args = vec!["kubelet".into()];
        assert_eq!(found(&provider), "");
        provider.token_attributes = Some(TokenAttributes {
            audience: "sts".into(),
            ..TokenAttributes::default()
        });
        provider.default_cache_duration = 43_200;
        let found = found(&provider);
        assert!(
            found.contains("serviceAccountTokenAudience") && found.contains("12 h"),
            "{found}"
        );
    }
}
