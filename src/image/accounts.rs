//! `/etc/passwd` and `/etc/group` from the accounts of an image. They only give names to numbers: nobody can log in.

use std::collections::BTreeMap;

use crate::definition::User;
use crate::error::{Error, Result};

/// The texts of `/etc/passwd` and `/etc/group`: root, the accounts by number, and nobody (65534, as everywhere on Linux).
///
/// # Errors
/// An environment failure for a name or number that is used twice, is reserved, or would break a line (`useradd(8)`
/// says which names are portable).
pub fn files(accounts: &[User]) -> Result<(String, String)> {
    let mut by_id = BTreeMap::from([(0, "root"), (65534, "nobody")]);
    let mut by_name = BTreeMap::from([("root", 0), ("nobody", 65534)]);
    for User { name, id } in accounts {
        let mut letters = name.bytes();
        let portable = letters.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
            && letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
            && name.len() <= 32;
        if !portable {
            return Err(Error::environment(
                format!("`{name}` is no portable account name"),
                "use up to 32 lower-case letters, digits, `_` and `-`, a letter or `_` first",
            ));
        }
        if by_name.get(name.as_str()) == Some(id) {
            continue;
        }
        if by_name.insert(name, *id).is_some() || by_id.insert(*id, name).is_some() {
            return Err(Error::environment(
                format!("the account {name} ({id}) takes a name or a number that another account has"),
                "give each account in image.toml a name and a number of its own",
            ));
        }
    }
    let mut passwd = String::new();
    let mut group = String::new();
    for (id, name) in by_id {
        let home = if id == 0 { "/root" } else { "/nonexistent" };
        let group_name = if name == "nobody" { "nogroup" } else { name };
        passwd.push_str(&format!("{name}:x:{id}:{id}:{name}:{home}:/usr/sbin/nologin\n"));
        group.push_str(&format!("{group_name}:x:{id}:\n"));
    }
    Ok((passwd, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, id: u32) -> User {
        User { name: name.into(), id }
    }

    #[test]
    fn sorted_by_number() {
        let (passwd, group) = files(&[user("redis", 992), user("synapse", 991), user("redis", 992)]).unwrap();
        assert_eq!(
            passwd,
            "root:x:0:0:root:/root:/usr/sbin/nologin\nsynapse:x:991:991:synapse:/nonexistent:/usr/sbin/nologin\n\
             redis:x:992:992:redis:/nonexistent:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        );
        assert_eq!(group, "root:x:0:\nsynapse:x:991:\nredis:x:992:\nnogroup:x:65534:\n");
    }

    #[test]
    fn what_would_break_the_file_is_refused() {
        for accounts in [
            vec![user("a:b", 1)],
            vec![user("", 1)],
            vec![user("a\nb", 1)],
            vec![user("a", 1), user("b", 1)],
            vec![user("a", 1), user("a", 2)],
            vec![user("x", 0)],
            vec![user("nobody", 7)],
        ] {
            assert!(files(&accounts).is_err(), "{accounts:?}");
        }
    }
}
