"""From verdicts to pages."""
