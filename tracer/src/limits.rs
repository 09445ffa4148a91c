//! Every limit of the tracer, in one table.

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    pub name: &'static str,
    pub unit: &'static str,
    pub default: u32,
    pub meaning: &'static str,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $unit:literal = $default:literal, $meaning:literal;)*) => {
        /// The limits in force.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct Limits {
            $(#[doc = $meaning] pub $name: u32,)*
        }

        impl Limits {
            pub const TABLE: &[Limit] =
                &[$(Limit { name: stringify!($name), unit: $unit, default: $default, meaning: $meaning },)*];

            /// Sets a limit by its name; false if there is none of this name.
            pub fn set(&mut self, name: &str, value: u32) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)*
                    _ => return false,
                }
                true
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($name: $default,)* }
            }
        }
    };
}

limits! {
    region_instructions: "instructions" = 2000, "Largest region that counts as closed.";
    inline_depth: "calls" = 12, "Calls inlined into one another.";
    inline_size: "instructions" = 600, "Largest callee, in bytecode, that is inlined.";
    inline_size_small: "instructions" = 60, "The same at the second attempt, when the first region became too large.";
    address_steps: "steps" = 6, "Pointers followed from a variable before a place is only known as below it.";
    polynomial_terms: "terms" = 24, "Terms of an index before it counts as unknown.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_by_name() {
        let mut limits = Limits::default();
        assert!(limits.set("inline_depth", 3));
        assert_eq!(limits.inline_depth, 3);
        assert!(!limits.set("nothing", 3));
        assert!(Limits::TABLE.iter().all(|l| limits.set(l.name, l.default)));
        assert_eq!(limits, Limits::default());
    }
}
