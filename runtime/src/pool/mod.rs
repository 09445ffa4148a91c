mod park;
mod sleep;
mod sync;
