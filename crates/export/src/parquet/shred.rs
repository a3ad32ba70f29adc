//! Takes rows apart into columns, with definition and repetition levels as Dremel has them: how much of a column's path
//! is there, and at which list of it a value goes on.

use serde_json::Value;

use crate::{Cell, cell};
use seine_store::tables::{Column, ColumnType};

/// Two levels for each value, there or not.
const LEVEL_BYTES: usize = 2 * size_of::<i16>();

/// Rows taken apart.
pub(super) struct Shredder {
    nodes: Vec<Node>,
    /// In the order of the schema.
    pub leaves: Vec<Leaf>,
    /// Rows in memory.
    pub rows: usize,
    /// Their bytes there, roughly.
    pub bytes: usize,
}

/// A column of values.
pub(super) struct Leaf {
    pub values: Values,
    pub definitions: Vec<i16>,
    pub repetitions: Vec<i16>,
}

/// Values that are there.
pub(super) enum Values {
    Bools(Vec<bool>),
    Int32s(Vec<i32>),
    Int64s(Vec<i64>),
    Doubles(Vec<f64>),
    Texts { bytes: Vec<u8>, ends: Vec<usize> },
}

/// A value that is not what its column holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub column: usize,
    pub value: String,
    pub wanted: &'static str,
}

/// The leaves that a column's values go to.
enum Node {
    Leaf(usize, Kind),
    /// Its repetition level.
    List(i16, Box<Self>),
    Record(Vec<(String, Self)>),
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// Any JSON, as text.
    Json,
    Integer,
    Real,
    Bool,
    Date,
    Timestamp,
}

impl Shredder {
    pub fn new(columns: &[Column]) -> Self {
        let mut leaves = Vec::new();
        let nodes = columns.iter().map(|column| node(&column.kind, 0, &mut leaves)).collect();
        Self { nodes, leaves, rows: 0, bytes: 0 }
    }

