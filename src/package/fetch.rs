//! x
use super::cache::Cache; use super::lock::*; use crate::error::*; use super::progress::Progress;
/// x
pub fn ensure(_: &Cache, _: &[&DebianLock], _: &[&PythonLock], _: &dyn Progress) -> Result<()> { Ok(()) }
/// x
pub fn is_gone(_: &Error) -> bool { false }
