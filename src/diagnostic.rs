//! What the front end has to say about a program: an error with its place, labels, and what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::source::{SourceMap, Span};

/// One message about one place. Rendered by [`Diagnostic::render`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One sentence without a full stop: what is wrong.
    pub message: String,
    pub span: Span,
    /// Under the marked text: what stands here, or what was expected.
    pub label: String,
    /// Other places that matter, each with a few words.
    pub secondary: Vec<(Span, String)>,
    /// What to write instead, a sentence each.
    pub help: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

impl Diagnostic {
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            span,
            label: String::new(),
            secondary: Vec::new(),
            help: Vec::new(),
        }
    }

    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(span, message) }
    }

    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub fn secondary(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The message with file, line, column and the marked source lines.
    pub fn render(&self, sources: &SourceMap, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let snippet = |file| {
            let file = sources.file(file);
            Snippet::source(&file.text).path(&file.name)
        };
        let primary = AnnotationKind::Primary.span(range(self.span));
        let mut main = snippet(self.span.file).annotation(if self.label.is_empty() {
            primary
        } else {
            primary.label(&self.label)
        });
        let mut elsewhere = Vec::new();
        for (span, label) in &self.secondary {
            let annotation = AnnotationKind::Context.span(range(*span)).label(label);
            if span.file == self.span.file {
                main = main.annotation(annotation);
            } else {
                elsewhere.push(snippet(span.file).annotation(annotation));
            }
        }
        let mut group: Group = level.primary_title(&self.message).element(main);
        for part in elsewhere {
            group = group.element(part);
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut text = renderer.render(&[group]);
        text.push('\n');
        text
    }
}

fn range(span: Span) -> std::ops::Range<usize> {
    span.start as usize..span.end as usize
}
