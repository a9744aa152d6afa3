//! `lock`
use crate::error::Result;
use super::sources::From;
use crate::package::cache::Cache;
use super::progress::Shown;
/// x
#[derive(Debug, clap::Args)]
pub struct Arguments {}
pub fn run(_: &Arguments) -> Result<()> { Ok(()) }
pub fn relock(_: &From, _: &Cache, _: &Shown) -> Result<()> { Ok(()) }
