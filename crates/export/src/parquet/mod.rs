//! Parquet: columns with the types that were declared, lists and nested records among them, compressed with zstd.
//!
//! `shred` takes rows apart into columns; here they are gathered to a row group and written. A value that is not of its
//! column's type, or beyond what the type can hold, is null there; how many were, and the first of them, is told at the end.

mod shred;

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use self::shred::{Shredder, Values};
use super::target::Output;
use super::{Cell, Finished, Result, Sink, cell};
use seine_store::tables::{Column, ColumnType};

/// A row group ends when it has so many rows ...
const GROUP_ROWS: usize = 100_000;
/// ... or takes so much memory.
const GROUP_BYTES: usize = 32 << 20;
const ZSTD_LEVEL: i32 = 3;
/// Characters of a value that a message shows.
const MAX_SHOWN: usize = 80;

type Writer = SerializedFileWriter<Output>;

/// A Parquet file.
pub struct Parquet {
    output: Option<Output>,
    writer: Option<Writer>,
    table: String,
    columns: Vec<Column>,
    shredder: Shredder,
    row: u64,
    lost: u64,
    first_lost: Option<String>,
}

impl Parquet {
    /// One into `output`.
    pub fn new(output: Output) -> Self {
        Self {
            output: Some(output),
            writer: None,
            table: String::new(),
            columns: Vec::new(),
            shredder: Shredder::new(&[]),
            row: 0,
            lost: 0,
            first_lost: None,
        }
    }

    fn write_group(&mut self) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if self.shredder.rows == 0 {
            return Ok(());
        }
        let mut group = writer.next_row_group()?;
        for leaf in &mut self.shredder.leaves {
            let Some(mut column) = group.next_column()? else { break };
            let (definitions, repetitions) = (Some(leaf.definitions.as_slice()), Some(leaf.repetitions.as_slice()));
            match &mut leaf.values {
                Values::Bools(values) => column.typed::<BoolType>().write_batch(values, definitions, repetitions)?,
                Values::Int32s(values) => column.typed::<Int32Type>().write_batch(values, definitions, repetitions)?,
                Values::Int64s(values) => column.typed::<Int64Type>().write_batch(values, definitions, repetitions)?,
                Values::Doubles(values) => {
                    column.typed::<DoubleType>().write_batch(values, definitions, repetitions)?
                }
                Values::Texts { bytes, ends } => {
                    let all = Bytes::from(std::mem::take(bytes));
                    let starts = std::iter::once(0).chain(ends.iter().copied());
                    let values: Vec<ByteArray> =
                        starts.zip(ends.iter()).map(|(start, &end)| ByteArray::from(all.slice(start..end))).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, definitions, repetitions)?
                }
            };
            column.close()?;
            leaf.clear();
        }
        group.close()?;
        self.shredder.begin_group();
        Ok(())
    }
}

impl Sink for Parquet {
    fn table(&mut self, name: &str, columns: &[Column]) -> Result<()> {
        name.clone_into(&mut self.table);
        self.columns = columns.to_vec();
        self.shredder = Shredder::new(columns);
        let fields = columns.iter().map(|column| field(&column.name, &column.kind)).collect::<Result<_>>()?;
        let schema = Type::group_type_builder("seine").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_created_by(concat!("seine ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        if let Some(output) = self.output.take() {
            self.writer = Some(Writer::new(output, Arc::new(schema), Arc::new(properties))?);
        }
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        self.row += 1;
        let lost = self.shredder.push(cells);
        self.lost += lost.count;
        if let Some((column, value, wanted)) = lost.first
            && self.first_lost.is_none()
        {
            let names = ["_item_id", "item_id", "_url", "url"];
            let of = self.columns.iter().zip(cells).filter(|(column, _)| names.contains(&column.name.as_str()));
            let of: Vec<_> = of
                .map(|(column, value)| format!("{} {}", column.name, cell::text(value).unwrap_or_default()))
                .collect();
            let of = if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) };
            let value: String = value.chars().take(MAX_SHOWN).collect();
            self.first_lost = Some(format!(
                "row {} of {}{of}: column {:?} holds {value:?}, which is no {wanted}",
                self.row, self.table, self.columns[column].name
            ));
        }
        if self.shredder.rows >= GROUP_ROWS || self.shredder.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Finished> {
        self.write_group()?;
        if let Some(writer) = self.writer.take() {
            writer.into_inner()?.commit()?;
        }
        let mut finished = Finished::default();
        if let Some(first) = self.first_lost {
            let are = if self.lost == 1 { "value is" } else { "values are" };
            finished.notes.push(format!("{} {are} null: not what the column holds; {first}", self.lost));
        }
        Ok(finished)
    }
}

/// The field of a column; every one may be null.
fn field(name: &str, kind: &ColumnType) -> Result<TypePtr> {
    let primitive = |physical, logical| {
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        builder.with_logical_type(logical).build()
    };
    let built = match kind {
        ColumnType::Text | ColumnType::Json | ColumnType::Any => {
            primitive(Physical::BYTE_ARRAY, Some(LogicalType::String))?
        }
        ColumnType::Integer => primitive(Physical::INT64, None)?,
        ColumnType::Real => primitive(Physical::DOUBLE, None)?,
        ColumnType::Bool => primitive(Physical::BOOLEAN, None)?,
        ColumnType::Date => primitive(Physical::INT32, Some(LogicalType::Date))?,
        ColumnType::Timestamp => primitive(Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)))?,
        ColumnType::List(element) => {
            let list = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![field("element", element)?])
                .build()?;
            Type::group_type_builder(name)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![Arc::new(list)])
                .build()?
        }
        ColumnType::Record(fields) => {
            let fields = fields.iter().map(|column| field(&column.name, &column.kind)).collect::<Result<_>>()?;
            Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL).with_fields(fields).build()?
        }
    };
    Ok(Arc::new(built))
}
