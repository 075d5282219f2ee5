//! The API key to log in with: from a file, stdin or a prompt.

use std::io::ErrorKind;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::PROGRAM;
use crate::context::Context;
use crate::context::Stdio;
use crate::environment;
use crate::environment::API_KEY_VARIABLES;
use crate::error::Error;
use crate::error::Result;
use crate::iam::is_token;
use crate::secret::Secret;
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
    let shown = repeatable::path(path);
    let fail =
        |reason: String| Error::user(format!("cannot read an API key from {shown}: {reason}"));
    let text = environment::secret_file(&context.system_paths.expand(Path::new(path)))
        .map_err(|error| fail(error.to_string()))?;
    parse_key(text.expose()).map_err(|reason| fail(reason.to_owned()))
}

fn from_stdin(stdio: &mut Stdio<'_>) -> Result<Secret> {
    let fail = |reason: &str| Error::user(format!("cannot read an API key from stdin: {reason}"));
    let mut bytes = Zeroizing::new(Vec::new());
    let read = stdio.input.take(MAX_KEY_INPUT + 1).read_to_end(&mut bytes);
    read.map_err(|error| fail(&error.to_string()))?;
    if bytes.len() as u64 > MAX_KEY_INPUT {
        return Err(fail("it is too large"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| fail("it is not UTF-8 text"))?;
    if text.trim().is_empty() {
        return Err(
            Error::user("stdin is empty: it has no API key").with_hint(format!(
                "Pipe the key in: '{PROGRAM} login --api-key-stdin < FILE'"
            )),
        );
    }
    parse_key(text).map_err(fail)
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
    parse_key(answer.expose())
        .map_err(|reason| Error::user(format!("this is not an API key: {reason}")))
}

fn no_key_given(context: &Context<'_>) -> Error {
    let given = API_KEY_VARIABLES
        .iter()
        .find(|variable| context.environment.has(variable));
    let hint = given.map_or(String::new(), |variable| {
        format!(". While ${variable} is set, no login is needed: it takes precedence")
    });
    Error::user("cannot prompt for an API key: not a terminal").with_hint(format!(
        "Run '{PROGRAM} login --api-key-stdin < FILE', or add --api-key @FILE{hint}"
    ))
}

/// Parses a key, alone or in the JSON file that `ibmcloud iam api-key-create --file` and the
/// console write.
fn parse_key(text: &str) -> Result<Secret, &'static str> {
    #[derive(Deserialize)]
    struct KeyFile {
        apikey: Secret,
    }
    let text = text.trim();
    let key = if text.starts_with('{') {
        serde_json::from_str::<KeyFile>(text)
            .map(|file| file.apikey)
            .map_err(|_| "it is JSON without `apikey`")?
    } else {
        Secret::new(text)
    };
    match key.expose() {
        "" => Err("it is empty"),
        key if key.lines().count() > 1 => Err("it has more than one line"),
        _ if !is_token(&key) => Err("it is not plain text, or too long"),
        _ => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_be_a_line_or_a_key_file() {
        for text in [
            "key",
            " key\r\n",
            "\nkey\n\n",
            r#"{"name": "n", "apikey": "key"}"#,
            "{\n\t\"apikey\": \"key\"\n}\n",
        ] {
            assert_eq!(parse_key(text), Ok(Secret::new("key")), "{text:?}");
        }
    }

    #[test]
    fn invalid_keys_are_rejected_and_not_repeated() {
        let long = "hunter2".repeat(10_000);
        for text in [
            "",
            " \n",
            "hunter2\nhunter2",
            "hunter2 hunter2\u{1b}",
            "{\"hunter2\"}",
            "{\"apikey\": 7}",
            "{\"apikey\": \"\"}",
            "{\"apikey\": \"a\\nb\"}",
            &long,
        ] {
            let reason = parse_key(text).unwrap_err();
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }
}