    /// Takes a row; after a [`Wrong`] one what is in memory is of no use.
    pub fn push(&mut self, cells: &[Cell<'_>]) -> Result<(), Wrong> {
        for (column, (node, value)) in self.nodes.iter().zip(cells).enumerate() {
            let pushed = match (node, value) {
                (node, Cell::Null) => {
                    nulls(node, &mut self.leaves, 0, 0);
                    Ok(())
                }
                (Node::Leaf(leaf, kind), value) => {
                    let leaf = &mut self.leaves[*leaf];
                    leaf.level(1, 0);
                    leaf.cell(*kind, value)
                }
                (nested, value) => {
                    let text = cell::text(value).unwrap_or_default();
                    let parsed = serde_json::from_str(&text).map_err(|_| (text.clone().into_owned(), "JSON"));
                    parsed.and_then(|value| json(nested, &mut self.leaves, &value, 0, 0))
                }
            };
            pushed.map_err(|(value, wanted)| Wrong { column, value, wanted })?;
            self.bytes += LEVEL_BYTES + size(value);
        }
        self.rows += 1;
        Ok(())
    }

    pub fn begin_group(&mut self) {
        (self.rows, self.bytes) = (0, 0);
    }
}

fn node(kind: &ColumnType, repetition: i16, leaves: &mut Vec<Leaf>) -> Node {
    let (kind, values) = match kind {
        ColumnType::List(element) => {
            return Node::List(repetition + 1, Box::new(node(element, repetition + 1, leaves)));
        }
        ColumnType::Record(fields) => {
            let field = |column: &Column| (column.name.clone(), node(&column.kind, repetition, leaves));
            return Node::Record(fields.iter().map(field).collect());
        }
        ColumnType::Text | ColumnType::Any => (Kind::Text, Values::Texts { bytes: Vec::new(), ends: Vec::new() }),
        ColumnType::Json => (Kind::Json, Values::Texts { bytes: Vec::new(), ends: Vec::new() }),
        ColumnType::Integer => (Kind::Integer, Values::Int64s(Vec::new())),
        ColumnType::Real => (Kind::Real, Values::Doubles(Vec::new())),
        ColumnType::Bool => (Kind::Bool, Values::Bools(Vec::new())),
        ColumnType::Date => (Kind::Date, Values::Int32s(Vec::new())),
        ColumnType::Timestamp => (Kind::Timestamp, Values::Int64s(Vec::new())),
    };
    leaves.push(Leaf { values, definitions: Vec::new(), repetitions: Vec::new() });
    Node::Leaf(leaves.len() - 1, kind)
}

/// The bytes that a value takes in memory, roughly.
fn size(value: &Cell<'_>) -> usize {
    match value {
        Cell::Null => 0,
        Cell::Integer(_) | Cell::Real(_) => size_of::<i64>(),
        Cell::Text(bytes) | Cell::Blob(bytes) => size_of::<usize>() + bytes.len(),
    }
}

type Mismatch = (String, &'static str);

/// Takes `value` at `node`, of whose path `definition` levels are there.
fn json(node: &Node, leaves: &mut [Leaf], value: &Value, definition: i16, repetition: i16) -> Result<(), Mismatch> {
    match (node, value) {
        (_, Value::Null) => nulls(node, leaves, definition, repetition),
        (Node::Leaf(leaf, kind), value) => {
            let leaf = &mut leaves[*leaf];
            leaf.level(definition + 1, repetition);
            let text = match (kind, value) {
                (Kind::Bool, Value::Bool(is)) => return leaf.cell(*kind, &Cell::Integer(i64::from(*is))),
                (Kind::Integer | Kind::Real, Value::Number(number)) => {
                    let number = number.as_i64().map(Cell::Integer).or_else(|| number.as_f64().map(Cell::Real));
                    return leaf
                        .cell(*kind, &number.unwrap_or(Cell::Null))
                        .map_err(|(_, wanted)| (value.to_string(), wanted));
                }
                (Kind::Text | Kind::Date | Kind::Timestamp, Value::String(text)) => text.clone(),
                (Kind::Json, _) | (Kind::Text, Value::Number(_) | Value::Bool(_)) => value.to_string(),
                _ => return Err((value.to_string(), kind.name())),
            };
            leaf.cell(*kind, &Cell::Text(text.as_bytes()))?;
        }
        (Node::List(level, element), Value::Array(values)) => {
            if values.is_empty() {
                nulls(element, leaves, definition + 1, repetition);
            }
            for (at, value) in values.iter().enumerate() {
                json(element, leaves, value, definition + 2, if at == 0 { repetition } else { *level })?;
            }
        }
        (Node::Record(fields), Value::Object(values)) => {
            for (name, field) in fields {
                json(field, leaves, values.get(name).unwrap_or(&Value::Null), definition + 1, repetition)?;
            }
        }
        (Node::List(..), other) => return Err((other.to_string(), "list")),
        (Node::Record(_), other) => return Err((other.to_string(), "record")),
    }
    Ok(())
}

/// Nothing at `node`.
fn nulls(node: &Node, leaves: &mut [Leaf], definition: i16, repetition: i16) {
    match node {
        Node::Leaf(leaf, _) => leaves[*leaf].level(definition, repetition),
        Node::List(_, element) => nulls(element, leaves, definition, repetition),
        Node::Record(fields) => fields.iter().for_each(|(_, field)| nulls(field, leaves, definition, repetition)),
    }
}

impl Leaf {
    fn level(&mut self, definition: i16, repetition: i16) {
        self.definitions.push(definition);
        self.repetitions.push(repetition);
    }

    /// Takes a value that is there.
    fn cell(&mut self, kind: Kind, value: &Cell<'_>) -> Result<(), Mismatch> {
        let wrong = || (cell::text(value).unwrap_or_default().into_owned(), kind.name());
        match (&mut self.values, kind, value) {
            (Values::Texts { bytes, ends }, _, value) => {
                let text = cell::text(value).unwrap_or_default();
                bytes.extend_from_slice(text.as_bytes());
                ends.push(bytes.len());
            }
            (Values::Int64s(values), Kind::Integer, Cell::Integer(number)) => values.push(*number),
            // As JSON has it, 5.0 is as whole as 5.
            (Values::Int64s(values), Kind::Integer, Cell::Real(number))
                if number.fract() == 0.0 && number.abs() < 2_f64.powi(63) =>
            {
                values.push(*number as i64);
            }
            (Values::Int64s(values), Kind::Timestamp, Cell::Text(_)) => {
                let text = cell::text(value).unwrap_or_default();
                values.push(cell::micros(&text).ok_or_else(wrong)?);
            }
            (Values::Int32s(values), Kind::Date, Cell::Text(_)) => {
                let text = cell::text(value).unwrap_or_default();
                values.push(cell::days(&text).ok_or_else(wrong)?);
            }
            (Values::Doubles(values), _, Cell::Real(number)) => values.push(*number),
            (Values::Doubles(values), _, Cell::Integer(number)) => values.push(*number as f64),
            (Values::Bools(values), _, Cell::Integer(number @ 0..=1)) => values.push(*number == 1),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    pub fn clear(&mut self) {
        self.definitions.clear();
        self.repetitions.clear();
        match &mut self.values {
            Values::Bools(values) => values.clear(),
            Values::Int32s(values) => values.clear(),
            Values::Int64s(values) => values.clear(),
            Values::Doubles(values) => values.clear(),
            Values::Texts { bytes, ends } => {
                bytes.clear();
                ends.clear();
            }
        }
    }
}

impl Kind {
    /// In a message: "which is no ...".
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "JSON",
            Self::Integer => "whole number",
            Self::Real => "number",
            Self::Bool => "true or false",
            Self::Date => "date",
            Self::Timestamp => "time",
        }
    }
}
