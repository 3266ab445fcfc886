"""Two runs, or a baseline and a run: what a framework's upgrade broke, fixed, drifted."""
