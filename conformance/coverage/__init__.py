"""What the published mapping tables claim, and how much of it the corpus has put to the test."""
