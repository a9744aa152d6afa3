//! What of a description may be repeated in a message. A secret is written where people write it by
//! mistake, and what is said goes into logs: of a description only values of options that the tool
//! knows, and that hold no secret, are shown. Everything that shows a value asks [`value`] or
//! [`may_show`]; everything that shows a line asks [`Hidden::line`], since nothing else can read the
//! text that [`Hidden`] holds.

mod before_host;
mod lines;
mod names;
mod random;
mod tree;
mod unsaid;
mod values;

pub use before_host::has_password_before_host;
pub use lines::{Hidden, Line};
pub use names::{is_known, is_name, is_nameable, sounds_secret};
pub use random::without_secrets;
pub use unsaid::Unsaid;
pub use values::{NOT_SHOWN, may_repeat, may_show, number, path, registered, value, without_quotes};
