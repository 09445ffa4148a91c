//! Names that the checker itself looks for.

use rustc_hash::FxHashMap;

use super::hir::{TypeId, Types};
use crate::syntax::{Interner, Symbol};

macro_rules! known {
    ($($field:ident $text:literal,)*) => {
        /// Symbols of names with a meaning of their own.
        #[derive(Debug)]
        pub struct Known {
            $(pub $field: Symbol,)*
            /// `int`, `f64` …: the names of the primitive types.
            pub primitives: FxHashMap<Symbol, TypeId>,
        }

        impl Known {
            pub fn new(interner: &mut Interner) -> Self {
                let primitives = PRIMITIVES.iter().map(|(name, ty)| (interner.intern(name), *ty)).collect();
                Known { $($field: interner.intern($text),)* primitives }
            }
        }
    };
}

known! {
    advance "advance",
    array "Array",
    begin "begin",
    call "()",
    copy "copy",
    discard "_",
    element "element",
    exit "exit",
    fail "fail",
    float_remainder "float_remainder",
    format "format",
    hash "hash",
    hash_map "HashMap",
    hash_set "HashSet",
    index "[]",
    index_set "[]=",
    main "main",
    option "Option",
    pointer "pointer",
    print "print",
    println "println",
    range "Range",
    reference "ref",
    slice "Slice",
    string_builder "StringBuilder",
    this "this",
    to_string "to_string",
    value "value",
    vector "Vector",
}

const PRIMITIVES: &[(&str, TypeId)] = &[
    ("void", Types::VOID),
    ("bool", Types::BOOL),
    ("char", Types::CHAR),
    ("i8", Types::I8),
    ("i16", Types::I16),
    ("i32", Types::I32),
    ("i64", Types::I64),
    ("u8", Types::U8),
    ("u16", Types::U16),
    ("u32", Types::U32),
    ("u64", Types::U64),
    ("f32", Types::F32),
    ("f64", Types::F64),
    ("String", Types::STRING),
    ("int", Types::I64),
    ("uint", Types::U64),
    ("size_t", Types::U64),
    ("float", Types::F32),
    ("double", Types::F64),
];
