//! Processes: the memory of this one, its parent, background processes, and other programs' output.

pub mod background_refresh;
pub mod memory;
pub mod output;
pub mod parent;
pub mod watchdog;
