//! The report for people. Everything in it comes from the archive, and is printed so that a terminal obeys none of it.

use std::fmt;

use super::{Image, Inspection, Layer};
use crate::printable::printable;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for image in &self.images {
            write_image(f, image)?;
            for layer in &image.layers {
                self.write_layer(f, layer)?;
            }
        }
        write!(f, "{} images, {} kB of layers, all digests right", self.images.len(), self.size.div_ceil(1000))?;
        let odd = self.contents.values().filter(|contents| !contents.findings.is_empty()).count();
        if odd > 0 {
            write!(f, ", {odd} {} with what is marked above by !", if odd == 1 { "layer" } else { "layers" })?;
        }
        if !self.exact {
            write!(f, "\nanother program wrote this archive: no digest covers the names of its images and the order of its files")?;
        }
        Ok(())
    }
}

fn write_image(f: &mut fmt::Formatter<'_>, image: &Image) -> fmt::Result {
    writeln!(f, "{}", if image.names.is_empty() { "(no name)".into() } else { printable(&image.names.join(", ")).into_owned() })?;
    writeln!(f, "  config      {}", image.config_digest)?;
    if let Some(digest) = &image.manifest_digest {
        writeln!(f, "  manifest    {digest}")?;
    }
    writeln!(f, "  platform    linux/{}", printable(&image.architecture))?;
    writeln!(f, "  runs        {}", printable(&[&image.entrypoint[..], &image.cmd[..]].concat().join(" ")))?;
    writeln!(f, "  as          {}", printable(image.user.as_deref().unwrap_or("root")))
}

impl Inspection {
    fn write_layer(&self, f: &mut fmt::Formatter<'_>, layer: &Layer) -> fmt::Result {
        let note = if layer.present { "" } else { ", not in this archive" };
        let kilobytes = layer.size.div_ceil(1000);
        writeln!(f, "  {:<14} {kilobytes:>8} kB  {}  {} packages{note}", printable(&layer.name), layer.digest, layer.packages.len())?;
        let Some(contents) = self.contents.get(&layer.digest) else { return Ok(()) };
        for (kind, sighting) in &contents.findings {
            writeln!(f, "    ! {}: {sighting}", kind.name())?;
        }
        let others: Vec<String> = contents.owners.iter().filter(|(owner, _)| *owner != "0:0").map(|(owner, count)| format!("{owner} ({count})")).collect();
        if !others.is_empty() {
            writeln!(f, "    owners other than root: {}", others.join(", "))?;
        }
        Ok(())
    }
}
