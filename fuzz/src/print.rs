//! A tree as Scaly text.
//!
//! Parentheses stand where precedence asks for them and nowhere else, so that the parser's precedences are tested; where
//! the language has several spellings the numbers of the variables decide, so that both occur.

use std::fmt::Write;

use crate::tree::*;
use crate::value::float_text;

/// How tightly an expression binds; larger is tighter.
const LOOSEST: u8 = 0;
const NOT: u8 = 25;
const CAST: u8 = 140;
const PREFIX: u8 = 150;
const PRIMARY: u8 = 200;

/// The whole program.
pub fn print(program: &Program) -> String {
    let mut printer = Printer { program, text: String::new(), depth: 0, this: None, elements: Vec::new() };
    printer.program();
    printer.text
}

struct Printer<'a> {
    program: &'a Program,
    text: String,
    depth: usize,
    /// The parameter that is spelled `this`.
    this: Option<Var>,
    /// Variables that are spelled `e1.key` and so on.
    elements: Vec<(Var, String)>,
}

fn list(items: &[String]) -> String {
    items.join(", ")
}

/// Variant `which` of union `union`.
pub fn variant_name(union: usize, which: usize) -> String {
    format!("V{union}{}", (b'A' + which as u8) as char)
}

impl Printer<'_> {
    fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn ty(&self, ty: &Type) -> String {
        match ty {
            Type::Int(kind) if *kind == IntKind::I64 => "int".to_string(),
            Type::Int(kind) => kind.name().to_string(),
            Type::F64 => "f64".to_string(),
            Type::F32 => "f32".to_string(),
            Type::Bool => "bool".to_string(),
            Type::Char => "char".to_string(),
            Type::Text => "String".to_string(),
            Type::Array(element) => format!("Array[{}]", self.ty(element)),
            Type::Option(value) => format!("{}?", self.ty(value)),
            Type::Map(key, value) => format!("HashMap[{}, {}]", self.ty(key), self.ty(value)),
            Type::Struct(number) => format!("S{number}"),
            Type::Union(number) => format!("U{number}"),
            Type::Slice(element) => format!("Slice[{}]", self.ty(element)),
            Type::Lambda(params, result) => {
                let params: Vec<String> = params.iter().map(|ty| self.ty(ty)).collect();
                format!("function({}) returns {}", list(&params), self.ty(result))
            }
            Type::Builder => "StringBuilder".to_string(),
        }
    }

    fn program(&mut self) {
        for (number, each) in self.program.structs.iter().enumerate() {
            if each.fields.is_empty() {
                continue;
            }
            let fields: Vec<String> =
                each.fields.iter().enumerate().map(|(i, ty)| format!("f{i}: {}", self.ty(ty))).collect();
            let methods: Vec<usize> = (0..self.program.routines.len())
                .filter(|&r| self.program.routines[r].method_of == Some(number))
                .collect();
            let head = format!("define S{number}({})", list(&fields));
            if methods.is_empty() {
                self.line(&head);
            } else {
                self.line(&format!("{head} {{"));
                self.depth += 1;
                for method in methods {
                    self.routine(method);
                }
                self.depth -= 1;
                self.line("}");
            }
        }
        for (number, each) in self.program.unions.iter().enumerate() {
            if each.variants.is_empty() {
                continue;
            }
            let variants: Vec<String> = each
                .variants
                .iter()
                .enumerate()
                .map(|(which, payload)| {
                    let name = variant_name(number, which);
                    match &payload[..] {
                        [] => name,
                        [one] if which % 2 == 0 => format!("{name}: {}", self.ty(one)),
                        [one] => format!("{name}({})", self.ty(one)),
                        many => {
                            let fields: Vec<String> =
                                many.iter().enumerate().map(|(i, ty)| format!("p{i}: {}", self.ty(ty))).collect();
                            format!("{name} {{ {} }}", list(&fields))
                        }
                    }
                })
                .collect();
            self.line(&format!("define U{number} union({})", list(&variants)));
        }
        for (number, (ty, value)) in self.program.constants.iter().enumerate() {
            let value = self.expr(value, LOOSEST);
            let ty = self.ty(ty);
            self.line(&format!("define C{number}: {ty} {value}"));
        }
        for (number, routine) in self.program.routines.iter().enumerate() {
            // A reduced tree keeps an empty routine in place of one that nothing calls.
            let empty = routine.body.is_empty() && routine.params.is_empty();
            if routine.method_of.is_none() && !empty {
                self.routine(number);
            }
        }
        self.block(&self.program.main);
    }

    fn routine(&mut self, number: usize) {
        let routine = &self.program.routines[number];
        self.this = routine.method_of.and(routine.params.first().map(|p| p.var));
        let params: Vec<String> =
            routine
                .params
                .iter()
                .filter(|p| !(routine.operator.is_some() && Some(p.var) == self.this))
                .map(|p| {
                    if Some(p.var) == self.this {
                        "this".to_string()
                    } else {
                        format!("v{}: {}", p.var, self.ty(&p.ty))
                    }
                })
                .collect();
        let (word, name) = match routine.operator {
            Some(op) => ("operator", sign(op).0.to_string()),
            None => (if routine.procedure { "procedure" } else { "function" }, format!("r{number}")),
        };
        let result = match &routine.result {
            Some(ty) => format!(" returns {}", self.ty(ty)),
            None => String::new(),
        };
        let head = format!("{word} {name}({}){result}", list(&params));
        if let [Statement::Return(Some(value))] = &routine.body[..] {
            let value = self.expr(value, LOOSEST);
            self.line(&format!("{head}: {value}"));
        } else {
            self.braced(&format!("{head} {{"), &routine.body, "}");
        }
        self.this = None;
    }

    fn braced(&mut self, head: &str, body: &Block, end: &str) {
        self.line(head);
        self.depth += 1;
        self.block(body);
        self.depth -= 1;
        self.line(end);
    }

    fn block(&mut self, block: &Block) {
        for statement in block {
            self.statement(statement);
        }
    }

    fn label(label: &Option<u32>) -> String {
        label.map_or(String::new(), |l| format!(": label l{l}"))
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Let { var, ty, mutable, annotated, value } => {
                let word = match (mutable, var % 5) {
                    (false, _) => "let",
                    (true, 0) => "mutable",
                    (true, _) => "var",
                };
                let annotation = if *annotated { format!(": {}", self.ty(ty)) } else { String::new() };
                let value = match value {
                    Some(value) => format!(" = {}", self.expr(value, LOOSEST)),
                    None if *ty == Type::Builder => " = StringBuilder()".to_string(),
                    None => String::new(),
                };
                self.line(&format!("{word} v{var}{annotation}{value}"));
            }
            Statement::Assign { place, value, spelling } => {
                let (place, value) = (self.place(place), self.expr(value, LOOSEST));
                match spelling {
                    Spelling::Set => self.line(&format!("set {place}: {value}")),
                    Spelling::Equals => self.line(&format!("{place} = {value}")),
                }
            }
            Statement::Update { place, op, value } => {
                let (place, value) = (self.place(place), self.expr(value, LOOSEST));
                self.line(&format!("{place} {}= {value}", sign(*op).0));
            }
            Statement::If(condition, then, otherwise) => {
                let head = format!("if {} {{", self.expr(condition, LOOSEST));
                if otherwise.is_empty() {
                    self.braced(&head, then, "}");
                } else {
                    self.braced(&head, then, "} else {");
                    self.depth += 1;
                    self.block(otherwise);
                    self.depth -= 1;
                    self.line("}");
                }
            }
            Statement::While { fuel, most, condition, body, label } => {
                self.line(&format!("var v{fuel} = {most}"));
                let condition = self.expr(condition, 21);
                self.line(&format!("while v{fuel} > 0 and {condition}{} {{", Self::label(label)));
                self.depth += 1;
                self.line(&format!("v{fuel} -= 1"));
                self.block(body);
                self.depth -= 1;
                self.line("}");
            }
            Statement::Counted { var, end, step, body } => {
                let end = self.expr(end, 71);
                let sign = if *step < 0 { ">" } else { "<" };
                self.line(&format!("while v{var} {sign} {end} {{"));
                self.depth += 1;
                self.block(body);
                self.line(&if *step < 0 { format!("v{var} -= {}", -step) } else { format!("v{var} += {step}") });
                self.depth -= 1;
                self.line("}");
            }
            Statement::Repeat { fuel, most, body, label } => {
                self.line(&format!("var v{fuel} = {most}"));
                self.line(&format!("repeat{} {{", Self::label(label)));
                self.depth += 1;
                self.line(&format!("if v{fuel} <= 0: break"));
                self.line(&format!("v{fuel} -= 1"));
                self.block(body);
                self.depth -= 1;
                self.line("}");
            }
            Statement::Range { var, low, high, closed, body, label, kind } => {
                let cast = |text: String| match kind {
                    IntKind::I64 => text,
                    kind => format!("({text} as {})", kind.name()),
                };
                let high = cast(self.expr(high, CAST));
                let range = match low {
                    None => high,
                    Some(low) => {
                        format!("{}{}{high}", cast(self.expr(low, CAST)), if *closed { "..=" } else { ".." })
                    }
                };
                let label = Self::label(label);
                self.braced(&format!("for v{var} in {range}{label} {{"), body, "}");
            }
            Statement::Each { var, value, of, body, label } => {
                let of = self.expr(of, LOOSEST);
                let label = Self::label(label);
                match value {
                    None => self.braced(&format!("for v{var} in {of}{label} {{"), body, "}"),
                    Some(value) => {
                        self.elements.push((*var, format!("e{var}.key")));
                        self.elements.push((*value, format!("e{var}.value")));
                        self.braced(&format!("for e{var} in {of}{label} {{"), body, "}");
                        self.elements.truncate(self.elements.len() - 2);
                    }
                }
            }
            Statement::Break(label) => self.jump("break", *label),
            Statement::Continue(label) => self.jump("continue", *label),
            Statement::Return(None) => self.line("return"),
            Statement::Return(Some(value)) => {
                let value = self.expr(value, LOOSEST);
                self.line(&format!("return {value}"));
            }
            Statement::Print(values) => {
                let values: Vec<String> = values.iter().map(|v| self.expr(v, LOOSEST)).collect();
                let word = if values.len().is_multiple_of(2) { "print" } else { "println" };
                self.line(&format!("{word}({})", list(&values)));
            }
            Statement::Call(call) => {
                let call = self.expr(call, LOOSEST);
                self.line(&call);
            }
            Statement::Choose(subject, arms, otherwise) => {
                let head = format!("choose {} {{", self.expr(subject, LOOSEST));
                self.line(&head);
                self.depth += 1;
                for (pattern, body) in arms {
                    let head = format!("when {} {{", self.pattern(pattern));
                    self.braced(&head, body, "}");
                }
                if let Some(body) = otherwise {
                    self.braced("else {", body, "}");
                }
                self.depth -= 1;
                self.line("}");
            }
            Statement::Match(subject, cases, otherwise) => {
                let head = format!("match {} {{", self.expr(subject, LOOSEST));
                self.line(&head);
                self.depth += 1;
                for (values, body) in cases {
                    let head: Vec<String> = values.iter().map(|v| format!("case {}", self.expr(v, LOOSEST))).collect();
                    self.braced(&format!("{} {{", head.join(" ")), body, "}");
                }
                self.braced("else {", otherwise, "}");
                self.depth -= 1;
                self.line("}");
            }
            Statement::Push(place, value) => {
                let text = format!("{}.push({})", self.place(place), self.expr(value, LOOSEST));
                self.line(&text);
            }
            Statement::Pop(var, place) => {
                let text = format!("let v{var} = {}.pop()", self.place(place));
                self.line(&text);
            }
            Statement::Insert(place, index, value) => {
                let (index, value) = (self.expr(index, LOOSEST), self.expr(value, LOOSEST));
                let text = format!("{}.insert({index}, {value})", self.place(place));
                self.line(&text);
            }
            Statement::Remove(var, place, index) => {
                let index = self.expr(index, LOOSEST);
                let text = format!("let v{var} = {}.remove({index})", self.place(place));
                self.line(&text);
            }
            Statement::Clear(place) => {
                let text = format!("{}.clear()", self.place(place));
                self.line(&text);
            }
            Statement::Swap(place, i, j) => {
                let (i, j) = (self.expr(i, LOOSEST), self.expr(j, LOOSEST));
                let text = format!("{}.swap({i}, {j})", self.place(place));
                self.line(&text);
            }
            Statement::Sort(place) => {
                let text = format!("{}.sort()", self.place(place));
                self.line(&text);
            }
            Statement::Reverse(place) => {
                let text = format!("{}.reverse()", self.place(place));
                self.line(&text);
            }
            Statement::MapSet(place, key, value) => {
                let (key, value) = (self.expr(key, LOOSEST), self.expr(value, LOOSEST));
                let text = format!("{}.set({key}, {value})", self.place(place));
                self.line(&text);
            }
            Statement::Append(place, value) => {
                let text = format!("{}.append({})", self.place(place), self.expr(value, LOOSEST));
                self.line(&text);
            }
            Statement::MapRemove(var, place, key) => {
                let key = self.expr(key, LOOSEST);
                let text = format!("let v{var} = {}.remove({key})", self.place(place));
                self.line(&text);
            }
            Statement::Block(body) => self.braced("{", body, "}"),
            Statement::Exit(status) => self.line(&format!("exit({status})")),
            Statement::ReadLine(var) => self.line(&format!("let v{var} = Console.read_line()")),
        }
    }

    fn jump(&mut self, word: &str, label: Option<u32>) {
        let text = label.map_or(word.to_string(), |l| format!("{word} loop l{l}"));
        self.line(&text);
    }

    fn pattern(&self, pattern: &Pattern) -> String {
        match pattern {
            Pattern::Some(var) => format!("Some(v{var})"),
            Pattern::None => "None".to_string(),
            Pattern::Variant(union, which, vars) => {
                let name = variant_name(*union, *which);
                match &vars[..] {
                    [] => name,
                    [var] if var % 2 == 0 => format!("v{var}: {name}"),
                    vars => {
                        let vars: Vec<String> = vars.iter().map(|v| format!("v{v}")).collect();
                        format!("{name}({})", list(&vars))
                    }
                }
            }
        }
    }

    fn variable(&self, var: Var) -> String {
        if self.this == Some(var) {
            return "this".to_string();
        }
        match self.elements.iter().find(|(v, _)| *v == var) {
            Some((_, text)) => text.clone(),
            None => format!("v{var}"),
        }
    }

    fn place(&self, place: &Place) -> String {
        let mut text = self.variable(place.root);
        for (at, step) in place.steps.iter().enumerate() {
            match step {
                Step::Field(i) if at == 0 && self.this == Some(place.root) && i % 2 == 0 => text = format!("f{i}"),
                // Writing to a String cannot fail.
                Step::Field(i) => drop(write!(text, ".f{i}")),
                Step::Index(index) => drop(write!(text, "[{}]", self.expr(index, LOOSEST))),
            }
        }
        text
    }

    fn args(&self, args: &[Expr]) -> String {
        let args: Vec<String> = args.iter().map(|a| self.expr(a, LOOSEST)).collect();
        list(&args)
    }

    /// The text of an expression where something of this tightness is wanted.
    fn expr(&self, expr: &Expr, tightness: u8) -> String {
        let (text, own) = self.bound(expr);
        if own < tightness { format!("({text})") } else { text }
    }

    fn bound(&self, expr: &Expr) -> (String, u8) {
        let primary = |text: String| (text, PRIMARY);
        match expr {
            Expr::Int { value, kind, bare } => integer(*value, *kind, *bare),
            Expr::F64(value) => primary(float(*value)),
            Expr::F32 { value, bare } => {
                let text = if value.is_finite() && *value >= 0.0 && value.is_sign_positive() {
                    float_text(*value)
                } else {
                    float(f64::from(*value))
                };
                if *bare && value.is_finite() { primary(text) } else { (format!("{text} as f32"), CAST) }
            }
            Expr::Bool(value) => primary(value.to_string()),
            Expr::Char(value) => primary(format!("`{value}`")),
            Expr::Text(text) => primary(format!("\"{}\"", escaped(text))),
            Expr::Var(var) => primary(self.variable(*var)),
            Expr::Const(number) => primary(format!("C{number}")),
            Expr::Unary(op, operand) => {
                let call = |name: &str| primary(format!("{name}({})", self.expr(operand, LOOSEST)));
                match op {
                    Unary::Neg => (format!("-{}", self.expr(operand, PRIMARY)), PREFIX),
                    Unary::Complement => (format!("~{}", self.expr(operand, PRIMARY)), PREFIX),
                    Unary::Not => (format!("not {}", self.expr(operand, NOT + 1)), NOT),
                    Unary::Abs => call("abs"),
                    Unary::Sqrt => call("sqrt"),
                    Unary::Floor => call("floor"),
                    Unary::Ceil => call("ceil"),
                    Unary::Trunc => call("trunc"),
                    Unary::Round => call("round"),
                    Unary::Bits => call("bits"),
                    Unary::PopCount => call("popcount"),
                    Unary::LeadingZeros => call("clz"),
                }
            }
            Expr::Binary(op @ (Binary::Min | Binary::Max), a, b) => {
                let (a, b) = (self.expr(a, LOOSEST), self.expr(b, LOOSEST));
                primary(format!("{}({a}, {b})", sign(*op).0))
            }
            Expr::Binary(op, a, b) => {
                let (sign, level) = sign(*op);
                (format!("{} {sign} {}", self.expr(a, level), self.expr(b, level + 1)), level)
            }
            Expr::Cast(operand, ty) => (format!("{} as {}", self.expr(operand, CAST), self.ty(ty)), CAST),
            Expr::If(condition, then, otherwise) => {
                let condition = self.expr(condition, LOOSEST);
                let (then, otherwise) = (self.expr(then, 10), self.expr(otherwise, LOOSEST));
                primary(format!("(if {condition}: {then} else {otherwise})"))
            }
            Expr::Choose(subject, arms) => {
                let subject = self.expr(subject, LOOSEST);
                let arms: Vec<String> = arms
                    .iter()
                    .map(|(pattern, value)| format!("when {}: {}", self.pattern(pattern), self.expr(value, 10)))
                    .collect();
                primary(format!("(choose {subject} {{ {} }})", arms.join(" ")))
            }
            Expr::Is(subject, pattern) => {
                let name = match pattern {
                    Pattern::Some(_) => "Some".to_string(),
                    Pattern::None => "null".to_string(),
                    Pattern::Variant(union, which, _) => variant_name(*union, *which),
                };
                (format!("{} is {name}", self.expr(subject, 71)), 70)
            }
            Expr::Call(number, args) => {
                let routine = &self.program.routines[*number];
                match (routine.method_of, routine.operator, &args[..]) {
                    (_, Some(op), [a, b]) => {
                        let (sign, level) = sign(op);
                        (format!("{} {sign} {}", self.expr(a, level), self.expr(b, level + 1)), level)
                    }
                    (Some(_), _, [this, rest @ ..]) => {
                        primary(format!("{}.r{number}({})", self.expr(this, PRIMARY), self.args(rest)))
                    }
                    _ => primary(format!("r{number}({})", self.args(args))),
                }
            }
            Expr::Library(which, args) => primary(self.library(*which, args)),
            Expr::Field(owner, i) => match &**owner {
                Expr::Var(var) if self.this == Some(*var) && i % 2 == 0 => primary(format!("f{i}")),
                owner => primary(format!("{}.f{i}", self.expr(owner, PRIMARY))),
            },
            Expr::Index(array, index) => {
                primary(format!("{}[{}]", self.expr(array, PRIMARY), self.expr(index, LOOSEST)))
            }
            Expr::Struct(number, args) => primary(format!("S{number}({})", self.args(args))),
            Expr::Union(number, which, args) => {
                let mut text = variant_name(*number, *which);
                if (number + which + args.len()).is_multiple_of(2) {
                    text = format!("U{number}.{text}");
                }
                if !args.is_empty() {
                    text = format!("{text}({})", self.args(args));
                }
                primary(text)
            }
            Expr::Some(value) => primary(format!("Some({})", self.expr(value, LOOSEST))),
            Expr::None => primary("null".to_string()),
            Expr::Array(items) => primary(format!("[{}]", self.args(items))),
            Expr::Filled(ty, length, value) => {
                let (length, value) = (self.expr(length, LOOSEST), self.expr(value, LOOSEST));
                primary(format!("Array[{}]({length}, {value})", self.ty(ty)))
            }
            Expr::EmptyMap(key, value) => primary(format!("HashMap[{}, {}]()", self.ty(key), self.ty(value))),
            Expr::Map(array, var, body) => {
                let (array, body) = (self.expr(array, PRIMARY), self.expr(body, LOOSEST));
                primary(format!("{array}.map(\\v{var}: {body})"))
            }
            Expr::Filter(array, var, body) => {
                let (array, body) = (self.expr(array, PRIMARY), self.expr(body, LOOSEST));
                primary(format!("{array}.filter(\\v{var}: {body})"))
            }
            Expr::Fold(array, start, accumulator, var, body) => {
                let (array, start) = (self.expr(array, PRIMARY), self.expr(start, LOOSEST));
                let body = self.expr(body, LOOSEST);
                primary(format!("{array}.fold({start}, \\v{accumulator} v{var}: {body})"))
            }
            Expr::Lambda(params, body) => {
                let params: Vec<String> = params.iter().map(|(var, _)| format!("v{var}")).collect();
                (format!("\\{}: {}", params.join(" "), self.expr(body, LOOSEST)), LOOSEST)
            }
            Expr::Routine(number) => primary(format!("r{number}")),
            Expr::Apply(function, args) => primary(format!("{}({})", self.expr(function, PRIMARY), self.args(args))),
            Expr::Format(parts, tail) => {
                let mut text = String::new();
                let mut args = Vec::new();
                for (before, value) in parts {
                    text += &escaped(before);
                    text += "{}";
                    args.push(self.expr(value, LOOSEST));
                }
                text += &escaped(tail);
                primary(format!("format(\"{text}\", {})", list(&args)))
            }
        }
    }

    fn library(&self, which: Library, args: &[Expr]) -> String {
        let Some((receiver, rest)) = args.split_first() else { return "?".to_string() };
        let receiver = self.expr(receiver, PRIMARY);
        let rest_text = self.args(rest);
        let name = match which {
            Library::GetOr => {
                let key = rest.first().map_or(String::new(), |k| self.expr(k, LOOSEST));
                let other = rest.get(1).map_or(String::new(), |o| self.expr(o, LOOSEST));
                return format!("{receiver}.get({key}).or({other})");
            }
            Library::Length => "length",
            Library::Get => "get",
            Library::Contains => "contains",
            Library::Sum => "sum",
            Library::Or => "or",
            Library::ToString => "to_string",
            Library::StartsWith => "starts_with",
            Library::Cut | Library::View => "slice",
            Library::IndexOf => "index_of",
            Library::Keys => "keys",
            Library::Values => "values",
            Library::Min => "min",
            Library::Max => "max",
            Library::Copy => "copy",
            Library::Repeat => "repeat",
            Library::Split => "split",
            Library::Join => "join",
        };
        format!("{receiver}.{name}({rest_text})")
    }
}

