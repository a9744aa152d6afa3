//! YAML as a plain value, with a bound on what aliases (`*`) make of it: a few thousand of them repeat a text of a megabyte as often.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The most values that a description holds, those that aliases repeat counted each time; a list of 100,000 servers is within it.
pub const MOST_VALUES: usize = 200_000;

/// The most bytes that the texts in it have together then.
pub const MOST_BYTES: usize = 16 << 20;

/// How the error begins that says so.
pub const TOO_LARGE: &str = "larger than is read";

/// Reads one document.
///
/// # Errors
/// In the words of the reader; with [`TOO_LARGE`] when it exceeds a bound.
pub fn read(text: &str) -> Result<Value, serde_yaml::Error> {
    let left = (Cell::new(MOST_VALUES), Cell::new(MOST_BYTES));
    Bounded(&left).deserialize(serde_yaml::Deserializer::from_str(text))
}

#[derive(Clone, Copy)]
struct Bounded<'a>(&'a (Cell<usize>, Cell<usize>));

impl Bounded<'_> {
    fn take<E: Error>(self, bytes: usize) -> Result<(), E> {
        let (values, texts) = self.0;
        let left = values.get().checked_sub(1).zip(texts.get().checked_sub(bytes));
        let (one, other) = left.ok_or_else(|| E::custom(TOO_LARGE))?;
        values.set(one);
        texts.set(other);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.take(0).map(|()| value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.take(0).map(|()| value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.take(0).map(|()| value.into())
    }

    // Whoever looks at the places of options says that it is too large.
    #[expect(clippy::cast_precision_loss, reason = "no option takes it")]
    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "no option takes it")]
    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.take(0).map(|()| Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.take(value.len()).map(|()| value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.take(0).map(|()| Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.take(name.len())?;
            map.insert(name, members.next_value_seed(self)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_reader_itself() {
        for text in ["a: [1, -2, 0.5, 1e3, true, ~, '', no, 0x1f, 18446744073709551615]\n1: b\ntrue: {c: .5}\n", "x: &a [y]\nz: *a\n", "{}", "- []", "a"] {
            assert_eq!(read(text).expect(text), serde_yaml::from_str::<Value>(text).expect(text), "{text}");
        }
    }

    #[test]
    fn what_aliases_make_is_bounded_in_bytes_and_in_number() {
        let long = format!("a: &a {}\nb: [{}]\n", "y".repeat(1 << 20), "*a, ".repeat(5000));
        let many = format!("a: &a [{}]\nb: [{}]\n", "1, ".repeat(1000), "*a, ".repeat(1100));
        for text in [long, many] {
            assert!(read(&text).expect_err("too much").to_string().contains(TOO_LARGE));
        }
    }
}
