//! What an expression is at a node of a page.

use std::borrow::Cow;
use std::collections::HashSet;

use super::expr::{Axis, Calculation, Comparison, Expr, Path, Predicate, Start, Step};
use super::functions::{number, written};
use super::nodes::{Node, Tree, Visit};
use crate::extract::rules::Budget;
use crate::extract::rules::dom::Index;

/// The value of an expression.
#[derive(Clone, Debug)]
pub(super) enum Value<'d> {
    /// In the order of the document, each once.
    Nodes(Vec<Node>),
    Text(Cow<'d, str>),
    Number(f64),
    Bool(bool),
}

/// What is looked at, and its place among the others.
#[derive(Clone, Copy)]
pub(super) struct Here {
    pub node: Node,
    pub position: usize,
    pub size: usize,
}

impl Here {
    fn alone(node: Node) -> Self {
        Self { node, position: 1, size: 1 }
    }
}

/// Evaluates; every answer is `None` if it was told to stop.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'d, 'b> {
    pub tree: Tree<'d>,
    pub budget: &'b Budget<'b>,
}

impl<'d> Evaluator<'d, '_> {
    /// The value at an element, or at the document.
    pub fn value(&self, expr: &Expr, scope: Option<Index>) -> Option<Value<'d>> {
        self.of(expr, Here::alone(scope.map_or(Node::DOCUMENT, Tree::node)))
    }

    pub fn of(&self, expr: &Expr, here: Here) -> Option<Value<'d>> {
        self.budget.spend(1)?;
        Some(match expr {
            Expr::Or(parts) => Value::Bool(self.any(parts, true, here)?),
            Expr::And(parts) => Value::Bool(!self.any(parts, false, here)?),
            Expr::Compare(how, sides) => {
                let (left, right) = (self.of(&sides.0, here)?, self.of(&sides.1, here)?);
                Value::Bool(self.compare(*how, left, right)?)
            }
            Expr::Calculate(how, sides) => {
                let (left, right) = (self.number(&sides.0, here)?, self.number(&sides.1, here)?);
                Value::Number(match how {
                    Calculation::Add => left + right,
                    Calculation::Subtract => left - right,
                    Calculation::Multiply => left * right,
                    Calculation::Divide => left / right,
                    Calculation::Modulo => left % right,
                })
            }
            Expr::Negate(expr) => Value::Number(-self.number(expr, here)?),
            Expr::Union(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.nodes(part, here)?);
                }
                Value::Nodes(self.sorted(all)?)
            }
            Expr::Path(path) => Value::Nodes(self.path(path, here)?),
            Expr::Literal(text) => Value::Text(Cow::Owned(text.clone())),
            Expr::Number(number) => Value::Number(*number),
            Expr::Call(function, arguments) => self.call(*function, arguments, here)?,
            Expr::Test(text, regex) => {
                let text = self.text(text, here)?;
                self.budget.spend(1 + text.len() / 16)?;
                Value::Bool(regex.is_match(&text))
            }
        })
    }

    /// Whether any part is as `wanted`.
    fn any(&self, parts: &[Expr], wanted: bool, here: Here) -> Option<bool> {
        for part in parts {
            if self.truth(part, here)? == wanted {
                return Some(true);
            }
        }
        Some(false)
    }

    pub fn nodes(&self, expr: &Expr, here: Here) -> Option<Vec<Node>> {
        match self.of(expr, here)? {
            Value::Nodes(nodes) => Some(nodes),
            // The parser has looked.
            Value::Text(_) | Value::Number(_) | Value::Bool(_) => Some(Vec::new()),
        }
    }

    pub fn text(&self, expr: &Expr, here: Here) -> Option<Cow<'d, str>> {
        let value = self.of(expr, here)?;
        self.text_of(value)
    }

    pub fn text_of(&self, value: Value<'d>) -> Option<Cow<'d, str>> {
        match value {
            Value::Nodes(nodes) => match nodes.first() {
                Some(first) => self.tree.text(*first, self.budget),
                None => Some(Cow::Borrowed("")),
            },
            Value::Text(text) => Some(text),
            Value::Number(number) => Some(Cow::Owned(written(number))),
            Value::Bool(truth) => Some(Cow::Borrowed(if truth { "true" } else { "false" })),
        }
    }

    pub fn number(&self, expr: &Expr, here: Here) -> Option<f64> {
        Some(match self.of(expr, here)? {
            Value::Number(number) => number,
            Value::Bool(truth) => f64::from(u8::from(truth)),
            value => number(&self.text_of(value)?),
        })
    }

    pub fn truth(&self, expr: &Expr, here: Here) -> Option<bool> {
        // The first node is enough.
        if let Expr::Path(Path { start, steps }) = expr
            && let Some((last, steps)) = steps.split_last()
        {
            let from = self.steps(self.start(start, here)?, steps)?;
            let mut is_there = false;
            self.each(&from, last, &mut |_| {
                is_there = true;
                Some(false)
            })?;
            return Some(is_there);
        }
        Some(is_true(&self.of(expr, here)?))
    }

    fn path(&self, path: &Path, here: Here) -> Option<Vec<Node>> {
        self.steps(self.start(&path.start, here)?, &path.steps)
    }

    fn start(&self, start: &Start, here: Here) -> Option<Vec<Node>> {
        Some(match start {
            Start::Here => vec![here.node],
            Start::Document => vec![Node::DOCUMENT],
            Start::Of(expr, predicates) => self.kept(self.nodes(expr, here)?, predicates)?,
        })
    }

    fn steps(&self, mut nodes: Vec<Node>, steps: &[Step]) -> Option<Vec<Node>> {
        for step in steps {
            let mut found = Vec::new();
            self.each(&nodes, step, &mut |node| {
                found.push(node);
                Some(true)
            })?;
            nodes = self.sorted(found)?;
        }
        Some(nodes)
    }

    fn sorted(&self, mut nodes: Vec<Node>) -> Option<Vec<Node>> {
        self.budget.spend(nodes.len() / 8)?;
        if !nodes.is_sorted() {
            nodes.sort_unstable();
        }
        nodes.dedup();
        Some(nodes)
    }

    /// Visits what a step leads to from nodes in the order of the document, in any order, some perhaps more than once.
    fn each(&self, from: &[Node], step: &Step, visit: Visit<'_>) -> Option<()> {
        if !step.is_positional() {
            return self.together(from, step, visit);
        }
        // Of `a[1]` no more than one is looked for.
        let limit = match step.predicates.first() {
            Some(Predicate { expr: Expr::Number(number), .. }) if *number >= 1.0 => *number as usize,
            _ => usize::MAX,
        };
        for node in from {
            let mut found = Vec::new();
            self.tree.walk(step.axis, *node, self.budget, &mut |node| {
                if self.tree.is(node, &step.test, step.axis) {
                    found.push(node);
                }
                Some(found.len() < limit)
            })?;
            for node in self.kept(found, &step.predicates)? {
                if !visit(node)? {
                    return Some(());
                }
            }
        }
        Some(())
    }

    /// The same where places do not count: what lies within what was visited is not visited again.
    fn together(&self, from: &[Node], step: &Step, visit: Visit<'_>) -> Option<()> {
        let (tree, axis) = (self.tree, step.axis);
        let mut goes_on = true;
        let climbs = matches!(axis, Axis::Ancestor | Axis::AncestorOrSelf);
        let mut seen = HashSet::new();
        let mut walk = |from: Node| {
            tree.walk(axis, from, self.budget, &mut |node| {
                if climbs && !seen.insert(node) {
                    return Some(false);
                }
                if tree.is(node, &step.test, axis) && self.passes(node, &step.predicates)? {
                    goes_on = visit(node)?;
                }
                Some(goes_on)
            })?;
            Some(goes_on)
        };
        match axis {
            Axis::Following => {
                if let Some(first) = from.iter().min_by_key(|node| tree.end(**node)) {
                    walk(*first)?;
                }
            }
            Axis::Preceding => {
                if let Some(last) = from.last() {
                    walk(*last)?;
                }
            }
            Axis::FollowingSibling | Axis::PrecedingSibling => {
                let mut parents = HashSet::new();
                let mut first_of_each = |node: &Node| !node.is_attribute() && parents.insert(tree.parent(*node));
                let mut nodes: Vec<Node> = Vec::new();
                self.budget.spend(from.len() / 4)?;
                if axis == Axis::FollowingSibling {
                    nodes.extend(from.iter().filter(|node| first_of_each(node)));
                } else {
                    nodes.extend(from.iter().rev().filter(|node| first_of_each(node)));
                }
                for node in nodes {
                    if !walk(node)? {
                        break;
                    }
                }
            }
            Axis::Descendant | Axis::DescendantOrSelf => {
                let mut covered = 0;
                for node in from {
                    self.budget.spend(1)?;
                    if node.is_attribute() || node.index >= covered {
                        covered = covered.max(if node.is_attribute() { 0 } else { tree.end(*node) });
                        if !walk(*node)? {
                            break;
                        }
                    }
                }
            }
            _ => {
                for node in from {
                    if !walk(*node)? {
                        break;
                    }
                }
            }
        }
        Some(())
    }

    /// Whether a node passes predicates that do not ask for its place.
    fn passes(&self, node: Node, predicates: &[Predicate]) -> Option<bool> {
        for predicate in predicates {
            if !self.truth(&predicate.expr, Here::alone(node))? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// The nodes that predicates leave, one predicate after the other.
    fn kept(&self, mut nodes: Vec<Node>, predicates: &[Predicate]) -> Option<Vec<Node>> {
        for predicate in predicates {
            let size = nodes.len();
            let mut kept = Vec::new();
            for (position, node) in (1..).zip(nodes) {
                let here = Here { node, position, size };
                let is_kept = match &predicate.expr {
                    Expr::Number(number) => *number == position as f64,
                    expr if predicate.is_positional => match self.of(expr, here)? {
                        Value::Number(number) => number == position as f64,
                        value => is_true(&value),
                    },
                    expr => self.truth(expr, here)?,
                };
                if is_kept {
                    kept.push(node);
                }
            }
            nodes = kept;
        }
        Some(nodes)
    }

    fn compare(&self, how: Comparison, left: Value<'d>, right: Value<'d>) -> Option<bool> {
        let is_equality = matches!(how, Comparison::Equal | Comparison::NotEqual);
        Some(match (left, right) {
            (Value::Nodes(left), Value::Nodes(right)) => {
                if is_equality {
                    self.equal_nodes(how == Comparison::Equal, &left, &right)?
                } else {
                    // Some of one and some of the other: the extremes tell.
                    let (left, right) = (self.numbers(&left)?, self.numbers(&right)?);
                    let least = |numbers: &[f64]| numbers.iter().copied().min_by(f64::total_cmp);
                    let most = |numbers: &[f64]| numbers.iter().copied().max_by(f64::total_cmp);
                    let (left, right) = match how {
                        Comparison::Less | Comparison::LessOrEqual => (least(&left), most(&right)),
                        _ => (most(&left), least(&right)),
                    };
                    left.zip(right).is_some_and(|(left, right)| ordered(how, left, right))
                }
            }
            (Value::Nodes(nodes), Value::Bool(truth)) => {
                ordered(how, truth_number(!nodes.is_empty()), truth_number(truth))
            }
            (Value::Bool(truth), Value::Nodes(nodes)) => {
                ordered(how, truth_number(truth), truth_number(!nodes.is_empty()))
            }
            (Value::Nodes(nodes), value) => self.some(&nodes, &value, how)?,
            (value, Value::Nodes(nodes)) => self.some(&nodes, &value, mirrored(how))?,
            (left, right) if is_equality && matches!((&left, &right), (Value::Bool(_), _) | (_, Value::Bool(_))) => {
                (is_true(&left) == is_true(&right)) == (how == Comparison::Equal)
            }
            (Value::Text(left), Value::Text(right)) if is_equality => (left == right) == (how == Comparison::Equal),
            (left, right) => ordered(how, self.number_of(left)?, self.number_of(right)?),
        })
    }

    fn number_of(&self, value: Value<'d>) -> Option<f64> {
        Some(match value {
            Value::Number(number) => number,
            Value::Bool(truth) => truth_number(truth),
            value => number(&self.text_of(value)?),
        })
    }

    fn numbers(&self, nodes: &[Node]) -> Option<Vec<f64>> {
        let mut numbers = Vec::new();
        for node in nodes {
            let number = number(&self.tree.text(*node, self.budget)?);
            if !number.is_nan() {
                numbers.push(number);
            }
        }
        Some(numbers)
    }

    /// Whether some node of one is (not) like some of the other.
    fn equal_nodes(&self, is_equal: bool, left: &[Node], right: &[Node]) -> Option<bool> {
        if left.is_empty() || right.is_empty() {
            return Some(false);
        }
        let mut texts = HashSet::new();
        for node in left {
            texts.insert(self.tree.text(*node, self.budget)?);
        }
        for node in right {
            let text = self.tree.text(*node, self.budget)?;
            if if is_equal { texts.contains(&text) } else { texts.len() > 1 || !texts.contains(&text) } {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Whether some node compares so to a text or a number.
    fn some(&self, nodes: &[Node], value: &Value<'d>, how: Comparison) -> Option<bool> {
        let as_text = match value {
            Value::Text(text) if matches!(how, Comparison::Equal | Comparison::NotEqual) => Some(text),
            _ => None,
        };
        let number_of_value = self.number_of(value.clone())?;
        for node in nodes {
            let text = self.tree.text(*node, self.budget)?;
            let is_so = match as_text {
                Some(wanted) => (text == *wanted) == (how == Comparison::Equal),
                None => ordered(how, number(&text), number_of_value),
            };
            if is_so {
                return Some(true);
            }
        }
        Some(false)
    }
}

pub(super) fn is_true(value: &Value<'_>) -> bool {
    match value {
        Value::Nodes(nodes) => !nodes.is_empty(),
        Value::Text(text) => !text.is_empty(),
        Value::Number(number) => *number != 0.0 && !number.is_nan(),
        Value::Bool(truth) => *truth,
    }
}

fn truth_number(truth: bool) -> f64 {
    f64::from(u8::from(truth))
}

fn ordered(how: Comparison, left: f64, right: f64) -> bool {
    match how {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
    }
}

fn mirrored(how: Comparison) -> Comparison {
    match how {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        how => how,
    }
}
