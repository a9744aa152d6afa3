//! The comparison itself: the site of now against what each place knows. Takes plain values, gives everything that contradicts, with what to
//! do about it, and what is sure enough to be written down.

use std::collections::BTreeMap;

use synapse_site::error::Error;

use super::{Known, Now, RUN, Settled};

/// The outcome.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What the markers may say from now on.
    pub settled: Settled,
    /// What the log should say, a line each.
    pub notes: Vec<String>,
    name: Vec<Contradiction>,
    secrets: Vec<Contradiction>,
}

#[derive(Debug)]
struct Contradiction {
    what: String,
    remedy: String,
}

impl Verdict {
    /// Compares. `fresh`: nobody has used the site's data yet; `passwords`: its accounts have some.
    pub fn of(now: &Now, known: &[Known], fresh: bool, passwords: bool) -> Self {
        let mut verdict = Self::default();
        verdict.compare_names(now, known);
        verdict.compare_keys(now, known, fresh);
        verdict.compare_peppers(now, known, fresh || !passwords);
        verdict
    }

    /// Everything that contradicts, as one error.
    pub fn refusal(&self) -> Option<Error> {
        refusal(self.name.iter().chain(&self.secrets))
    }

    /// The same about the site's name only.
    pub fn about_the_name(&self) -> Option<Error> {
        refusal(self.name.iter())
    }

    fn compare_names(&mut self, now: &Now, known: &[Known]) {
        let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, place) in known.iter().flat_map(|known| known.server_names.iter().map(|name| (name.as_str(), known.place.as_str()))) {
            if name != now.site.server_name {
                others.entry(name).or_default().push(place);
            }
        }
        for (name, places) in others {
            self.name.push(Contradiction {
                what: format!(
                    "the plan is for the site {}, and the data belongs to the site {name}, as {}; a server's name is part of every user, \
                     room and event and cannot change",
                    now.site.server_name,
                    say(&places)
                ),
                remedy: format!(
                    "deploy the images of {name} again, or give the new site volumes of its own (`deployment.project`); if the data is not \
                     needed any more, `docker compose down --volumes` deletes all of it"
                ),
            });
        }
    }

    fn compare_keys(&mut self, now: &Now, known: &[Known], fresh: bool) {
        let id = now.key.id();
        let secret = now.site.signing_key_secret;
        let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut known_keys = 0;
        for (key, place) in known.iter().filter_map(|known| known.key.as_ref().map(|key| (key, known.place.as_str()))) {
            known_keys += 1;
            if key.same {
            } else if key.id != id && now.site.old_signing_keys.contains(&key.id) {
                self.notes.push(format!("the signing key moves on from {} to {id}", key.id));
            } else {
                others.entry(&key.id).or_default().push(place);
            }
        }
        self.notes.dedup();
        self.settled.key = others.is_empty() && (known_keys > 0 || fresh);
        if !self.settled.key && others.is_empty() {
            self.notes.push(format!("nothing in the database says which signing key this site has used, since it has written no event yet; {id} is believed"));
        }
        for (old, places) in others {
            let lost = format!(
                "if the earlier key is lost for good, `{RUN} accept {secret}` makes the one of now the site's own (other servers will distrust \
                 what was signed before)"
            );
            self.secrets.push(if old == id {
                Contradiction {
                    what: format!("the signing key {id} is not the key of that identifier which this site has used so far, as {}", say(&places)),
                    remedy: format!(
                        "put the earlier key file back as secrets/{secret}, then `docker compose up -d --force-recreate`; to rotate, make a \
                         key with another identifier and list {id} with its public key under `old_signing_keys`; {lost}"
                    ),
                }
            } else {
                Contradiction {
                    what: format!(
                        "the signing key is {id}, and this site has signed with {old} so far, as {}; other servers would refuse what was \
                         signed before",
                        say(&places)
                    ),
                    remedy: format!(
                        "put the key file with {old} back as secrets/{secret}, then `docker compose up -d --force-recreate`; if the change is \
                         wanted, list {old} with its public key and the time of its last use under `old_signing_keys`; {lost}"
                    ),
                }
            });
        }
    }

    fn compare_peppers(&mut self, now: &Now, known: &[Known], no_passwords: bool) {
        if now.site.pepper.is_none() {
            return;
        }
        let says = |answer: bool| known.iter().filter(|known| known.pepper == Some(answer)).map(|known| known.place.as_str()).collect::<Vec<_>>();
        let (right, wrong) = (says(true), says(false));
        // The word for it in commands, also where there is none.
        let secret = now.site.pepper_secret.unwrap_or("password_pepper");
        self.settled.pepper = wrong.is_empty() && (!right.is_empty() || no_passwords);
        if !wrong.is_empty() {
            let back = match now.site.pepper_secret {
                Some(secret) => format!("put the earlier pepper file back as secrets/{secret}, then `docker compose up -d --force-recreate`"),
                None => "remove `authentication.pepper: false` from the description, build again, and bring the earlier pepper".to_owned(),
            };
            self.secrets.push(Contradiction {
                what: format!(
                    "the password pepper is not the one that this site's passwords were hashed with, as {}; nobody could log in any more",
                    say(&wrong)
                ),
                remedy: format!(
                    "{back}; if it is lost for good, `{RUN} accept {secret}` makes the one of now the site's own, and every local password has to be set anew (docs/running.md, \"Secrets, one by one\")"
                ),
            });
        } else if !self.settled.pepper {
            self.notes.push(format!(
                "the database has passwords, and nothing says with which pepper they were hashed: with the wrong one nobody can log in. \
                 To see whether {} fits: `{RUN} check-password NAME` with somebody's login name and password; once it does, this is said no more",
                match now.site.pepper_secret {
                    Some(secret) => format!("secrets/{secret}"),
                    None => "no pepper (`authentication.pepper: false`)".to_owned(),
                }
            ));
        }
    }
}

fn refusal<'a>(contradictions: impl Iterator<Item = &'a Contradiction>) -> Option<Error> {
    let (what, remedies): (Vec<&str>, Vec<&str>) = contradictions.map(|one| (one.what.as_str(), one.remedy.as_str())).unzip();
    (!what.is_empty()).then(|| Error::refused(what.join("\n       "), remedies.join("\n              ")))
}

/// `A says`, `A and B say`.
fn say(places: &[&str]) -> String {
    match places {
        [one] if !one.contains("the accounts and") => format!("{one} says"),
        _ => format!("{} say", places.join(" and ")),
    }
}
