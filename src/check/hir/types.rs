//! Types, interned: equal types have equal ids.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use super::{StructId, TypeId, UnionId};
use crate::source::Span;

pub use scaly_interp::machine::IntKind;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    Void,
    /// What `return`, `break`, `repeat` without `break` have: converts to every type.
    Never,
    /// The type of what could not be typed, after the error has been reported: agrees with everything.
    Error,
    Bool,
    Char,
    Int(IntKind),
    F32,
    F64,
    String,
    /// Grows.
    Array(TypeId),
    /// Has a fixed length.
    Vector(TypeId),
    /// A view of an array's, vector's or other slice's elements.
    Slice(TypeId),
    Struct(StructId),
    /// Also `Option[T]`: see [`Types::option_payload`].
    Union(UnionId),
    Function {
        params: Box<[TypeId]>,
        result: TypeId,
    },
}

/// One instance of a struct.
#[derive(Clone, Debug)]
pub struct Struct {
    /// Without type arguments: what `_type` prints.
    pub name: String,
    pub arguments: Vec<TypeId>,
    pub fields: Vec<Field>,
    pub span: Span,
}

/// One instance of a union.
#[derive(Clone, Debug)]
pub struct Union {
    /// Without type arguments: what `_type` prints.
    pub name: String,
    pub arguments: Vec<TypeId>,
    /// A variant's tag is its place here.
    pub variants: Vec<Variant>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Variant {
    pub name: String,
    /// None, one unnamed (`Some(value)`: named `value`), or the fields of an inline payload.
    pub payload: Vec<Field>,
    /// The payload is `A { f: T, … }`: printed by its field names.
    pub inline: bool,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: TypeId,
    pub private: bool,
    /// Stored by reference in the owner's region, because the type contains itself through here: one slot, an address.
    /// Only payloads of unions are ever boxed (an optional field is a payload of `Option`).
    pub boxed: bool,
    pub span: Span,
}

/// How large a type is, written out.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// How many names.
    pub names: u32,
    /// How many brackets around the innermost one.
    pub depth: u32,
}

/// What values of a type are made of.
#[derive(Clone, Copy, Debug)]
struct Content {
    owns: bool,
    slots: u64,
}

/// All types of a program.
#[derive(Debug)]
pub struct Types {
    types: Vec<Type>,
    written: Vec<Written>,
    /// Of structs and unions, as far as it has been asked for.
    contents: RefCell<FxHashMap<TypeId, Content>>,
    ids: FxHashMap<Type, TypeId>,
    structs: Vec<Struct>,
    unions: Vec<Union>,
    /// The union of the library's `Option` instances, by payload.
    options: FxHashMap<TypeId, TypeId>,
}

impl Default for Types {
    fn default() -> Self {
        let mut types = Types {
            types: Vec::new(),
            written: Vec::new(),
            contents: RefCell::default(),
            ids: FxHashMap::default(),
            structs: Vec::new(),
            unions: Vec::new(),
            options: FxHashMap::default(),
        };
        for (id, ty) in Types::BASIC {
            let got = types.intern(ty.clone());
            debug_assert_eq!(got, *id);
        }
        types
    }
}

impl Types {
    pub const VOID: TypeId = TypeId(0);
    pub const NEVER: TypeId = TypeId(1);
    pub const ERROR: TypeId = TypeId(2);
    pub const BOOL: TypeId = TypeId(3);
    pub const CHAR: TypeId = TypeId(4);
    pub const F32: TypeId = TypeId(5);
    pub const F64: TypeId = TypeId(6);
    pub const STRING: TypeId = TypeId(7);
    pub const I8: TypeId = TypeId(8);
    pub const I16: TypeId = TypeId(9);
    pub const I32: TypeId = TypeId(10);
    pub const I64: TypeId = TypeId(11);
    pub const U8: TypeId = TypeId(12);
    pub const U16: TypeId = TypeId(13);
    pub const U32: TypeId = TypeId(14);
    pub const U64: TypeId = TypeId(15);

