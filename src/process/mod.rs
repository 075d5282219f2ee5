//! Processes: the memory of this one, its parent, and background processes.

pub mod background_refresh;
pub mod memory;
pub mod parent;
pub mod watchdog;
