//! What every tier stands on: memory regions, fibers, system calls.