    const BASIC: &[(TypeId, Type)] = &[
        (Types::VOID, Type::Void),
        (Types::NEVER, Type::Never),
        (Types::ERROR, Type::Error),
        (Types::BOOL, Type::Bool),
        (Types::CHAR, Type::Char),
        (Types::F32, Type::F32),
        (Types::F64, Type::F64),
        (Types::STRING, Type::String),
        (Types::I8, Type::Int(IntKind::I8)),
        (Types::I16, Type::Int(IntKind::I16)),
        (Types::I32, Type::Int(IntKind::I32)),
        (Types::I64, Type::Int(IntKind::I64)),
        (Types::U8, Type::Int(IntKind::U8)),
        (Types::U16, Type::Int(IntKind::U16)),
        (Types::U32, Type::Int(IntKind::U32)),
        (Types::U64, Type::Int(IntKind::U64)),
    ];

    pub fn intern(&mut self, ty: Type) -> TypeId {
        if let Some(&id) = self.ids.get(&ty) {
            return id;
        }
        let id = TypeId(self.types.len() as u32);
        let written = match &ty {
            Type::Array(t) | Type::Vector(t) | Type::Slice(t) => self.written_with(&[*t]),
            Type::Struct(s) => self.written_with(&self.structure(*s).arguments),
            Type::Union(u) => self.written_with(&self.union(*u).arguments),
            Type::Function { params, result } => self.written_with(&[params, &[*result][..]].concat()),
            _ => self.written_with(&[]),
        };
        self.written.push(written);
        self.types.push(ty.clone());
        self.ids.insert(ty, id);
        id
    }

    /// How large a type with these arguments is, written out.
    pub fn written_with(&self, arguments: &[TypeId]) -> Written {
        arguments.iter().map(|a| self.written[a.0 as usize]).fold(Written { names: 1, depth: 0 }, |all, part| Written {
            names: all.names.saturating_add(part.names),
            depth: all.depth.max(part.depth + 1),
        })
    }

    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    pub fn len(&self) -> usize {
        self.types.len()
    }

    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// A type and all that is in its values, whatever lies between, each once.
    pub fn parts(&self, ty: TypeId) -> Vec<TypeId> {
        let mut parts = vec![ty];
        let mut seen = 0;
        while let Some(&part) = parts.get(seen) {
            seen += 1;
            let mut add = |ty: TypeId| {
                if !parts.contains(&ty) {
                    parts.push(ty);
                }
            };
            match self.get(part) {
                Type::Array(t) | Type::Vector(t) | Type::Slice(t) => add(*t),
                Type::Struct(s) => self.structure(*s).fields.iter().for_each(|f| add(f.ty)),
                Type::Union(u) => {
                    self.union(*u).variants.iter().flat_map(|v| &v.payload).for_each(|f| add(f.ty));
                }
                _ => {}
            }
        }
        parts
    }

    /// A new struct instance, distinct from all others; its fields may be filled in later ([`Types::struct_mut`]).
    pub fn add_struct(&mut self, def: Struct) -> (StructId, TypeId) {
        let id = StructId(self.structs.len() as u32);
        self.structs.push(def);
        (id, self.intern(Type::Struct(id)))
    }

    /// A new union instance, distinct from all others; its variants may be filled in later ([`Types::union_mut`]).
    pub fn add_union(&mut self, def: Union) -> (UnionId, TypeId) {
        let id = UnionId(self.unions.len() as u32);
        self.unions.push(def);
        (id, self.intern(Type::Union(id)))
    }

    /// Notes that `option` is what `payload?` means.
    pub fn set_option(&mut self, payload: TypeId, option: TypeId) {
        self.options.insert(payload, option);
    }

    pub fn structure(&self, id: StructId) -> &Struct {
        &self.structs[id.0 as usize]
    }

    pub fn struct_mut(&mut self, id: StructId) -> &mut Struct {
        self.contents.get_mut().clear();
        &mut self.structs[id.0 as usize]
    }

    pub fn union(&self, id: UnionId) -> &Union {
        &self.unions[id.0 as usize]
    }

    pub fn union_mut(&mut self, id: UnionId) -> &mut Union {
        self.contents.get_mut().clear();
        &mut self.unions[id.0 as usize]
    }

