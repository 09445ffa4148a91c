//! The messages about values, views and parameters.

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// What has been found wrong in one routine.
#[derive(Default)]
pub struct Report {
    pub found: Vec<Diagnostic>,
}

impl Report {
    pub fn add(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Rule 3.
    pub fn two_in_place(&mut self, callee: &str, name: &str, first: Span, second: Span) {
        self.add(
            Diagnostic::error(second, format!("`{callee}` changes two arguments that lie in one value, `{name}`"))
                .label("this one is changed")
                .secondary(first, "and so is this one")
                .help("give one of them as a copy: `.copy()`; two elements are exchanged by `a.swap(i, j)`"),
        );
    }

    /// Rule 3: what one operand views another one reshapes.
    pub fn view_and_reshape(&mut self, name: &str, view: Span, write: Span, function: bool) {
        let label = if function { "the lambda views it" } else { "this is a view of it" };
        self.add(
            Diagnostic::error(write, format!("`{name}` is viewed and changed in one call"))
                .label("this may move or free what is viewed")
                .secondary(view, label)
                .help(if function {
                    "take a copy before: `let c: ….copy()`, and use it in the lambda"
                } else {
                    "give a copy: `.copy()`"
                }),
        );
    }

    pub fn index_disturbs(&mut self, name: &str, base: Span, write: Span) {
        self.add(
            Diagnostic::error(write, format!("the index changes `{name}`, whose element it selects"))
                .label("changed here")
                .secondary(base, "indexed here")
                .help("compute the index before: `let i: …`"),
        );
    }

    /// Rule 5.
    pub fn slice_variable(&mut self, name: &str, span: Span) {
        self.add(
            Diagnostic::error(span, format!("a `Slice` cannot be a `var`, as `{name}` is"))
                .label("a view, made once")
                .help("declare it with `let`, or keep an `Array`: `.copy()`"),
        );
    }

    /// Rule 5.
    pub fn slice_assigned(&mut self, span: Span) {
        self.add(
            Diagnostic::error(span, "a `Slice` cannot be assigned")
                .label("it is a view, made once")
                .help("declare another one with `let`, or keep an `Array`: `.copy()`"),
        );
    }
}
