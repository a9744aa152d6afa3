//! A description in Nix. A plain one, an attribute set or a function of none, is evaluated without a store and without flakes,
//! so that it works with any Nix from 2.8 on, also where there is no daemon and no `/nix`. A module, in the sense of NixOS, is
//! evaluated together with the modules of this program and the `lib` of nixpkgs that flake.lock pins.

mod library;
mod message;

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::check::{Finding, Findings, Position, Severity};
use crate::child::Limits;
use crate::command;
use crate::error::{Error, Result};
use crate::files;
use crate::interrupt;

/// The most memory that an evaluation may take, in bytes, unless somebody says otherwise. Those of
/// the examples take less than 100 MiB; one of packages of nixpkgs, which a site's own modules may
/// bring, takes one or two GiB.
pub const MEMORY: u64 = 4 << 30;

/// How Nix is asked; nothing of it changes what a good description means.
#[derive(Debug, Clone)]
pub struct Evaluator {
    /// The directory with the modules; absent means those built into this program.
    pub modules: Option<PathBuf>,
    /// The directory of nixpkgs' `lib`, or one that holds it as `lib/`; absent means the pinned one.
    pub nixpkgs_lib: Option<PathBuf>,
    /// Whether to show all that the evaluator says about a mistake.
    pub show_trace: bool,
    /// The most memory that the evaluation may take, in bytes.
    pub memory: u64,
}

impl Default for Evaluator {
    fn default() -> Self {
        Self { modules: None, nixpkgs_lib: None, show_trace: false, memory: MEMORY }
    }
}

/// What an evaluation gives.
#[derive(Debug, Default, Deserialize)]
pub struct Evaluated {
    /// The description.
    pub description: Value,
    /// What the site's own modules want to be told.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Tells modules from plain descriptions. A plain one has none of these three names, nor needs an argument.
const LOOK: &str = r#"
path:
let
  site = import (/. + path);
  asked = if builtins.isFunction site then builtins.attrNames (builtins.functionArgs site) else [ ];
  takes = name: builtins.elem name asked;
  holds = name: builtins.isAttrs site && site ? ${name};
  # Early versions of Nix write six digits of a number.
  exact = value:
    if builtins.isFloat value && builtins.fromJSON (builtins.toJSON value) != value then
      throw "a number of the description would be rounded to ${builtins.toJSON value}; write it with at most six digits, or take a later Nix"
    else if builtins.isList value then map exact value
    else if builtins.isAttrs value && !(value ? outPath) && !(value ? __toString) then builtins.mapAttrs (_: exact) value
    else value;
in
if builtins.isAttrs site && builtins.isFunction (site.outputs or null) then
  { flake = true; }
else if builtins.any takes [ "lib" "config" "options" "pkgs" "presets" ] || builtins.any holds [ "imports" "config" "options" ] then
  { module = true; }
else
  { module = false; description = exact (if builtins.isFunction site then site { } else site); }
"#;

/// What a Nix says that does not know the command, its options, or the switch that turns both on.
const TOO_OLD: &[&str] =
    &["error: unrecognised flag '--", "error: unrecognised option '--", "is not a recognised command", "error: experimental Nix feature 'nix-command'"];

/// What Nix, its collector of garbage and C++ say that were refused memory.
const OUT_OF_MEMORY: &[&str] = &["error: out of memory", "GC Warning: Out of Memory", "bad_alloc", "annot allocate memory", "Too many heap sections"];

const LESS_MEMORY: &str = "look for a list, a set or a text that grows without an end; if the site really needs that much, allow more: --nix-memory 8G, or SYNAPSE_SITE_NIX_MEMORY=8G";

/// Evaluates a module with the options of this program.
const MODULE: &str = r#"
path: modules: lib:
let
  site = (import (/. + modules) { lib = import (/. + lib); }).evaluate { modules = [ (/. + path) ]; };
in
{ description = site.unchecked; inherit (site) warnings; }
"#;

/// Evaluates a file to a plain value.
///
/// # Errors
/// When Nix is not there, or when the evaluator refuses the file: the last of its errors, in the user's own paths.
pub fn evaluate(file: &Path, evaluator: &Evaluator) -> Result<Evaluated> {
    let absolute = file.canonicalize().map_err(|error| Error::io("read", file, &error))?;
    // Modules of ours are written for the evaluator, and taken away after it.
    let _orderly = interrupt::orderly()?;
    let text = files::read(&absolute, files::LARGEST).map_err(|problem| problem.error("read", file))?;
    let mut places = message::Places::default();
    places.of_the_user(&absolute, file, String::from_utf8_lossy(&text).into_owned());
    let look = Question { file, arguments: &[&absolute], expression: LOOK, store: library::Store::None, places: &places, evaluator };
    let answer = look.ask()?;
    if answer["flake"] == true {
        let place = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let message = "is a flake, not the description of a site".to_owned();
        let remedy = format!("build it with Nix (`nix build path:{}`), or name the file with the site, such as site.nix", place.display());
        return Err(look.wrong(message, None, Some(remedy)));
    }
    if answer["module"] != true {
        return understand(answer);
    }
    let modules = library::modules(evaluator.modules.as_deref())?;
    let lib = library::nixpkgs_lib(evaluator.nixpkgs_lib.as_deref())?;
    places.of_the_modules(modules.path());
    places.of_nixpkgs(&lib.path);
    let question = Question { file, arguments: &[&absolute, modules.path(), &lib.path], expression: MODULE, store: lib.store, places: &places, evaluator };
    understand(question.ask()?)
}

fn understand(answer: Value) -> Result<Evaluated> {
    serde_json::from_value(answer).map_err(|error| {
        Error::environment(format!("the modules gave something that is not a description: {error}"), "use the modules of this version of synapse-site")
    })
}

/// One run of the evaluator.
struct Question<'a> {
    file: &'a Path,
    /// Paths, which the expression is applied to.
    arguments: &'a [&'a Path],
    expression: &'a str,
    store: library::Store,
    places: &'a message::Places,
    evaluator: &'a Evaluator,
}

