//! Checks the certificate authorities.

use super::CheckContext;
use super::Diagnostic;
use super::Verdict;
use crate::environment::CERTIFICATE_DIRECTORY;
use crate::http::certificates;
use crate::http::certificates::Authorities;
use crate::http::certificates::CertificatePaths;

const CHECK: &str = "certificates";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let paths = CertificatePaths::of(context.context.environment);
    let limit = context.settings.limits.attempt;
    let authorities = match certificates::authorities(paths.clone(), limit) {
        Ok(authorities) => authorities,
        Err((reason, hint)) => {
            let fix = hint.map(str::to_owned);
            return vec![Diagnostic::new(CHECK, Verdict::Problem, reason, fix)];
        }
    };
    let message = trusted_authorities(&authorities, &paths);
    let mut diagnostics = vec![match authorities.unreadable {
        0 => Diagnostic::ok(CHECK, message),
        count => Diagnostic::warning(
            CHECK,
            format!("{message}, and skipped {}", unreadable(count)),
            "Remove what is no certificate from these files, or renew them",
        ),
    }];
    diagnostics.extend(paths.unusable_directory().map(|reason| {
        Diagnostic::warning(
            CHECK,
            reason,
            format!(
                "Set {CERTIFICATE_DIRECTORY} to a directory of certificates (PEM), or unset it"
            ),
        )
    }));
    diagnostics
}

fn unreadable(count: usize) -> String {
    match count {
        1 => "1 unreadable certificate".to_owned(),
        _ => format!("{count} unreadable certificates"),
    }
}

fn trusted_authorities(authorities: &Authorities, paths: &CertificatePaths) -> String {
    let count = authorities.system.map(|count| format!("{count} "));
    let count = count.unwrap_or_default();
    // With a file, the system's authorities are trusted as well.
    let base = if paths.file.is_none() && !paths.directories.is_empty() {
        format!("the {count}certificate authorities in ${CERTIFICATE_DIRECTORY}")
    } else {
        format!("the system's {count}certificate authorities")
    };
    let additional = authorities.further.as_ref();
    let additional = additional.map(|(path, count)| format!(" and {count} in {}", path.display()));
    format!("trusts {base}{}", additional.unwrap_or_default())
}
