//! Regions of hot loops: the walker, the region IR, and what is proven on it.
