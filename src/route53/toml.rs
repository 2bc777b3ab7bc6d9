//! TOML text to a tree that knows its places.

use std::borrow::Cow;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::tree::{Broken, Key, Node, Value};

pub fn read(text: &str) -> Result<Node<'_>, Broken> {
    match DeTable::parse(text) {
        Ok(table) => Ok(Node { start: 0, end: text.len(), value: self::table(table.into_inner()) }),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            Err(Broken { start: span.start, end: span.end, what: error.message().to_string() })
        }
    }
}

/// Recursion is bounded: the parser refuses what is nested too deep.
fn node(value: Spanned<DeValue<'_>>) -> Node<'_> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) => Value::Number(Cow::Owned(value.to_string())),
            // Too large for any field; as text it is refused there with its range.
            Err(_) => Value::Number(Cow::Owned(number.as_str().to_string())),
        },
        DeValue::Float(number) => Value::Number(Cow::Owned(number.as_str().to_string())),
        DeValue::Datetime(moment) => Value::Text(Cow::Owned(moment.to_string())),
        DeValue::Array(items) => Value::List(items.into_iter().map(node).collect()),
        DeValue::Table(entries) => table(entries),
    };
    Node { start: span.start, end: span.end, value }
}

fn table(entries: DeTable<'_>) -> Value<'_> {
    let entries = entries.into_iter().map(|(key, value)| {
        let span = key.span();
        (Key { start: span.start, end: span.end, text: key.into_inner() }, node(value))
    });
    Value::Table(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_places() {
        let text = "[a.b]\nx = 0x1F\n'y z' = [true, \"é\"]\n";
        let Value::Table(top) = read(text).unwrap().value else { panic!() };
        let Value::Table(a) = &top[0].1.value else { panic!() };
        let Value::Table(b) = &a[0].1.value else { panic!() };
        let mut said: Vec<_> =
            b.iter().map(|(key, node)| (&text[key.start..key.end], &text[node.start..node.end])).collect();
        said.sort();
        assert_eq!(said, [("'y z'", "[true, \"é\"]"), ("x", "0x1F")]);
        let x = b.iter().find(|(key, _)| key.text == "x").unwrap();
        assert!(matches!(&x.1.value, Value::Number(text) if text == "31"));
    }

    #[test]
    fn what_is_not_toml_is_refused_at_its_place() {
        for (text, start) in [("a = \n", 4), ("a = 1\na = 2\n", 6), ("[a\n", 2)] {
            let Broken { start: at, what, .. } = read(text).unwrap_err();
            assert_eq!(at, start, "{text:?}: {what}");
        }
        assert!(read(&format!("a = {}", "[".repeat(100_000))).is_err());
    }
}
