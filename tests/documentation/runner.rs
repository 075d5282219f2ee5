//! Runs the blocks of one page, one after the other.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ci_job::shell_parts;
use crate::machine::KEY;
use crate::machine::Machine;
use crate::page::Block;
use crate::page::Condition;
use crate::page::How;
use crate::support::TestEnv;

/// The command that uses a client's file.
const PULL: &str = "docker pull us.icr.io/NAMESPACE/IMAGE";

/// What is left of the blocks before.
#[derive(Default)]
pub(crate) struct Runner {
    machine: Option<Machine>,
    settings: String,
}

impl Runner {
    /// Runs a block, or checks the comment above it. Returns `false` if this system has no keychain for it.
    pub(crate) fn run(&mut self, block: &Block) -> bool {
        let conditions = match &block.how {
            How::NotRun => return true,
            How::RunBy(file) => {
                is_run_by(block, file);
                return true;
            }
            How::Run(conditions) => conditions,
        };
        match block.language.as_str() {
            "sh" => self.run_commands(block, conditions).is_some(),
            "json" => self.use_json(block).is_some(),
            "toml" => {
                self.load_settings(block);
                true
            }
            "groovy" | "yaml" => self.run_job(block).is_some(),
            language => panic!(
                "{}: a block in '{language}' is neither run nor marked",
                block.place
            ),
        }
    }

    fn new_machine(&mut self, settings: &str) -> Option<&Machine> {
        // The kernel keyring has room for one machine.
        self.machine = None;
        self.machine = Machine::create(settings);
        self.machine.as_ref()
    }

    fn run_commands(&mut self, block: &Block, conditions: &[Condition]) -> Option<()> {
        let has = |condition| conditions.contains(&condition);
        let settings = if has(Condition::Settings) {
            self.settings.clone()
        } else {
            String::new()
        };
        if !has(Condition::Continued) {
            self.new_machine(&settings)?;
        }
        let machine = self.machine.as_ref()?;
        if !has(Condition::Continued) && !has(Condition::NewMachine) {
            machine.log_in_and_configure();
        }
        if has(Condition::Session) {
            machine.log_in_with_the_cli();
        }
        if has(Condition::Terminal) {
            machine.type_commands(block);
        } else {
            let key = has(Condition::Key).then_some(("IBMCLOUD_API_KEY", KEY));
            machine.run(&block.place, &block.text, key.as_slice());
        }
        Some(())
    }

    /// Parses JSON. A client's file is used for a pull.
    fn use_json(&mut self, block: &Block) -> Option<()> {
        let value: Value = serde_json::from_str(&block.text)
            .unwrap_or_else(|error| panic!("{}: {error}", block.place));
        if value.get("credHelpers").is_some() {
            let machine = self.new_machine("")?;
            machine.log_in();
            machine.write_docker_file(&block.text);
            machine.run(&block.place, PULL, &[]);
        }
        Some(())
    }

    fn load_settings(&mut self, block: &Block) {
        let env = TestEnv::new();
        env.settings(&block.text);
        let outcome = env.run(&["settings"], "");
        assert_eq!(outcome.status, Some(0), "{}: {outcome:?}", block.place);
        self.settings.clone_from(&block.text);
    }

    /// Runs the commands of a CI job on a machine that has only an API key in the environment.
    fn run_job(&mut self, block: &Block) -> Option<()> {
        let commands = shell_parts(block);
        if !commands.is_empty() {
            let machine = self.new_machine("")?;
            for part in commands {
                machine.run_in_ci(&block.place, &part);
            }
        }
        Some(())
    }
}

/// Checks that the file contains the name of the first program in the block.
fn is_run_by(block: &Block, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let content =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {file}: {error}", block.place));
    let program = block.text.split_whitespace().next().unwrap_or_default();
    let program = program.trim_start_matches("./");
    assert!(
        content.contains(program),
        "{}: {file} does not run {program}",
        block.place
    );
}
