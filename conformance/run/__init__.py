"""From a plan of calls to outcomes in a run file."""
