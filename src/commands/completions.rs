//! `completions`: prints the completions for a shell.

use clap::ValueEnum;

use super::is_written;
use crate::context::Stdio;
use crate::error::Result;

const EXAMPLES: &str = r#"Examples:
  docker-credential-icr completions bash > ~/.local/share/bash-completion/completions/docker-credential-icr
  docker-credential-icr completions zsh > "${fpath[1]}/_docker-credential-icr"
  docker-credential-icr completions fish > ~/.config/fish/completions/docker-credential-icr.fish
  docker-credential-icr completions powershell | Out-String | Invoke-Expression
  eval (docker-credential-icr completions elvish | slurp)"#;

/// Print the completions for a shell
///
/// Packages and install.sh install them already.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Shell that reads the completions
    shell: Shell,
}

/// A shell with completions.
#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    #[value(name = "powershell")]
    Pwsh,
    Zsh,
}

impl Shell {
    /// Returns the file that `install/generate` wrote. The generator itself would make the
    /// program larger.
    fn completions(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../../install/completions/docker-credential-icr.bash"),
            Self::Elvish => include_str!("../../install/completions/docker-credential-icr.elv"),
            Self::Fish => include_str!("../../install/completions/docker-credential-icr.fish"),
            Self::Pwsh => {
                include_str!("../../install/completions/_docker-credential-icr.ps1")
            }
            Self::Zsh => include_str!("../../install/completions/_docker-credential-icr"),
        }
    }
}

pub(crate) fn run(arguments: &Arguments, stdio: &mut Stdio<'_>) -> Result<()> {
    let completions = arguments.shell.completions();
    is_written(stdio.output.write_all(completions.as_bytes()))
}
