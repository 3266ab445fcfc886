"""Float64 oracles, one function per operation, written from the mathematics."""
