"""Two versions of a framework against each other: their environments, runs and differences."""
