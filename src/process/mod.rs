//! Processes: this one's memory, the one that called it, and those that it starts.

pub mod background_refresh;
pub mod memory;
pub mod parent;
