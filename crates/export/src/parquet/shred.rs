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

/// Values of a row that are not what their columns hold; nothing is in their place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub count: u64,
    /// The first: its column, the value, and what it should be.
    pub first: Option<(usize, String, &'static str)>,
}

impl Lost {
    fn add(&mut self, column: usize, (value, wanted): Mismatch) {
        self.count += 1;
        self.first.get_or_insert((column, value, wanted));
    }
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

    /// Takes a row.
    pub fn push(&mut self, cells: &[Cell<'_>]) -> Lost {
        let mut lost = Lost::default();
        for (column, (node, value)) in self.nodes.iter().zip(cells).enumerate() {
            let leaves = &mut self.leaves;
            match (node, value) {
                (node, Cell::Null) => nulls(node, leaves, 0, 0),
                (Node::Leaf(leaf, kind), value) => {
                    if let Err(mismatch) = leaves[*leaf].cell(*kind, value, 0, 0) {
                        lost.add(column, mismatch);
                    }
                }
                (nested, value) => {
                    let text = cell::text(value).unwrap_or_default();
                    match serde_json::from_str(&text) {
                        Ok(value) => json(nested, leaves, &value, (0, 0), &mut |mismatch| lost.add(column, mismatch)),
                        Err(_) => {
                            nulls(nested, leaves, 0, 0);
                            lost.add(column, (text.into_owned(), "JSON"));
                        }
                    }
                }
            }
            self.bytes += LEVEL_BYTES + size(value);
        }
        self.rows += 1;
        lost
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

/// Takes `value` at `node`, of whose path so many levels are there; what does not fit is told to `lose`.
fn json(
    node: &Node,
    leaves: &mut [Leaf],
    value: &Value,
    (definition, repetition): (i16, i16),
    lose: &mut dyn FnMut(Mismatch),
) {
    match (node, value) {
        (_, Value::Null) => nulls(node, leaves, definition, repetition),
        (Node::Leaf(leaf, kind), value) => {
            let mut take = |value: &Cell<'_>| leaves[*leaf].cell(*kind, value, definition, repetition);
            let taken = match (kind, value) {
                (Kind::Bool, Value::Bool(is)) => take(&Cell::Integer(i64::from(*is))),
                (Kind::Integer | Kind::Real, Value::Number(number)) => {
                    let cell = number.as_i64().map(Cell::Integer).or_else(|| number.as_f64().map(Cell::Real));
                    take(&cell.unwrap_or(Cell::Null))
                }
                (Kind::Text | Kind::Date | Kind::Timestamp, Value::String(text)) => take(&Cell::Text(text.as_bytes())),
                (Kind::Json, _) | (Kind::Text, Value::Number(_) | Value::Bool(_)) => {
                    take(&Cell::Text(value.to_string().as_bytes()))
                }
                _ => {
                    nulls(node, leaves, definition, repetition);
                    Err((String::new(), kind.name()))
                }
            };
            if let Err((_, wanted)) = taken {
                lose((value.to_string(), wanted));
            }
        }
        (Node::List(level, element), Value::Array(values)) => {
            if values.is_empty() {
                nulls(element, leaves, definition + 1, repetition);
            }
            for (at, value) in values.iter().enumerate() {
                let repetition = if at == 0 { repetition } else { *level };
                json(element, leaves, value, (definition + 2, repetition), lose);
            }
        }
        (Node::Record(fields), Value::Object(values)) => {
            for (name, field) in fields {
                let value = values.get(name).unwrap_or(&Value::Null);
                json(field, leaves, value, (definition + 1, repetition), lose);
            }
        }
        (node, other) => {
            nulls(node, leaves, definition, repetition);
            lose((other.to_string(), if matches!(node, Node::List(..)) { "list" } else { "record" }));
        }
    }
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

    /// Takes a value; one that is none of its kind is as if it were not there.
    fn cell(&mut self, kind: Kind, value: &Cell<'_>, definition: i16, repetition: i16) -> Result<(), Mismatch> {
        let taken = self.value(kind, value);
        self.level(definition + i16::from(taken.is_ok()), repetition);
        taken
    }

    fn value(&mut self, kind: Kind, value: &Cell<'_>) -> Result<(), Mismatch> {
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
