//! What is in an image, for scanners: a bill of materials in CycloneDX 1.6 JSON. Takes components with their package URLs and hashes,
//! gives bytes that depend on nothing else; the serial number is made of the content, and there is no time stamp.

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::image::digest::Digest;
use crate::image::oci::{Image, canonical};

/// A package in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Component {
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its package URL: `pkg:deb/debian/libc6@2.41-12?arch=amd64`, `pkg:pypi/twisted@25.5.0`.
    pub purl: String,
    /// SHA-256 of the package file, 64 hexadecimal digits.
    pub sha256: String,
}

/// The bill of materials of an image, with a line feed at the end. Components may come in any order and more than once.
///
/// # Errors
/// None in practice: plain text always serialises.
pub fn cyclonedx(image: &Image, components: &[Component]) -> Result<Vec<u8>> {
    let mut components = components.to_vec();
    components.sort();
    components.dedup();
    let components: Vec<Value> = components
        .iter()
        .map(|component| {
            json!({
                "type": "library",
                // The same version from two files (an architecture, a rebuilt wheel) still needs two references.
                "bom-ref": format!("{}#{}", component.purl, component.sha256),
                "name": component.name,
                "version": component.version,
                "purl": component.purl,
                "hashes": [{ "alg": "SHA-256", "content": component.sha256 }],
            })
        })
        .collect();
    let mut document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": image.reference.to_string(),
                "name": image.reference.to_string(),
                "version": image.manifest_digest.to_string(),
                "hashes": [{ "alg": "SHA-256", "content": image.manifest_digest.hex() }],
            },
            "tools": { "components": [{ "type": "application", "name": "synapse-site", "version": env!("CARGO_PKG_VERSION") }] },
        },
        "components": components,
    });
    document["serialNumber"] = Value::String(format!("urn:uuid:{}", uuid(&Digest::of(&canonical(&document)?))));
    let mut bytes = canonical(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The first half of a digest as a UUID of version 8, the one for values of one's own making (RFC 9562, 5.8).
fn uuid(digest: &Digest) -> String {
    let hex = digest.hex();
    // The variant's two bits are 10: of the 16 hexadecimal digits, 8 to b.
    let variant = ["8", "9", "a", "b"][usize::from(hex.as_bytes()[16]) % 4];
    format!("{}-{}-8{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::image::oci::{Arch, Settings};

    fn image() -> Image {
        let settings = Settings {
            architecture: Arch::Amd64,
            user: None,
            env: BTreeMap::new(),
            entrypoint: vec!["/launch".into()],
            cmd: vec![],
            working_dir: None,
            ports: vec![],
            labels: BTreeMap::new(),
        };
        Image::new("localhost/synapse-site", "example.com", "synapse", &settings, vec![]).unwrap()
    }

    fn component(name: &str, sha256: &str) -> Component {
        Component { name: name.into(), version: "1".into(), purl: format!("pkg:pypi/{name}@1"), sha256: sha256.into() }
    }

    #[test]
    fn the_same_for_any_order() {
        let (a, b) = (component("a", "00"), component("b", "11"));
        let one = cyclonedx(&image(), &[a.clone(), b.clone(), a.clone()]).unwrap();
        assert_eq!(one, cyclonedx(&image(), &[b.clone(), a.clone()]).unwrap());
        assert_ne!(one, cyclonedx(&image(), &[b, component("a", "22")]).unwrap());
        let document: Value = serde_json::from_slice(&one).unwrap();
        assert_eq!(document["specVersion"], "1.6");
        assert_eq!(document["components"].as_array().unwrap().len(), 2);
        assert_eq!(document["components"][0]["purl"], "pkg:pypi/a@1");
        let serial = regex::Regex::new("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$").unwrap();
        assert!(serial.is_match(document["serialNumber"].as_str().unwrap()));
        assert!(!document.to_string().contains("timestamp"));
    }
}
