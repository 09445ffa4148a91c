//! Operations, with the parentheses that their trees need.

use std::fmt::Write;

use super::Printer;
use crate::syntax::ast::{Arg, BinaryOp, Body, Expr, ExprKind, PrefixOp, StmtKind, WhenArm, WhenBinding};

/// How tightly the outermost part of an expression binds: the rows of [`BinaryOp::precedence`], and around them
/// those of what is no infix operator.
const OPEN: u8 = 0;
const RANGE: u8 = 1;
const NOT: u8 = 5;
const UNARY: u8 = 22;
const PREFIX: u8 = 23;
const POSTFIX: u8 = 24;

fn tightness(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::If(_)
        | ExprKind::Match(_)
        | ExprKind::Choose(_)
        | ExprKind::Try(_)
        | ExprKind::Block(_)
        | ExprKind::Lambda(_) => OPEN,
        ExprKind::Range(_) => RANGE,
        ExprKind::Binary(b) => b.op.precedence(),
        ExprKind::Is(_) => BinaryOp::Less.precedence(),
        ExprKind::Prefix(PrefixOp::Not, _) => NOT,
        ExprKind::As(_) => UNARY,
        // A type behind `sizeof` would take what follows it.
        ExprKind::Prefix(..) | ExprKind::SizeOf(_) | ExprKind::AlignOf(_) => PREFIX,
        // Only where a type may stand, which no parentheses change.
        ExprKind::Type(_) => OPEN,
        _ => POSTFIX,
    }
}

/// Whether a statement of this expression would be read as an assignment: the first sign in it is `=` behind a place.
fn reads_as_assignment(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Binary(b) if b.op == BinaryOp::Equal && b.left.is_place() => true,
        ExprKind::Binary(b) => tightness(&b.left) >= b.op.precedence() && reads_as_assignment(&b.left),
        ExprKind::Range(r) => tightness(&r.low) > RANGE && reads_as_assignment(&r.low),
        ExprKind::Is(i) => tightness(&i.value) >= BinaryOp::Less.precedence() && reads_as_assignment(&i.value),
        _ => false,
    }
}

