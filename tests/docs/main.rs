//! The pages of `docs/` and the README: what they show works, what they link to is there, and nothing is left out of them.

mod commands;
mod descriptions;
mod index;
mod links;
mod page;
