//! Moves that happen at once, put into an order: a place is written when nobody needs what it held any more.
//!
//! What is left when no move is free are cycles. One of the values is set aside in a scratch place, which frees the rest
//! of its cycle; that is done before the next cycle needs the scratch place.

use super::{Home, Source};

/// Where a value is taken from, once ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    Source(Source),
    /// What [`Step::SetAside`] put away.
    Aside,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Move { to: Home, from: From },
    SetAside(Home),
}

/// Orders moves; no two go to the same place.
pub fn order(moves: impl IntoIterator<Item = (Home, Source)>) -> Vec<Step> {
    let mut pending: Vec<(Home, From)> = moves
        .into_iter()
        .filter(|&(to, from)| Source::Home(to) != from)
        .map(|(to, from)| (to, From::Source(from)))
        .collect();
    let mut steps = Vec::with_capacity(pending.len());
    while !pending.is_empty() {
        let read = |place: Home, pending: &[(Home, From)]| {
            pending.iter().any(|&(to, from)| to != place && from == From::Source(Source::Home(place)))
        };
        if let Some(i) = pending.iter().position(|&(to, _)| !read(to, &pending)) {
            let (to, from) = pending.swap_remove(i);
            steps.push(Step::Move { to, from });
            continue;
        }
        // All that remain are in cycles, so each place that is read is one that is written.
        let aside = pending[0].0;
        steps.push(Step::SetAside(aside));
        for (_, from) in &mut pending {
            if *from == From::Source(Source::Home(aside)) {
                *from = From::Aside;
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = Home> {
        prop_oneof![(0..4u8).prop_map(Home::General), (0..2u8).prop_map(Home::Vector), (0..3u32).prop_map(Home::Spill)]
    }

    proptest! {
        #[test]
        fn each_place_holds_what_its_source_held(wanted in prop::collection::hash_map(place(), place(), 0..9)) {
            let mut held: HashMap<Home, Home> = HashMap::new();
            let mut aside = None;
            let holds = |held: &HashMap<Home, Home>, at: Home| held.get(&at).copied().unwrap_or(at);
            for step in order(wanted.iter().map(|(&to, &from)| (to, Source::Home(from)))) {
                match step {
                    Step::SetAside(at) => aside = Some(holds(&held, at)),
                    Step::Move { to, from: From::Aside } => {
                        held.insert(to, aside.expect("set aside before"));
                    }
                    Step::Move { to, from: From::Source(Source::Home(from)) } => {
                        let value = holds(&held, from);
                        held.insert(to, value);
                    }
                    Step::Move { .. } => unreachable!(),
                }
            }
            for (to, from) in wanted {
                prop_assert_eq!(holds(&held, to), from);
            }
        }
    }
}
