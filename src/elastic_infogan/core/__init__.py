"""The method: prior, networks, model, losses and which parameters each of them updates."""