/// The sign of an infix operator and how tightly it binds.
pub fn sign(op: Binary) -> (&'static str, u8) {
    match op {
        Binary::Mul => ("*", 100),
        Binary::Div => ("/", 100),
        Binary::Rem => ("%", 100),
        Binary::Add => ("+", 90),
        Binary::Sub => ("-", 90),
        Binary::Shl => ("<<", 80),
        Binary::Shr => (">>", 80),
        Binary::Lt => ("<", 70),
        Binary::Le => ("<=", 70),
        Binary::Gt => (">", 70),
        Binary::Ge => (">=", 70),
        Binary::Eq => ("=", 60),
        Binary::Ne => ("<>", 60),
        Binary::And => ("&", 50),
        Binary::Xor => ("^", 40),
        Binary::Or => ("|", 30),
        Binary::Both => ("and", 20),
        Binary::Either => ("or", 10),
        Binary::Min => ("min", PRIMARY),
        Binary::Max => ("max", PRIMARY),
    }
}

fn integer(value: i128, kind: IntKind, bare: bool) -> (String, u8) {
    let default = kind == IntKind::I64;
    if value == i128::from(i64::MIN) {
        return ("(-9223372036854775807 - 1)".to_string(), PRIMARY);
    }
    // The least of a type is no literal's negative where the context gives that type.
    let least = matches!(kind, IntKind::I8 | IntKind::I16 | IntKind::I32) && value == -(1 << (bits(kind) - 1));
    if default || (bare && !least) {
        return if value < 0 { (format!("({value})"), PRIMARY) } else { (value.to_string(), PRIMARY) };
    }
    let shown = if value > i128::from(i64::MAX) { value - (1 << 64) } else { value };
    (format!("{shown} as {}", kind.name()), CAST)
}

/// The width of an integer type.
pub fn bits(kind: IntKind) -> u32 {
    match kind {
        IntKind::I8 | IntKind::U8 => 8,
        IntKind::I16 | IntKind::U16 => 16,
        IntKind::I32 | IntKind::U32 => 32,
        IntKind::I64 | IntKind::U64 => 64,
    }
}

fn float(value: f64) -> String {
    if value.is_nan() {
        "(0.0 / 0.0)".to_string()
    } else if value.is_infinite() {
        if value > 0.0 { "(1.0 / 0.0)".to_string() } else { "(-1.0 / 0.0)".to_string() }
    } else if value.is_sign_negative() {
        format!("({})", float_text(value))
    } else {
        float_text(value)
    }
}

/// As it stands in a string literal.
pub fn escaped(text: &str) -> String {
    let mut result = String::new();
    for c in text.chars() {
        match c {
            '"' => result.push_str("\\\""),
            '\\' => result.push_str("\\\\"),
            '\n' => result.push_str("\\n"),
            c => result.push(c),
        }
    }
    result
}
