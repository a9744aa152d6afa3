//! Environment markers for the image's Python (PEP 508). Takes what pip chose and gives what of it the image needs, and
//! what is missing: pip evaluates `python_version < "3.11"` for the Python that it runs on, not for the one it chooses for.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep508_rs::pep440_rs::Version;
use pep508_rs::{ExtraName, MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree, Requirement, VerbatimUrl, VersionOrUrl};

use crate::definition::lock::normalised;
use crate::error::{Error, Result};

/// What pip says about one distribution that it chose.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its version.
    pub version: String,
    /// The `Requires-Dist` lines of its metadata.
    pub requires: Vec<String>,
}

/// What follows from all answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closure {
    /// Normalised names of what the image needs.
    pub needed: BTreeSet<String>,
    /// Requirements that pip has to be asked for, too, without markers.
    pub missing: BTreeSet<String>,
}

/// The environment of CPython on x86-64 Linux. The kernel's release and version are left empty: they are the host's, and
/// an image must not depend on it.
///
/// # Errors
/// An environment error when the version is none.
pub fn environment(python: &str, full_version: &str) -> Result<MarkerEnvironment> {
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: full_version,
        os_name: "posix",
        platform_machine: "x86_64",
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system: "Linux",
        platform_version: "",
        python_full_version: full_version,
        python_version: python,
        sys_platform: "linux",
    })
    .map_err(|e| Error::environment(format!("`{full_version}` is no version of Python: {e}"), "correct python.version in image.toml"))
}

/// Reads an image's requirements.
///
/// # Errors
/// An environment error that names the requirement.
pub fn requirements(texts: &[String]) -> Result<Vec<Requirement<VerbatimUrl>>> {
    texts.iter().map(|text| parse(text, "image.toml")).collect()
}

/// Follows the requirements from the roots through pip's answers.
///
/// # Errors
/// An environment error when a distribution's metadata cannot be read.
pub fn close(
    environment: &MarkerEnvironment,
    roots: &[Requirement<VerbatimUrl>],
    answers: &BTreeMap<String, Answer>,
    provided: &BTreeSet<String>,
) -> Result<Closure> {
    let mut closure = Closure::default();
    let mut seen = BTreeSet::<(String, Vec<ExtraName>)>::new();
    let mut queue: Vec<_> = roots.iter().filter(|root| root.evaluate_markers(environment, &[])).cloned().collect();
    while let Some(requirement) = queue.pop() {
        let name = normalised(requirement.name.as_ref());
        if provided.contains(&name) || !seen.insert((name.clone(), requirement.extras.clone())) {
            continue;
        }
        let Some(answer) = answers.get(&name).filter(|answer| satisfies(answer, &requirement)) else {
            closure.missing.insert(Requirement { marker: MarkerTree::TRUE, ..requirement }.to_string());
            continue;
        };
        for text in &answer.requires {
            let next = parse(text, &name)?;
            if next.evaluate_markers(environment, &requirement.extras) {
                queue.push(next);
            }
        }
        closure.needed.insert(name);
    }
    Ok(closure)
}

fn satisfies(answer: &Answer, requirement: &Requirement<VerbatimUrl>) -> bool {
    match (&requirement.version_or_url, Version::from_str(&answer.version)) {
        (Some(VersionOrUrl::VersionSpecifier(specifiers)), Ok(version)) => specifiers.contains(&version),
        _ => true,
    }
}

fn parse(text: &str, place: &str) -> Result<Requirement<VerbatimUrl>> {
    let requirement = Requirement::from_str(text).map_err(|e| {
        let first = e.to_string().lines().next().unwrap_or_default().to_owned();
        Error::environment(format!("{place}: `{text}` is no requirement: {first}"), "write it as name[extra]==version")
    })?;
    if matches!(requirement.version_or_url, Some(VersionOrUrl::Url(_))) {
        return Err(Error::environment(
            format!("{place}: `{text}` asks for an address"),
            "only distributions with a name and a version on the index can be locked",
        ));
    }
    Ok(requirement)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close_of(roots: &[&str], answers: &[(&str, &str, &[&str])], provided: &[&str]) -> Closure {
        let roots: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
        let answers = answers
            .iter()
            .map(|(name, version, requires)| {
                let requires = requires.iter().map(|text| (*text).to_owned()).collect();
                ((*name).to_owned(), Answer { version: (*version).to_owned(), requires })
            })
            .collect();
        let provided = provided.iter().map(|name| (*name).to_owned()).collect();
        close(&environment("3.13", "3.13.5").unwrap(), &requirements(&roots).unwrap(), &answers, &provided).unwrap()
    }

    #[test]
    fn what_only_the_machines_python_needs_is_left_out() {
        let closure = close_of(
            &["a"],
            &[("a", "1", &["tomli; python_version < \"3.11\"", "b (>=1); sys_platform == 'linux'"]), ("tomli", "2", &[]), ("b", "1", &[])],
            &[],
        );
        assert_eq!(closure.needed.into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(closure.missing.is_empty());
    }

    #[test]
    fn what_only_the_images_python_needs_is_asked_for() {
        let closure = close_of(&["a"], &[("a", "1", &["New_Thing[x]>=2; python_version >= \"3.13\""])], &[]);
        assert_eq!(closure.missing.into_iter().collect::<Vec<_>>(), ["new-thing[x]>=2"]);
    }

    #[test]
    fn extras_and_provided_distributions_count() {
        let closure =
            close_of(&["a[pg,s]"], &[("a", "1", &["psycopg2>=2.8; extra == 'pg'", "b; extra == 's'", "c; extra == 'other'"]), ("b", "1", &[])], &["psycopg2"]);
        assert_eq!(closure.needed.into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(closure.missing.is_empty());
    }

    #[test]
    fn a_version_that_another_marker_forbids_is_asked_for() {
        let requires: &[&str] = &["b>=2.12; python_full_version >= '3.13'", "b>=2.8; python_full_version < '3.13'"];
        let closure = close_of(&["a"], &[("a", "1", requires), ("b", "2.9", &[])], &[]);
        assert_eq!(closure.missing.into_iter().collect::<Vec<_>>(), ["b>=2.12"]);
    }
}
