//! Whether a program can run in an image that holds nothing but it: an ELF file for the image's machine that asks for no
//! dynamic loader and no shared library.

use goblin::elf::{Elf, header};

use crate::error::{Error, Result};
use crate::image::oci::Arch;

/// Checks the launcher before it goes into images.
///
/// # Errors
/// An environment failure that says what is wrong with the program and how to build the right one.
pub fn check_static(what: &str, bytes: &[u8], architecture: &Arch) -> Result<()> {
    let wrong = |why: String| {
        Error::environment(format!("{what} cannot be the entry point of an image: {why}"), "build it statically: cargo build --release --bin launch")
    };
    let elf = Elf::parse(bytes).map_err(|error| wrong(format!("it is no ELF program ({error})")))?;
    let (machine, name) = match architecture {
        Arch::Amd64 => (header::EM_X86_64, "amd64"),
        Arch::ARM64 => (header::EM_AARCH64, "arm64"),
        other => return Err(wrong(format!("images for {other} are not supported"))),
    };
    if !elf.is_64 || !elf.little_endian || elf.header.e_machine != machine {
        return Err(wrong(format!("it is made for {}, the image for {name}", header::machine_to_str(elf.header.e_machine))));
    }
    if !matches!(elf.header.e_type, header::ET_EXEC | header::ET_DYN) || elf.entry == 0 {
        return Err(wrong("it is not an executable".into()));
    }
    if let Some(loader) = elf.interpreter {
        return Err(wrong(format!("it needs the dynamic loader {loader}")));
    }
    if !elf.libraries.is_empty() {
        return Err(wrong(format!("it needs the shared libraries {}", elf.libraries.join(", "))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_static_programs_of_the_right_machine() {
        // The test itself is linked like the launcher: statically.
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let (right, other) = if cfg!(target_arch = "x86_64") { (Arch::Amd64, Arch::ARM64) } else { (Arch::ARM64, Arch::Amd64) };
        check_static("launch", &own, &right).unwrap();
        let error = |bytes: &[u8], arch: &Arch| check_static("launch", bytes, arch).unwrap_err().to_string();
        assert!(error(&own, &other).contains("it is made for"));
        assert!(error(b"#!/bin/sh\n", &right).contains("no ELF program"));
        assert!(error(&own[..own.len().min(100)], &right).contains("no ELF program"));
        assert!(error(&std::fs::read("/bin/ls").unwrap(), &right).contains("needs the dynamic loader /lib"));
    }
}
