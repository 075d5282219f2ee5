//! Where does the API key come from that somebody logs in with?

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

/// The most that is read from stdin, in bytes: a key has 44, and its file is small.
const MAX_KEY_INPUT: u64 = 64 * 1024;

/// The ways to hand over an API key.
#[derive(clap::Args)]
pub(super) struct ApiKeyArguments {
    /// Read the API key from standard input, one line
    #[arg(long, group = "way")]
    api_key_stdin: bool,

    /// Read the API key from a file; `@` stands before its path
    #[arg(long, group = "way", value_name = "@FILE")]
    api_key: Option<String>,
}

impl ApiKeyArguments {
    /// Whether a person is asked for the key.
    pub(super) fn is_typed(&self) -> bool {
        self.api_key.is_none() && !self.api_key_stdin
    }

    /// The API key: from a file, from stdin, or from the person.
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
    let Some(path) = argument.strip_prefix('@') else {
        return Err(Error::user(
            "--api-key takes @FILE and no key: everybody on this machine can see the arguments of a program; give the key on standard input with --api-key-stdin, or the name of its file after `@`",
        ));
    };
    let shown = repeatable::path(path);
    let fail = |reason: String| {
        Error::user(format!(
            "cannot take an API key from the file {shown}: {reason}"
        ))
    };
    let text = environment::secret_file(&context.system_paths.expand(Path::new(path)))
        .map_err(|error| fail(error.to_string()))?;
    parse_key(text.expose()).map_err(|reason| fail(reason.to_owned()))
}

fn from_stdin(stdio: &mut Stdio<'_>) -> Result<Secret> {
    let fail = |reason: &str| {
        Error::user(format!(
            "cannot take an API key from standard input: {reason}"
        ))
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let read = stdio.input.take(MAX_KEY_INPUT + 1).read_to_end(&mut bytes);
    read.map_err(|error| fail(&error.to_string()))?;
    if bytes.len() as u64 > MAX_KEY_INPUT {
        return Err(fail("it is too large"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| fail("it is no text"))?;
    parse_key(text).map_err(fail)
}

fn from_prompt(context: &Context<'_>) -> Result<Secret> {
    let answer = context.terminal.ask_secret("IBM Cloud API key: ");
    let answer = answer.map_err(|error| Error::user(format!("no API key was typed ({error})")))?;
    parse_key(answer.expose())
        .map_err(|reason| Error::user(format!("that is no API key: {reason}")))
}

fn no_key_given(context: &Context<'_>) -> Error {
    let given = API_KEY_VARIABLES
        .iter()
        .find(|variable| context.environment.has(variable));
    let hint = given.map_or(String::new(), |variable| {
        format!("; while ${variable} is set, no login is needed: it comes before stored logins")
    });
    Error::user(format!(
        "there is no terminal to ask for an API key at: give it on standard input (`{PROGRAM} login --api-key-stdin < FILE`) or as a file (`--api-key @FILE`){hint}"
    ))
}

/// A key by itself, or in the file that `ibmcloud iam api-key-create --file` and the
/// console write.
fn parse_key(text: &str) -> Result<Secret, &'static str> {
    #[derive(Deserialize)]
    struct KeyFile {
        apikey: Secret,
    }
    let text = text.trim();
    let key = match text.starts_with('{') {
        true => serde_json::from_str::<KeyFile>(text)
            .map(|file| file.apikey)
            .map_err(|_| "it is JSON without an `apikey`")?,
        false => Secret::new(text),
    };
    match key.expose() {
        "" => Err("it is empty"),
        key if key.lines().count() > 1 => Err("it has more than one line"),
        _ if !is_token(&key) => Err("it is no plain text, or too long"),
        _ => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_line_or_in_a_key_file() {
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
    fn anything_else_is_refused_without_showing_it() {
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
