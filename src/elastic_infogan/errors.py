"""The exceptions a user meets; each message is one line that names the culprit and what to do."""

__all__ = ["ConfigError", "DataError", "ElasticInfoGANError", "RunError", "TrainingError"]


class ElasticInfoGANError(Exception):
    """Anything the user can put right. The command line prints it and exits with status 2."""


class ConfigError(ElasticInfoGANError):
    """A flag, a configuration key or a combination of them is wrong."""


class DataError(ElasticInfoGANError):
    """The images or labels cannot be used as they are."""


class RunError(ElasticInfoGANError):
    """A run folder cannot be created, read, resumed or written."""


class TrainingError(ElasticInfoGANError):
    """Training cannot go on; the last good checkpoint is kept."""
