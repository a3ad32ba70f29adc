//! Tables of pages. On a narrow screen those with many columns fold: each row becomes a block, each of its cells a line
//! that says the name of its column.

use super::Markup;

/// From so many columns on a table folds.
const MANY: usize = 4;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) enum Column {
    /// Text, to the left; it takes the room that there is.
    Text(&'static str),
    /// A number, to the right.
    Number(&'static str),
    /// A word or two, as narrow as it is.
    Word(&'static str),
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Number(name) | Self::Word(name) => name,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Text(_) => "wide",
            Self::Number(_) => "number",
            Self::Word(_) => "word",
        }
    }
}

/// A table in the making.
pub(in crate::commands) struct Table {
    columns: &'static [Column],
    rows: Markup,
}

impl Table {
    /// Without rows yet.
    pub fn new(columns: &'static [Column]) -> Self {
        Self { columns, rows: Markup::default() }
    }

    /// One more row: a cell for each column.
    pub fn row<const N: usize>(&mut self, cells: [Markup; N]) {
        let mut row = Markup::default();
        for (column, cell) in self.columns.iter().zip(cells) {
            let label = Markup::text(column.name());
            row.push(cell.element("td", &format!("class=\"{}\" data-label=\"{label}\"", column.class())));
        }
        self.rows.push(row.within("tr", ""));
        self.rows.push(Markup::raw("\n"));
    }

    /// The whole of it; nothing without rows.
    pub fn done(self) -> Markup {
        if self.rows.is_empty() {
            return Markup::default();
        }
        let mut head = Markup::default();
        for column in self.columns {
            let name = Markup::text(column.name());
            head.push(name.element("th", &format!("scope=\"col\" class=\"{}\"", column.class())));
        }
        let head = head.within("tr", "").within("thead", "");
        let class = if self.columns.len() >= MANY { "folds" } else { "" };
        head.with(&self.rows.within("tbody", "")).within("table", class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_knows_the_name_of_its_column() {
        let mut table = Table::new(&[Column::Text("page"), Column::Number("ms")]);
        assert_eq!(Table::new(&[Column::Text("page")]).done(), Markup::default());
        table.row([Markup::text("<a>"), Markup::number(1200)]);
        let html = table.done().to_string();
        assert!(html.contains("<th scope=\"col\" class=\"number\">ms</th>"), "{html}");
        assert!(html.contains("<td class=\"number\" data-label=\"ms\">1,200</td>"), "{html}");
        assert!(html.contains("&lt;a&gt;") && !html.contains("folds"), "{html}");
    }
}
