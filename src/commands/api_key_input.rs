//! The API key to log in with: from a file, stdin or a prompt.

use std::io::ErrorKind;
use std::io::Read;

use zeroize::Zeroizing;

use crate::PROGRAM;
use crate::context::Context;
use crate::context::Stdio;
use crate::environment::API_KEY_VARIABLES;
use crate::environment::secret_file;
use crate::error::Error;
use crate::error::Result;
use crate::secret::Secret;
use crate::secret::input;
use crate::secret::input::SecretKind;
use crate::secret::input::Unusable;
use crate::text::repeatable;

/// The maximum size of the input on stdin, in bytes. A key has 44, and a key file some 200.
const MAX_KEY_INPUT: u64 = 64 * 1024;

/// The options that give an API key.
#[derive(clap::Args)]
pub(super) struct ApiKeyArguments {
    /// Read the API key from stdin
    #[arg(long, group = "method")]
    api_key_stdin: bool,

    /// Read the API key from a file, with `@` before its path
    #[arg(long, group = "method", value_name = "@FILE")]
    api_key: Option<String>,
}

impl ApiKeyArguments {
    /// Returns whether the person is prompted for the key.
    pub(super) fn is_typed(&self) -> bool {
        self.api_key.is_none() && !self.api_key_stdin
    }

    /// Reads the API key from the file, from stdin, or from a prompt.
    ///
    /// # Errors
    /// The input cannot be read or is no API key, or there is no terminal for a prompt.
    pub(super) fn read(&self, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<Secret> {
        match &self.api_key {
            Some(file) => from_file(file, context),
            None if self.api_key_stdin => from_stdin(stdio),
            None if context.terminal.is_interactive() => from_prompt(context),
            None => Err(no_key_given(context)),
        }
    }
}

fn from_file(argument: &str, context: &Context<'_>) -> Result<Secret> {
    if argument == "-" {
        return Err(
            Error::usage("--api-key needs @FILE").with_hint("To read stdin, use --api-key-stdin")
        );
    }
    let Some(path) = argument.strip_prefix('@') else {
        return Err(Error::usage(
            "--api-key needs @FILE, not the key itself: other users can see a program's arguments",
        )
        .with_hint(
            "Use --api-key-stdin, or store the key in a file and write `@` before its path",
        ));
    };
    let fail = |reason: &dyn std::fmt::Display| {
        let shown = match path.trim() {
            "" => "a file",
            path => repeatable::path(path),
        };
        Error::user(format!("cannot read an API key from {shown}: {reason}"))
    };
    let text = secret_file::read(path, context.system_paths.home.as_deref());
    let text = text.map_err(|error| fail(&error))?;
    input::read(SecretKind::ApiKey, text.expose())
        .map_err(|reason| with_hint(fail(&reason), &reason))
}

fn from_stdin(stdio: &mut Stdio<'_>) -> Result<Secret> {
    let fail = |reason: &dyn std::fmt::Display| {
        Error::user(format!("cannot read an API key from stdin: {reason}"))
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let read = stdio.input.take(MAX_KEY_INPUT + 1).read_to_end(&mut bytes);
    read.map_err(|error| fail(&error))?;
    if bytes.len() as u64 > MAX_KEY_INPUT {
        return Err(fail(&"it is too large"));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(
            Error::user("stdin is empty: it has no API key").with_hint(format!(
                "Pipe the key in: '{PROGRAM} login --api-key-stdin < FILE'"
            )),
        );
    }
    input::read_bytes(SecretKind::ApiKey, &bytes)
        .map_err(|reason| with_hint(fail(&reason), &reason))
}

fn from_prompt(context: &Context<'_>) -> Result<Secret> {
    let answer = context.terminal.ask_secret("IBM Cloud API key: ");
    let answer = answer.map_err(|error| {
        Error::user(if error.kind() == ErrorKind::UnexpectedEof {
            "canceled: no API key was entered. Nothing was changed".to_owned()
        } else {
            format!("cannot read the API key ({error})")
        })
    })?;
    input::read(SecretKind::ApiKey, answer.expose()).map_err(|reason| {
        let error = Error::user(format!("this is no API key: {reason}"));
        with_hint(error, &reason)
    })
}

/// Adds what to do with another kind of secret.
fn with_hint(error: Error, reason: &Unusable) -> Error {
    match reason.other_kind() {
        Some(_) => error.with_hint(format!(
            "Create an API key with 'ibmcloud iam api-key-create NAME', or log in with '{PROGRAM} login --sso'"
        )),
        None => error,
    }
}

fn no_key_given(context: &Context<'_>) -> Error {
    let given = API_KEY_VARIABLES
        .iter()
        .find(|variable| context.environment.has(variable));
    let [variable, ..] = API_KEY_VARIABLES;
    let hint = match given {
        Some(given) => format!("While ${given} is set, no login is needed: it takes precedence"),
        None => format!("In a CI job, set {variable}: then no login is needed"),
    };
    Error::user("cannot prompt for an API key: not a terminal").with_hint(format!(
        "Run '{PROGRAM} login --api-key-stdin < FILE', or add --api-key @FILE. {hint}"
    ))
}