impl Printer<'_> {
    /// A whole value: of a `let`, an argument, an element.
    pub(super) fn value(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Int(value) => {
                let _ = write!(self.text, "{value}");
            }
            ExprKind::Float(symbol) => self.put(self.interner.text(*symbol)),
            ExprKind::Bool(value) => self.put(if *value { "true" } else { "false" }),
            ExprKind::Null => self.put("null"),
            ExprKind::Str(symbol) => {
                self.put("\"");
                for c in self.interner.text(*symbol).chars() {
                    self.escaped(c, '"');
                }
                self.put("\"");
            }
            ExprKind::Char(c) => {
                self.put("`");
                self.escaped(*c, '`');
                self.put("`");
            }
            ExprKind::Name(symbol) => self.symbol(*symbol),
            ExprKind::Member(head, name) => {
                self.operand(head, POSTFIX);
                self.put(".");
                self.any_name(name);
            }
            ExprKind::Index(index) => {
                self.operand(&index.head, POSTFIX);
                self.put("[");
                self.list(&index.args, Self::value);
                self.put("]");
            }
            ExprKind::Call(call) => {
                self.callee(&call.callee);
                self.put("(");
                self.list(&call.args, Self::arg);
                self.put(")");
            }
            ExprKind::Array(elements) => {
                self.put("[");
                self.list(elements, Self::value);
                self.put("]");
            }
            ExprKind::Prefix(op, operand) => self.prefix(*op, operand),
            ExprKind::Binary(b) => {
                self.operand(&b.left, b.op.precedence());
                self.put(" ");
                self.put(b.op.text());
                self.put(" ");
                self.operand(&b.right, b.op.precedence() + 1);
            }
            ExprKind::As(a) => {
                self.operand(&a.value, UNARY);
                self.put(" as ");
                self.ty(&a.ty);
            }
            ExprKind::Is(i) => {
                self.operand(&i.value, BinaryOp::Less.precedence());
                self.put(" is ");
                if i.variant.is_empty() {
                    self.put("null");
                } else {
                    self.path(&i.variant);
                }
            }
            ExprKind::Range(r) => {
                self.operand(&r.low, RANGE + 1);
                self.put(if r.closed { "..=" } else { ".." });
                self.operand(&r.high, RANGE + 1);
            }
            ExprKind::If(i) => {
                self.put("if ");
                self.header(&i.condition);
                self.put(" ");
                self.body(&i.then);
                self.otherwise(i.otherwise.as_ref(), true);
            }
            ExprKind::Match(m) => {
                self.put("match ");
                self.header(&m.subject);
                self.put(" {");
                self.indent += 1;
                for arm in &m.arms {
                    self.line();
                    for value in &arm.values {
                        self.put("case ");
                        self.header(value);
                        self.put(" ");
                    }
                    self.body(&arm.body);
                }
                self.end_arms(m.otherwise.as_ref());
            }
            ExprKind::Choose(c) => {
                self.put("choose ");
                self.header(&c.subject);
                self.put(" {");
                self.when_arms(&c.arms, c.otherwise.as_ref());
            }
            ExprKind::Try(t) => {
                self.put("try ");
                if let Some(binding) = &t.binding {
                    self.put(if binding.mutable { "var " } else { "let " });
                    self.name(&binding.name);
                    self.annotation(binding.ty.as_ref());
                    self.put(" = ");
                }
                self.header(&t.value);
                if !t.arms.is_empty() || t.otherwise.is_some() {
                    self.put(" {");
                    self.when_arms(&t.arms, t.otherwise.as_ref());
                }
            }
            ExprKind::Block(body) => self.body(body),
            ExprKind::Lambda(lambda) => {
                self.put("\\");
                for (i, param) in lambda.params.iter().enumerate() {
                    if i > 0 {
                        self.put(" ");
                    }
                    self.param(param);
                }
                match lambda.body.stmts.as_slice() {
                    [stmt]
                        if matches!(&stmt.kind, StmtKind::Expr(e) if !matches!(e.kind, ExprKind::Block(_)))
                            && lambda.params.iter().all(|p| p.ty.is_none()) =>
                    {
                        self.put(": ");
                        self.stmt(stmt);
                    }
                    _ => {
                        self.put(" ");
                        self.body(&lambda.body);
                    }
                }
            }
            ExprKind::SizeOf(ty) => {
                self.put("sizeof ");
                self.ty(ty);
            }
            ExprKind::AlignOf(ty) => {
                self.put("alignof ");
                self.ty(ty);
            }
            ExprKind::Optional(inner) => {
                self.operand(inner, POSTFIX);
                self.put("?");
            }
            ExprKind::Type(ty) => self.ty(ty),
            ExprKind::Marked(inner, mark) => {
                self.operand(inner, POSTFIX);
                self.mark(mark);
            }
            ExprKind::Error => self.put(";* error *;"),
        }
    }

    fn parenthesized(&mut self, expr: &Expr) {
        self.put("(");
        self.value(expr);
        self.put(")");
    }

    /// An operand of something that binds with the tightness `min`.
    fn operand(&mut self, expr: &Expr, min: u8) {
        if tightness(expr) < min { self.parenthesized(expr) } else { self.value(expr) }
    }

    pub(super) fn unary(&mut self, expr: &Expr) {
        self.operand(expr, UNARY);
    }

    /// What is called. Parentheses behind a literal would be none of a call.
    fn callee(&mut self, expr: &Expr) {
        let literal = matches!(
            expr.kind,
            ExprKind::Int(_)
                | ExprKind::Float(_)
                | ExprKind::Str(_)
                | ExprKind::Char(_)
                | ExprKind::Bool(_)
                | ExprKind::Null
                | ExprKind::Array(_)
        );
        if literal { self.parenthesized(expr) } else { self.operand(expr, POSTFIX) }
    }

    fn prefix(&mut self, op: PrefixOp, operand: &Expr) {
        self.put(op.text());
        if op == PrefixOp::Not {
            self.put(" ");
            self.operand(operand, NOT);
            return;
        }
        // Two signs side by side would be one operator.
        if matches!(operand.kind, ExprKind::Prefix(..)) {
            self.put(" ");
        }
        self.operand(operand, PREFIX);
    }

    fn arg(&mut self, arg: &Arg) {
        if let Some(name) = &arg.name {
            self.any_name(name);
            self.put(": ");
        }
        self.value(&arg.value);
    }

    /// A condition or subject, behind which a `{` follows.
    pub(super) fn header(&mut self, expr: &Expr) {
        if tightness(expr) == OPEN { self.parenthesized(expr) } else { self.value(expr) }
    }

    pub(super) fn expr_stmt(&mut self, expr: &Expr) {
        if reads_as_assignment(expr) { self.parenthesized(expr) } else { self.value(expr) }
    }

    /// The `else` of an `if`, where `chain` is set, or the last arm of something else.
    fn otherwise(&mut self, otherwise: Option<&Body>, chain: bool) {
        let Some(body) = otherwise else { return };
        self.put(if chain { " else " } else { "else " });
        match body.stmts.as_slice() {
            [stmt] if chain && matches!(&stmt.kind, StmtKind::Expr(e) if matches!(e.kind, ExprKind::If(_))) => {
                self.stmt(stmt);
            }
            _ => self.body(body),
        }
    }

    fn end_arms(&mut self, otherwise: Option<&Body>) {
        if otherwise.is_some() {
            self.line();
            self.otherwise(otherwise, false);
        }
        self.indent -= 1;
        self.line();
        self.put("}");
    }

    fn when_arms(&mut self, arms: &[WhenArm], otherwise: Option<&Body>) {
        self.indent += 1;
        for arm in arms {
            self.line();
            self.put("when ");
            if let WhenBinding::Whole(name) = &arm.binding {
                self.name(name);
                self.put(": ");
            }
            self.path(&arm.variant);
            if let WhenBinding::Fields(names) = &arm.binding {
                self.put("(");
                self.list(names, Self::name);
                self.put(")");
            }
            self.put(" ");
            self.body(&arm.body);
        }
        self.end_arms(otherwise);
    }

    fn escaped(&mut self, c: char, quote: char) {
        match c {
            '\n' => self.put("\\n"),
            '\r' => self.put("\\r"),
            '\t' => self.put("\\t"),
            '\0' => self.put("\\0"),
            '\\' => self.put("\\\\"),
            c if c == quote => {
                self.text.push('\\');
                self.text.push(c);
            }
            c if c.is_control() => {
                let _ = write!(self.text, "\\u{{{:X}}}", c as u32);
            }
            c => self.text.push(c),
        }
    }
}
