//! What is sound of a description in which other things are not, so that the rules can look at it. What is wrong is left out; what every site
//! must have and this one has not in order gets a stand-in, of which there are two: a finding that depends on one of them is none.

use serde_json::{Value, json};

use super::schema::{self, OptionPath, Step};

/// A description without what is wrong in it.
pub struct Sound {
    /// The description, with one stand-in each.
    pub descriptions: [Value; 2],
    /// What is not in it, or is only a stand-in.
    pub left_out: Vec<OptionPath>,
}

/// The server's name and address as nobody has them (RFC 6761, section 6.4), beside every other site's options.
const STAND_INS: [(&str, [&str; 2]); 2] =
    [("server_name", ["one.invalid", "another.invalid"]), ("public_baseurl", ["https://one.invalid/", "https://another.invalid/"])];

/// Leaves out what is not sound.
pub fn parts(value: &Value, unsound: &[OptionPath]) -> Sound {
    let mut rest = value.clone();
    let mut left_out: Vec<OptionPath> = unsound.iter().map(without_need).collect();
    left_out.sort();
    left_out.dedup();
    left_out.iter().for_each(|at| leave_out(&mut rest, &at.0));
    let with = |which: usize| {
        let mut description = rest.clone();
        if let Value::Object(sections) = &mut description {
            let server = sections.entry("server").or_insert_with(|| json!({}));
            if let Value::Object(server) = server {
                for (name, texts) in STAND_INS {
                    server.entry(name).or_insert_with(|| json!(texts[which]));
                }
            }
        }
        description
    };
    Sound { descriptions: [with(0), with(1)], left_out }
}

/// The largest part that cannot be there without an option: a list with a wrong element is wrong as a whole, and so is a section that can be
/// absent without one of the options that it must have.
fn without_need(at: &OptionPath) -> OptionPath {
    let mut path = OptionPath(at.0.iter().take_while(|step| matches!(step, Step::Key(_))).cloned().collect());
    while let [outer @ .., Step::Key(name)] = path.0.as_slice() {
        // `server` is always there.
        let is_needed = !outer.is_empty() && outer != [Step::Key("server".to_owned())] && schema::requires(outer, name);
        if !is_needed {
            break;
        }
        path = OptionPath(outer.to_vec());
    }
    path
}

fn leave_out(value: &mut Value, path: &[Step]) {
    let Some((Step::Key(key), rest)) = path.split_first() else { return };
    let Value::Object(members) = value else { return };
    if rest.is_empty() {
        members.remove(key);
    } else if let Some(member) = members.get_mut(key) {
        leave_out(member, rest);
    }
}
