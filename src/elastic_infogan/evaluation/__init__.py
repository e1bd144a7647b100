"""How good a run is, by labels where there are any."""
