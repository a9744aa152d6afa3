//! The YAML for Synapse, read by PyYAML, which is what Synapse reads it with: every value is the one that was meant.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use synapse_site::yaml::document;

use super::generated::any_value;

/// Reads pairs of YAML text and value, and names the first that differ, types included.
const COMPARE: &str = "
import json, sys, yaml
for text, meant in json.load(sys.stdin):
    found = yaml.safe_load(text)
    if json.dumps(found, sort_keys=True) != json.dumps(meant, sort_keys=True):
        sys.exit('%r\\nis read as %r\\ninstead of %r' % (text, found, meant))
";

const TEXTS: [&str; 40] = [
    "0.10",
    "no",
    "Off",
    "y",
    "1e3",
    "1.0e+3",
    "12:30",
    "12:30:45",
    "1_000",
    "0x1F",
    "0o17",
    "010",
    "0b1",
    ".inf",
    ".NaN",
    "~",
    "null",
    "",
    " ",
    "=",
    "<<",
    "2001-12-14",
    "2001-12-14t21:59:43.10-05:00",
    "%",
    "%s %(x)s",
    "@a",
    "`a`",
    "- a",
    "a: b",
    "a #b",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "multi\nline\n\n  x\n",
    "\u{1}\u{7f}\u{85}\u{a0}\u{2028}\u{feff}\u{fffe}",
    "\u{202e}abc\u{5e9}\u{5dc}",
    "\u{1f600}\u{1f1e9}\u{1f1ea}",
    "a\r\n\tb\\\"'",
];

#[test]
fn pyyaml_reads_what_was_meant() {
    let mut pairs: Vec<(String, Value)> = Vec::new();
    let mut add = |value: Value| pairs.push((document("a comment", &value), value));
    for text in TEXTS {
        add(json!(text));
        add(json!({ "key": text, "list": [text, [text]], text: { text: [] } }));
    }
    for number in [json!(0), json!(-1), json!(u64::MAX), json!(i64::MIN), json!(0.1), json!(1e3), json!(1e22), json!(-1.5e-300), json!(5e-324), json!(0.0)] {
        add(json!({ "number": number }));
    }
    let mut runner = TestRunner::deterministic();
    for _ in 0..500 {
        add(json!({ "value": any_value().new_tree(&mut runner).expect("a value").current() }));
    }
    for (text, meant) in &pairs {
        assert_eq!(&serde_yaml::from_str::<Value>(text).expect("YAML"), meant, "{text}");
    }
    let mut python = Command::new("python3").args(["-c", COMPARE]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python3, with python3-yaml");
    let input = serde_json::to_vec(&pairs).expect("JSON");
    let mut stdin = python.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = python.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    writer.join().expect("written").expect("written");
}
