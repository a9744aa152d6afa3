//! What keeps the image's interpreter, a program out of a locked package, to its work: it may read its own directory, its
//! input and its memory, and write its output. Takes that directory and gives what [`child`](crate::child) does between
//! fork and exec. The interpreter is a Linux program, and on another system nothing would confine it: there it is not started
//! ([`interpreter`](super::interpreter)).

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::Confinement;

/// Rules that are ready to be taken on.
#[cfg(not(target_os = "linux"))]
pub struct Confinement(());

#[cfg(not(target_os = "linux"))]
impl Confinement {
    /// Makes no rules, and says what this kernel cannot enforce.
    pub fn new(_directory: &std::path::Path) -> (Self, Vec<&'static str>) {
        (Self(()), vec!["Landlock", "seccomp"])
    }
}

#[cfg(not(target_os = "linux"))]
impl crate::child::Confine for Confinement {
    fn confine(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}
