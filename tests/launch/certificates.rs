//! Certificate authorities and what they sign, made by openssl in a test's place.

use std::path::PathBuf;

use crate::support::{Place, program};

/// A key and a certificate, `NAME.key` and `NAME.pem`.
pub struct Certificates<'a> {
    place: &'a Place,
    openssl: PathBuf,
}

impl<'a> Certificates<'a> {
    pub fn new(place: &'a Place) -> Self {
        Self { place, openssl: program("openssl", "openssl") }
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = std::process::Command::new(&self.openssl);
        let done = command.args(arguments).current_dir(self.place.path("")).output().unwrap();
        assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// One that signs itself, as PostgreSQL's documentation makes it.
    pub fn root(&self, name: &str) {
        let (key, pem, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
        self.run(&["req", "-new", "-x509", "-days", "30", "-nodes", "-newkey", "rsa:2048", "-subj", &subject, "-keyout", &key, "-out", &pem]);
        self.place.private(&key);
    }

    /// One that an authority signs. Lines of the extensions' section make it one of version 3, none one of version 1.
    pub fn signed(&self, by: &str, name: &str, common_name: &str, kind: &[&str], days: &str, extensions: &str) {
        let (key, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/CN={common_name}");
        self.run(&[&["req", "-new", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &request, "-newkey"], kind].concat());
        let (by_pem, by_key, section) = (format!("{by}.pem"), format!("{by}.key"), format!("{name}.ext"));
        let sign = ["x509", "-req", "-in", &request, "-days", days, "-CA", &by_pem, "-CAkey", &by_key, "-CAcreateserial", "-out", &pem];
        if extensions.is_empty() {
            self.run(&sign);
        } else {
            self.place.write(&section, extensions);
            self.run(&[&sign[..], &["-extfile", &section]].concat());
        }
        self.place.private(&key);
    }
}
