//! Console scripts of a wheel. Takes the text of `entry_points.txt` (the PyPA entry points specification) and gives the
//! programs that an installer makes of it, the same bytes each time.

use std::collections::BTreeMap;

/// The programs by name. Sections other than `console_scripts` and `gui_scripts` are for other readers.
///
/// # Errors
/// The reason, when a line of these sections cannot be understood or would not be safe to write into a program.
pub fn scripts(text: &str, interpreter: &str) -> Result<BTreeMap<String, String>, String> {
    let mut scripts = BTreeMap::new();
    let mut wanted = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            wanted = matches!(section.trim(), "console_scripts" | "gui_scripts");
            continue;
        }
        if !wanted {
            continue;
        }
        let (name, point) = line.split_once('=').ok_or_else(|| format!("`{line}` is no entry point"))?;
        let (name, script) = (name.trim(), script(point, interpreter));
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !plain || name.is_empty() || name.starts_with(['.', '-']) {
            return Err(format!("`{name}` cannot be the name of a program"));
        }
        let script = script.ok_or_else(|| format!("`{line}` is no entry point"))?;
        if scripts.insert(name.to_owned(), script).is_some() {
            return Err(format!("{name} is defined twice"));
        }
    }
    Ok(scripts)
}

/// `module.path:object.path [extra]` as a program.
fn script(point: &str, interpreter: &str) -> Option<String> {
    let point = point.split('[').next()?.trim();
    let (module, object) = point.split_once(':')?;
    let (module, object) = (module.trim(), object.trim());
    let dotted = |path: &str| path.split('.').all(is_identifier);
    if !dotted(module) || !dotted(object) {
        return None;
    }
    let first = object.split('.').next()?;
    Some(format!("#!{interpreter}\nimport sys\n\nfrom {module} import {first}\n\nif __name__ == \"__main__\":\n    sys.exit({object}())\n"))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c == '_' || c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_the_programs_that_an_installer_makes() {
        let text = "[console_scripts]\nb = pkg.b:main\n# note\na-1=pkg:Group.run [extra]\n\n[gui_scripts]\nc = pkg.c:main\n[other]\nx = y\n";
        let scripts = scripts(text, "/usr/bin/python3.13").unwrap();
        assert_eq!(scripts.keys().collect::<Vec<_>>(), ["a-1", "b", "c"]);
        assert_eq!(scripts["a-1"], "#!/usr/bin/python3.13\nimport sys\n\nfrom pkg import Group\n\nif __name__ == \"__main__\":\n    sys.exit(Group.run())\n");
    }

    #[test]
    fn refuses_names_and_objects_that_are_not_plain() {
        for line in ["../x = a:b", "x = a:b; import os", "x = a", "x = a b:c", "x", "-x = a:b", "x = a:b()", "x = a:b\nx = a:c"] {
            assert!(scripts(&format!("[console_scripts]\n{line}"), "/p").is_err(), "{line}");
        }
    }
}