impl Question<'_> {
    fn ask(&self) -> Result<Value> {
        let output = self.run(self.evaluator.show_trace)?;
        if output.says_too_much {
            let remedy = "look for a list, a set or a text that grows without an end";
            return Err(self.wrong("evaluates to more than a description can be, or prints that much".to_owned(), None, Some(remedy.to_owned())));
        }
        if output.status.success() {
            return serde_json::from_str(&output.stdout).map_err(|error| {
                // Nix prints JSON; what this program does not take of it is too deep, or a number beyond 64 bits.
                let message = format!("evaluates to a value that is no description: {error}");
                self.wrong(message, None, Some("look at it with `nix eval --json -f`".to_owned()))
            });
        }
        if OUT_OF_MEMORY.iter().any(|sign| output.stderr.contains(sign)) {
            let message = format!("the evaluation needs more than {} of memory", amount(self.evaluator.memory));
            return Err(self.wrong(message, None, Some(LESS_MEMORY.to_owned())));
        }
        if let Some(signal) = output.status.signal() {
            let message = format!("Nix ended without an answer, by signal {signal}");
            return Err(self.wrong(message, None, Some("look whether the machine has memory left, and at the file with `nix eval --json -f`".to_owned())));
        }
        if let Some(line) = output.stderr.lines().find(|line| TOO_OLD.iter().any(|sign| line.contains(sign))) {
            return Err(Error::environment(
                format!("this Nix is too old to evaluate {}: {}", self.file.display(), line.trim().trim_start_matches("error: ")),
                "install Nix 2.8 or later, or give the description as YAML or JSON",
            ));
        }
        let told = if self.evaluator.show_trace {
            self.places.all(&output.stderr)
        } else {
            // The trace knows the option and the file where the short form shows a line of the library.
            self.places.tell(&output.stderr, &self.run(true)?.stderr)
        };
        Err(self.wrong(format!("Nix cannot evaluate this file:\n{}", told.text), told.position, told.remedy))
    }

    fn wrong(&self, message: String, position: Option<Position>, remedy: Option<String>) -> Error {
        let option = self.file.display().to_string();
        Error::Site(Findings::from(Finding { code: "S0008", severity: Severity::Error, option, place: None, position, message, remedy }))
    }

    fn run(&self, show_trace: bool) -> Result<command::Output> {
        let mut command = nix();
        command.args(["eval", "--impure", "--json"]);
        if self.store == library::Store::None {
            command.args(["--store", "dummy://"]);
        }
        if show_trace {
            command.arg("--show-trace");
        }
        let mut expression = format!("({})", self.expression);
        for path in self.arguments {
            // A path travels as an argument, not as program text: no character of it can change the expression.
            let Some(text) = path.to_str() else {
                return Err(Error::environment(
                    format!("{} is no path that Nix can read: it is not UTF-8", path.display()),
                    "rename the file or its directory",
                ));
            };
            expression.push(' ');
            expression.push_str(&quoted(text));
        }
        command.args(["--expr", &expression]);
        let missing = format!(
            "{} is written in Nix: install Nix 2.8 or later (on Debian: apt-get install nix-bin), or give the description as YAML or JSON",
            self.file.display()
        );
        let limits = Limits { data: Some(self.evaluator.memory), core: Some(0), ..Limits::default() };
        command::run_whatever_it_says(&mut command, &limits, &missing, &mut || {})
    }
}

/// A number of bytes in the largest unit in which it is whole.
fn amount(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units.iter().find(|(_, shift)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    whole.map_or_else(|| format!("{bytes} bytes"), |(unit, shift)| format!("{} {unit}", bytes >> shift))
}

fn nix() -> Command {
    let mut command = Command::new("nix");
    command.args(["--extra-experimental-features", "nix-command flakes"]);
    command
}

/// A string literal of the Nix language.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' | '$' => vec!['\\', c],
            _ => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}
