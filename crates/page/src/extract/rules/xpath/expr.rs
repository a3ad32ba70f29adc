//! A parsed expression.

use regex::Regex;

use super::functions::Function;

#[derive(Debug)]
pub(super) enum Expr {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Compare(Comparison, Box<(Expr, Expr)>),
    Calculate(Calculation, Box<(Expr, Expr)>),
    Negate(Box<Expr>),
    Union(Vec<Expr>),
    Path(Path),
    Literal(String),
    Number(f64),
    Call(Function, Vec<Expr>),
    /// `re:test`, its pattern compiled.
    Test(Box<Expr>, Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calculation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// What a value is; in XPath 1.0 without variables that is known of every expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nodes,
    Text,
    Number,
    Bool,
}

/// Steps from somewhere.
#[derive(Debug)]
pub(super) struct Path {
    pub start: Start,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Start {
    /// The node that is looked at.
    Here,
    /// The document.
    Document,
    /// The nodes of another expression that the predicates leave.
    Of(Box<Expr>, Vec<Predicate>),
}

#[derive(Debug)]
pub(super) struct Step {
    pub axis: Axis,
    pub test: NodeTest,
    pub predicates: Vec<Predicate>,
}

#[derive(Debug)]
pub(super) struct Predicate {
    pub expr: Expr,
    /// Whether the place among the others counts, so that those of each node have to be counted for themselves.
    pub is_positional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Ancestor,
    AncestorOrSelf,
    Attribute,
    Child,
    Descendant,
    DescendantOrSelf,
    Following,
    FollowingSibling,
    Parent,
    Preceding,
    PrecedingSibling,
    Itself,
}

impl Axis {
    pub const ALL: [(&str, Self); 12] = [
        ("ancestor", Self::Ancestor),
        ("ancestor-or-self", Self::AncestorOrSelf),
        ("attribute", Self::Attribute),
        ("child", Self::Child),
        ("descendant", Self::Descendant),
        ("descendant-or-self", Self::DescendantOrSelf),
        ("following", Self::Following),
        ("following-sibling", Self::FollowingSibling),
        ("parent", Self::Parent),
        ("preceding", Self::Preceding),
        ("preceding-sibling", Self::PrecedingSibling),
        ("self", Self::Itself),
    ];
}

/// Which nodes of an axis are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NodeTest {
    /// `node()`
    Any,
    /// What may have children: the `//` before a child.
    Parents,
    Text,
    Comment,
    /// `processing-instruction()`, of which the tree keeps none.
    Instruction,
    /// `*`
    All,
    /// `dc:*`: the prefix.
    AllOf(String),
    Name(String),
}

impl Expr {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Or(_) | Self::And(_) | Self::Compare(..) | Self::Test(..) => Kind::Bool,
            Self::Calculate(..) | Self::Negate(_) | Self::Number(_) => Kind::Number,
            Self::Union(_) | Self::Path(_) => Kind::Nodes,
            Self::Literal(_) => Kind::Text,
            Self::Call(function, _) => function.kind(),
        }
    }

    /// Whether some of its nodes may be elements.
    pub fn may_be_elements(&self) -> bool {
        match self {
            Self::Union(parts) => parts.iter().any(Self::may_be_elements),
            Self::Path(Path { start, steps }) => match (steps.last(), start) {
                (Some(step), _) => step.may_be_elements(),
                (None, Start::Of(expr, _)) => expr.may_be_elements(),
                (None, _) => true,
            },
            _ => true,
        }
    }

    /// Whether it asks for the place of the node that it is a predicate of.
    pub fn asks_position(&self) -> bool {
        match self {
            Self::Call(Function::Position | Function::Last, _) => true,
            Self::Or(parts) | Self::And(parts) | Self::Union(parts) | Self::Call(_, parts) => {
                parts.iter().any(Self::asks_position)
            }
            Self::Compare(_, sides) | Self::Calculate(_, sides) => sides.0.asks_position() || sides.1.asks_position(),
            Self::Negate(expr) | Self::Test(expr, _) => expr.asks_position(),
            // Predicates within have places of their own.
            Self::Path(Path { start: Start::Of(expr, _), .. }) => expr.asks_position(),
            Self::Path(_) | Self::Literal(_) | Self::Number(_) => false,
        }
    }
}

impl Step {
    /// `//` before a step with this axis.
    pub fn anywhere(before: Axis) -> Self {
        let test = match before {
            Axis::Child | Axis::Attribute | Axis::Descendant => NodeTest::Parents,
            _ => NodeTest::Any,
        };
        Self { axis: Axis::DescendantOrSelf, test, predicates: Vec::new() }
    }

    pub fn is_positional(&self) -> bool {
        self.predicates.iter().any(|predicate| predicate.is_positional)
    }

    fn may_be_elements(&self) -> bool {
        self.axis != Axis::Attribute && !matches!(self.test, NodeTest::Text | NodeTest::Comment | NodeTest::Instruction)
    }
}

impl Predicate {
    pub fn of(expr: Expr) -> Self {
        Self { is_positional: expr.kind() == Kind::Number || expr.asks_position(), expr }
    }
}
