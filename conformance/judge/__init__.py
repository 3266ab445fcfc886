"""From outcomes and the oracle to verdicts."""
