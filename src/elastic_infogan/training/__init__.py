"""Settings, recipes, the loop and the run folder."""
