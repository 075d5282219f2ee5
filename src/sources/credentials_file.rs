//! IBM's credentials file, as the SDKs read it (`go-sdk-core`, `core/config_utils.go`).

#[cfg(test)]
mod tests;

use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::SourceContext;
use super::sdk_properties::Place;
use super::sdk_properties::Properties;
use super::source_identity::SourceIdentity;
use crate::environment::CREDENTIALS_FILE;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::registry::Registry;
use crate::settings::SourceName;
use crate::text::encoding;

const FILE_NAME: &str = "ibm-credentials.env";

/// The size limit of the file, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// Returns the identity that the file has for this service.
pub(super) fn find<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let Some(path) = path_of_file(context)? else {
        return Ok(None);
    };
    let name = format!("the IBM credentials file {}", path.display());
    let text = read_text(&path).map_err(|error| {
        let error = Error::from_anyhow(&error).with_context(format_args!("cannot read {name}"));
        match context.environment.value(CREDENTIALS_FILE) {
            Ok(Some(named)) if path == Path::new(named) => error.with_default_hint(format!(
                "{CREDENTIALS_FILE} names this file: correct or unset the variable"
            )),
            _ => error,
        }
    })?;
    Properties::in_lines(&text, Place::File(path)).identity(context)
}

fn read_text(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(fs::read_bytes(path, MAX_SIZE)?);
    encoding::decode(&bytes).map_err(|reason| anyhow::anyhow!(reason))
}

/// Returns the path of the file: the one that the settings or a variable name, the one in the
/// working directory if the settings allow it (a repository must not select credentials), or
/// the one in the home directory.
fn path_of_file(context: &SourceContext<'_>) -> Result<Option<PathBuf>> {
    if context.settings.source == Some(SourceName::CredentialsFile)
        && let Some(path) = context.settings.file
    {
        return Ok(Some(path.to_owned()));
    }
    if let Some(path) = context.environment.value(CREDENTIALS_FILE)? {
        return Ok(Some(PathBuf::from(path)));
    }
    let system_paths = context.system_paths;
    let here = context
        .working_directory_credentials
        .then_some(&system_paths.working_directory);
    let mut paths = [here, system_paths.home.as_ref()]
        .into_iter()
        .flatten()
        .map(|directory| directory.join(FILE_NAME));
    Ok(paths.find(|path| fs::entry_exists(path)))
}
