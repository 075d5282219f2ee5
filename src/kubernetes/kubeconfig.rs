//! The kubeconfig: the files in `KUBECONFIG`, or `~/.kube/config`, merged as kubectl does it
//! (`k8s.io/client-go`, `tools/clientcmd`): the first file that has a value or a name counts, and
//! paths are relative to the directory of their file.

use std::path::Path;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use yaml_rust2::Yaml;

use super::connection::Authentication;
use super::connection::Connection;
use super::connection::read_bytes;
use super::connection::read_text;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::http::transport::ServerTrust;
use crate::secret::Secret;
use crate::text::repeatable;
use crate::text::yaml;

/// The variable with the paths of the files.
const VARIABLE: &str = "KUBECONFIG";

/// What a user or a cluster may have that this program does not do, and what to do instead.
const UNSUPPORTED: [(&str, &str); 6] = [
    ("exec", TOKEN_INSTEAD),
    (AUTH_PROVIDER, TOKEN_INSTEAD),
    ("as", "Use the kubeconfig of that user"),
    ("as-uid", "Use the kubeconfig of that user"),
    ("as-groups", "Use the kubeconfig of that user"),
    ("proxy-url", "Set HTTPS_PROXY instead"),
];

/// A plug-in of kubectl, with its settings.
const AUTH_PROVIDER: &str = "auth-provider";

const TOKEN_INSTEAD: &str = "Use a kubeconfig with a token, for example from 'kubectl create token', or with a client certificate";

/// The files, in their order.
pub(super) struct Kubeconfig {
    files: Vec<File>,
}

struct File {
    path: PathBuf,
    content: Yaml,
}

/// A cluster or a user, and the file that it is in.
struct Entry<'a> {
    file: &'a Path,
    fields: &'a Yaml,
}

impl Kubeconfig {
    /// Reads the files; `None` if there is none.
    ///
    /// # Errors
    /// A file cannot be read, or is not YAML.
    pub(super) fn read(environment: &Environment, home: Option<&Path>) -> Result<Option<Self>> {
        let named = environment.raw_value(VARIABLE);
        let paths: Vec<PathBuf> = match named {
            Some(list) => std::env::split_paths(list).collect(),
            None => home
                .map(|home| home.join(".kube/config"))
                .into_iter()
                .collect(),
        };
        let existing = paths.iter().filter(|path| fs::entry_exists(path));
        let files: Vec<File> = existing
            .map(|path| File::read(path))
            .collect::<Result<_>>()?;
        if files.is_empty() && named.is_some() {
            return Err(
                Error::user(format!("the files in ${VARIABLE} do not exist")).with_hint(format!(
                    "Set {VARIABLE} to the path of a kubeconfig, or unset it"
                )),
            );
        }
        Ok((!files.is_empty()).then_some(Self { files }))
    }

    /// Returns the connection of a context, or of the current one.
    ///
    /// # Errors
    /// Something is missing, cannot be read, or is not supported.
    pub(super) fn connection(&self, context: Option<&str>) -> Result<Connection> {
        let mut current = self
            .files
            .iter()
            .map(|file| text(&file.content["current-context"]));
        let Some(name) = context.or_else(|| current.find_map(|name| name)) else {
            return Err(
                Error::user(format!("{} has no current context", self.names()))
                    .with_hint("Run 'kubectl config use-context NAME', or add --context NAME"),
            );
        };
        let context = self.entry("contexts", "context", name)?;
        let missing = |key: &str| {
            let shown = repeatable::quoted_name(name);
            Error::user(format!(
                "the context {shown} in {} has no {key}",
                context.file.display()
            ))
        };
        let cluster = text(&context.fields["cluster"]).ok_or_else(|| missing("cluster"))?;
        let cluster = self.entry("clusters", "cluster", cluster)?;
        let user = match text(&context.fields["user"]) {
            Some(user) => Some(self.entry("users", "user", user)?),
            None => None,
        };
        for entry in [Some(&cluster), user.as_ref()].into_iter().flatten() {
            entry.check_supported()?;
        }
        let server = text(&cluster.fields["server"]).ok_or_else(|| missing("server"))?;
        let trust = ServerTrust {
            authorities: cluster.bytes("certificate-authority")?,
            identity: user.as_ref().map(Entry::identity).transpose()?.flatten(),
            accepts_any_certificate: cluster.fields["insecure-skip-tls-verify"].as_bool()
                == Some(true),
            server_name: text(&cluster.fields["tls-server-name"]).map(str::to_owned),
        };
        let authentication = match &user {
            Some(user) => user.authentication(),
            None => Authentication::None,
        };
        Connection::new(
            server,
            trust,
            authentication,
            &cluster.file.display().to_string(),
        )
    }