    /// `payload?`, if it has been made already.
    pub fn option_of(&self, payload: TypeId) -> Option<TypeId> {
        self.options.get(&payload).copied()
    }

    /// The `T` of a `T?`: None is tag 0, Some is tag 1 with one payload field.
    pub fn option_payload(&self, id: TypeId) -> Option<TypeId> {
        let Type::Union(union) = *self.get(id) else { return None };
        let some = self.union(union).variants.get(1)?;
        let payload = some.payload.first()?.ty;
        (self.option_of(payload) == Some(id)).then_some(payload)
    }

    pub fn element(&self, id: TypeId) -> Option<TypeId> {
        match *self.get(id) {
            Type::Array(t) | Type::Vector(t) | Type::Slice(t) => Some(t),
            _ => None,
        }
    }

    /// Whether values of the type own storage in a region: what must be copied deeply, and given back when overwritten.
    pub fn owns(&self, id: TypeId) -> bool {
        self.content(id).owns
    }

    /// How many slots a value takes.
    pub fn slots(&self, id: TypeId) -> u64 {
        self.content(id).slots
    }

    fn content(&self, id: TypeId) -> Content {
        let sum = |fields: &[Field]| {
            let start = Content { owns: false, slots: 0 };
            fields.iter().fold(start, |sum, field| {
                let part = if field.boxed { Content { owns: true, slots: 1 } } else { self.content(field.ty) };
                Content { owns: sum.owns | part.owns, slots: sum.slots.saturating_add(part.slots) }
            })
        };
        if let Some(&known) = self.contents.borrow().get(&id) {
            return known;
        }
        let content = match self.get(id) {
            Type::String | Type::Array(_) | Type::Vector(_) | Type::Function { .. } => {
                return Content { owns: true, slots: 2 };
            }
            Type::Slice(_) => return Content { owns: false, slots: 2 },
            Type::Void | Type::Never => return Content { owns: false, slots: 0 },
            Type::Error | Type::Bool | Type::Char | Type::Int(_) | Type::F32 | Type::F64 => {
                return Content { owns: false, slots: 1 };
            }
            Type::Struct(s) => sum(&self.structure(*s).fields),
            Type::Union(u) => {
                let start = Content { owns: false, slots: 0 };
                let most = self.union(*u).variants.iter().map(|v| sum(&v.payload)).fold(start, |most, part| Content {
                    owns: most.owns | part.owns,
                    slots: most.slots.max(part.slots),
                });
                Content { slots: most.slots.saturating_add(1), ..most }
            }
        };
        self.contents.borrow_mut().insert(id, content);
        content
    }

    /// The type as the user writes it.
    pub fn name(&self, id: TypeId) -> String {
        let list = |ids: &[TypeId]| ids.iter().map(|&t| self.name(t)).collect::<Vec<_>>().join(", ");
        let applied = |name: &str, ids: &[TypeId]| {
            if ids.is_empty() { name.to_string() } else { format!("{name}[{}]", list(ids)) }
        };
        if let Some(payload) = self.option_payload(id) {
            return format!("{}?", self.name(payload));
        }
        match self.get(id) {
            Type::Void => "void".into(),
            Type::Never => "never".into(),
            Type::Error => "?".into(),
            Type::Bool => "bool".into(),
            Type::Char => "char".into(),
            Type::Int(IntKind::I64) => "int".into(),
            Type::Int(kind) => format!("{kind:?}").to_lowercase(),
            Type::F32 => "f32".into(),
            Type::F64 => "f64".into(),
            Type::String => "String".into(),
            Type::Array(t) => applied("Array", &[*t]),
            Type::Vector(t) => applied("Vector", &[*t]),
            Type::Slice(t) => applied("Slice", &[*t]),
            Type::Struct(s) => applied(&self.structure(*s).name, &self.structure(*s).arguments),
            Type::Union(u) => applied(&self.union(*u).name, &self.union(*u).arguments),
            Type::Function { params, result } if *result == Types::VOID => format!("function({})", list(params)),
            Type::Function { params, result } => format!("function({}) returns {}", list(params), self.name(*result)),
        }
    }
}
