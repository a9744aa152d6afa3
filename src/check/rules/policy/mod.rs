//! Rules about plain policy, by the room of their codes.

pub(super) mod accounts;
pub(super) mod egress;
pub(super) mod limits;
pub(super) mod login_names;