    /// Returns the entry of this name in a list, in the first file that has it.
    fn entry(&self, list: &str, inner: &str, name: &str) -> Result<Entry<'_>> {
        let mut found = self.files.iter().filter_map(|file| {
            let entries = file.content[list].as_vec()?;
            let entry = entries
                .iter()
                .find(|entry| text(&entry["name"]) == Some(name))?;
            Some(Entry {
                file: &file.path,
                fields: &entry[inner],
            })
        });
        found.next().ok_or_else(|| {
            let shown = repeatable::quoted_name(name);
            Error::user(format!("{} has no {inner} {shown}", self.names()))
        })
    }

    fn names(&self) -> String {
        let names: Vec<String> = self
            .files
            .iter()
            .map(|it| it.path.display().to_string())
            .collect();
        names.join(" and ")
    }
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let documents = yaml::parse(&read_text(path)?)
            .map_err(|reason| Error::user(format!("{shown} {reason}")))?;
        let content = documents.into_iter().next().unwrap_or(Yaml::Null);
        if !matches!(content, Yaml::Hash(_) | Yaml::Null) {
            return Err(Error::user(format!("{shown} is not a kubeconfig")));
        }
        Ok(Self {
            path: path.to_owned(),
            content,
        })
    }
}

impl Entry<'_> {
    fn check_supported(&self) -> Result<()> {
        let has = |key: &str| !self.fields[key].is_badvalue() && !self.fields[key].is_null();
        let is_supported = |key: &str| key == AUTH_PROVIDER && self.id_token().is_some();
        let mut unsupported = UNSUPPORTED.into_iter();
        match unsupported.find(|(key, _)| has(key) && !is_supported(key)) {
            None => Ok(()),
            Some((key, hint)) => Err(Error::user(format!(
                "`{key}` in {} is not supported",
                self.file.display()
            ))
            .with_hint(hint)),
        }
    }

    /// Returns the content of a field: that of `KEY-data`, otherwise that of the file in `KEY`.
    fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let data_key = format!("{key}-data");
        if let Some(data) = text(&self.fields[&*data_key]) {
            let data: String = data.split_whitespace().collect();
            return STANDARD.decode(data).map(Some).map_err(|_| {
                Error::user(format!(
                    "`{data_key}` in {} is not base64",
                    self.file.display()
                ))
            });
        }
        self.path(key).map(|path| read_bytes(&path)).transpose()
    }

    /// Returns the client certificate and its key.
    fn identity(&self) -> Result<Option<Secret>> {
        let Some(certificate) = self.bytes("client-certificate")? else {
            return Ok(None);
        };
        let key = self.bytes("client-key")?.unwrap_or_default();
        let pem = [key, b"\n".to_vec(), certificate].concat();
        let pem = String::from_utf8(pem).map_err(|_| {
            Error::user(format!(
                "the client certificate in {} is not PEM",
                self.file.display()
            ))
        })?;
        Ok(Some(Secret::new(pem)))
    }

    /// Returns how this user is authenticated. A token in a file comes before one in the
    /// kubeconfig.
    fn authentication(&self) -> Authentication {
        let field = |key: &str| text(&self.fields[key]);
        if let Some(path) = self.path("tokenFile") {
            Authentication::TokenFile(path)
        } else if let Some(token) = field("token") {
            Authentication::Token(Secret::new(token))
        } else if let Some(token) = self.id_token() {
            Authentication::IdToken(Secret::new(token))
        } else if let Some(username) = field("username") {
            let password = Secret::new(field("password").unwrap_or_default());
            Authentication::Basic(username.to_owned(), password)
        } else {
            Authentication::None
        }
    }

    /// Returns the token of an OpenID Connect provider: `ibmcloud ks cluster config` writes one of
    /// IBM Cloud IAM, and kubectl renews it.
    fn id_token(&self) -> Option<&str> {
        let provider = &self.fields[AUTH_PROVIDER];
        let is_oidc = text(&provider["name"]) == Some("oidc");
        text(&provider["config"]["id-token"]).filter(|_| is_oidc)
    }

    /// Returns the path in a field.
    fn path(&self, key: &str) -> Option<PathBuf> {
        let path = text(&self.fields[key])?;
        Some(self.file.parent().unwrap_or(Path::new("")).join(path))
    }
}

/// Returns a text that is not empty.
fn text(value: &Yaml) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
