//! Reporting: one message for one mistake, near names, and where a generic instance comes from.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use super::Checker;
use super::convert::article;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;

/// An [`Origin`] of a checker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OriginId(pub u32);

/// Why an instance of a generic or library routine exists.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `largest[Point]`
    pub name: String,
    /// The call that asked for it first.
    pub call: Span,
    /// The instance that the call stands in.
    pub parent: Option<OriginId>,
}

impl Diagnostic {
    /// Proposes a name that is written much like the unknown one.
    pub fn help_near(self, near: Option<String>) -> Self {
        match near {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

impl<'a> Checker<'a> {
    /// Adds a message, once. One inside of a generic instance tells which; one inside of the library is moved to the
    /// call that led there, which is all that the user can change.
    pub fn report(&mut self, mut diagnostic: Diagnostic) {
        for text in [&mut diagnostic.message, &mut diagnostic.label]
            .into_iter()
            .chain(diagnostic.secondary.iter_mut().map(|(_, text)| text))
            .chain(&mut diagnostic.help)
        {
            correct_articles(text);
        }
        let library = self.sources.file(diagnostic.span.file).library;
        let mut at = self.origin;
        let mut innermost = None;
        while let Some(id) = at {
            let origin = &self.origins[id.0 as usize];
            innermost.get_or_insert(origin);
            if !self.sources.file(origin.call.file).library {
                if library {
                    let inside = diagnostic.span;
                    diagnostic.span = origin.call;
                    diagnostic.label = format!("needed by `{}`", innermost.map_or("…".into(), |o| shortened(&o.name)));
                    diagnostic.secondary = vec![(inside, "here".into())];
                    diagnostic.help.retain(|help| !help.starts_with("write "));
                } else {
                    diagnostic.secondary.push((origin.call, format!("in `{}`, called here", shortened(&origin.name))));
                }
                break;
            }
            at = origin.parent;
        }

        if self.reported.insert((diagnostic.span, FxBuildHasher.hash_one(&diagnostic.message))) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Points to a declaration that the user can see.
    pub fn defined_here(&self, diagnostic: Diagnostic, span: Span) -> Diagnostic {
        if self.sources.file(span.file).library { diagnostic } else { diagnostic.secondary(span, "defined here") }
    }

    /// The name most like the given one, if it is like it enough to be meant.
    pub fn near(&self, name: Symbol, among: impl IntoIterator<Item = Symbol>) -> Option<String> {
        nearest(self.text(name), among.into_iter().map(|s| self.text(s)))
    }

    /// The source text of a place.
    pub fn source(&self, span: Span) -> &'a str {
        let text = &self.sources.file(span.file).text;
        text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The source text of a place if it is short enough to be repeated in a message.
    pub fn short_source(&self, span: Span) -> Option<&'a str> {
        let text = self.source(span);
        (!text.is_empty() && text.len() <= 50 && !text.contains('\n')).then_some(text)
    }
}

/// Makes "a `int`" "an `int`": which article is right depends on the type that is named.
fn correct_articles(text: &mut String) {
    let mut from = 0;
    while let Some(found) = text[from..].find("a `") {
        let at = from + found;
        let begins = at == 0 || text[..at].ends_with([' ', '(']);
        let name = text[at + 3..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
        if begins && article(name) == "an" {
            text.insert(at + 1, 'n');
        }
        from = at + 3;
    }
}

/// A name that may have grown with the types in it.
fn shortened(name: &str) -> String {
    const LIMIT: usize = 60;
    if name.chars().count() <= LIMIT {
        return name.to_string();
    }
    name.chars().take(LIMIT).chain(['…']).collect()
}

fn nearest<'t>(name: &str, among: impl Iterator<Item = &'t str>) -> Option<String> {
    let lower = name.to_lowercase();
    let allowed = match name.chars().count() {
        0 | 1 => return None,
        2..=3 => 1,
        4..=6 => 2,
        _ => 3,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in among {
        if candidate == name || candidate.is_empty() || !candidate.starts_with(|c: char| c.is_alphabetic() || c == '_')
        {
            continue;
        }
        let distance = if candidate.to_lowercase() == lower { 0 } else { strsim::osa_distance(name, candidate) };
        let better = best.is_none_or(|(d, b)| (distance, candidate) < (d, b));
        if distance <= allowed && distance < candidate.chars().count() && better {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.to_string())
}

#[cfg(test)]
mod tests {
    use super::{correct_articles, nearest};

    #[test]
    fn articles() {
        let mut text = "a `int` is a `String`, not a `f64`; data `x`".to_string();
        correct_articles(&mut text);
        assert_eq!(text, "an `int` is a `String`, not an `f64`; data `x`");
    }

    #[test]
    fn nearness() {
        let names = ["length", "last", "push", "x", "Length"];
        let near = |name| nearest(name, names.into_iter());
        assert_eq!(near("lenght").as_deref(), Some("length"));
        assert_eq!(near("psh").as_deref(), Some("push"));
        assert_eq!(near("LENGTH").as_deref(), Some("Length"));
        assert_eq!(near("y"), None);
        assert_eq!(near("something"), None);
    }
}
