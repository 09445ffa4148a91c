//! Microbenchmarks and the comparison with peers.
