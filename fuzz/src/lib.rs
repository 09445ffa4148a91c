//! Program generator and differential oracles.
