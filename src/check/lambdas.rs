//! Lambdas: a routine of its own, checked where it stands, with what it captures.

use super::Checker;
use super::hir::{self, Body, Expr, ExprKind, LocalKind, RoutineKind, Type, TypeId, Types};
use super::scope::Frame;
use super::statements::Want;
use super::types::count;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// A lambda that is not an argument.
    pub fn lambda_for(&mut self, lambda: &'a ast::Lambda, span: Span, hint: Option<TypeId>) -> Expr {
        let hint = self.inner_hint(hint);
        let (params, result) = match hint.map(|ty| self.out.types.get(ty)) {
            Some(Type::Function { params, result }) => (params.iter().map(|&p| Some(p)).collect(), Some(*result)),
            _ => (vec![None; lambda.params.len()], None),
        };
        self.lambda(lambda, span, params, result, false)
    }

    /// A lambda with what is known of its type; `direct` if it is passed as an argument.
    pub fn lambda(
        &mut self,
        lambda: &'a ast::Lambda,
        span: Span,
        params: Vec<Option<TypeId>>,
        result: Option<TypeId>,
        direct: bool,
    ) -> Expr {
        if params.len() != lambda.params.len() {
            let message = format!(
                "a function with {} is expected, but the lambda has {}",
                count(params.len(), "parameter"),
                lambda.params.len()
            );
            self.report(Diagnostic::error(span, message).label("another number of parameters"));
            return self.failed(span);
        }
        // `\x: int x + 1`, where a `:` is missing.
        if let Some(param) = lambda.params.last()
            && param.ty.is_none()
            && let Some(ty) = self.leading_type(lambda.body.span)
        {
            let name = self.text(param.name.symbol);
            self.report(
                Diagnostic::error(lambda.body.span, "expected `:` between the type and the value")
                    .label(format!("`{ty}` begins the value here"))
                    .help(format!("write `\\{name}: {ty}: …`")),
            );
            return self.failed(span);
        }
        let routine = self.new_routine(hir::Routine {
            name: "lambda".into(),
            kind: RoutineKind::Lambda,
            params: Vec::new(),
            result: Types::ERROR,
            locals: Vec::new(),
            body: Body::Code(Box::new(Expr::new(ExprKind::Void, Types::VOID, span))),
            captures: Vec::new(),
            span,
            library: self.sources.file(span.file).library,
            summary: hir::Summary::default(),
        });
        self.frames.push(Frame::new(routine, RoutineKind::Lambda, result));
        let outer = self.prelude.take();
        let mark = self.scopes.open();
        let mut locals = Vec::new();
        let mut types = Vec::new();
        let mut failed = false;
        for (param, expected) in lambda.params.iter().zip(params) {
            let declared = param.ty.as_ref().map(|ty| (self.resolve(ty), ty.span));
            let ty = match (declared, expected) {
                (Some((ty, at)), Some(expected)) if ty != expected => {
                    if ty != Types::ERROR && expected != Types::ERROR {
                        let (found, wanted) = (self.type_name(ty), self.type_name(expected));
                        self.report(
                            Diagnostic::error(at, format!("expected `{wanted}`, found `{found}`"))
                                .label("the function is called with another type"),
                        );
                    }
                    Types::ERROR
                }
                (Some((ty, _)), _) | (None, Some(ty)) => ty,
                (None, None) => {
                    let name = self.text(param.name.symbol);
                    self.report(
                        Diagnostic::error(param.span, format!("the type of `{name}` is not known"))
                            .label("nothing here tells it")
                            .help(format!("write it: `\\{name}: int: …`")),
                    );
                    Types::ERROR
                }
            };
            failed |= ty == Types::ERROR;
            types.push(ty);
            locals.push(self.bind(param.name, ty, LocalKind::Param));
        }
        let mut body = match result {
            Some(Types::VOID) => self.body(&lambda.body, Want::Nothing),
            Some(result) => {
                let body = self.body(&lambda.body, Want::Value(Some(result)));
                if body.ty == Types::VOID && result != Types::ERROR {
                    let ty = self.type_name(result);
                    let at = lambda.body.stmts.last().map_or(span, |s| s.span);
                    self.report(
                        Diagnostic::error(at, format!("the lambda must give a value of type `{ty}`"))
                            .label("this gives no value"),
                    );
                    self.failed(span)
                } else {
                    self.coerce(body, result, None)
                }
            }
            None => self.body(&lambda.body, Want::Value(None)),
        };
        self.scopes.close(mark);
        self.prelude = outer;
        let returned = self.frame().returned;
        let given = match (result, returned) {
            (Some(result), _) => result,
            (None, None) => {
                if body.ty == Types::NEVER {
                    Types::VOID
                } else {
                    body.ty
                }
            }
            (None, Some(returned)) => match self.join(returned, body.ty) {
                Some(ty) => {
                    body = self.coerce(body, ty, None);
                    ty
                }
                None => {
                    body = self.coerce(body, returned, None);
                    returned
                }
            },
        };
        failed |= body.ty == Types::ERROR || given == Types::ERROR;
        self.finish_routine(routine, locals, body);
        self.out.routines[routine.0 as usize].result = given;
        if failed {
            return self.failed(span);
        }
        let ty = self.function_type(types.into(), given);
        Expr::new(ExprKind::Lambda { routine, direct }, ty, span)
    }
    /// The primitive type with which a text begins: the type of no value can stand there.
    fn leading_type(&self, span: Span) -> Option<&'a str> {
        let text = self.source(span);
        let (word, _) = text.split_once(' ')?;
        let symbol = self.interner.find(word)?;
        self.known.primitives.contains_key(&symbol).then_some(word)
    }
}
