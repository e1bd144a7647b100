"""What `push` does, and how a model comes back: the Hugging Face hub, or a folder laid out as there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elastic_infogan.apps import terminal
from elastic_infogan.apps.extras import need
from elastic_infogan.apps.output import empty_folder
from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.files import expanded, writing
from elastic_infogan.training.run import Run

__all__ = ["folder_of", "is_folder", "push"]

_WANTED = ("*.json", "*.jsonl", "*.toml", "*.safetensors", "samples/*.png", "README.md")
"""what a model consists of; whatever else its owner put beside it stays there"""


def is_folder(name: str) -> bool:
    """Whether a name is that of a folder here, not `OWNER/MODEL` on the hub: it says so by how it begins.

    >>> is_folder("./mine"), is_folder("/tmp/mine"), is_folder("me/mine")
    (True, True, False)
    """
    return name.startswith((".", "~")) or Path(name).is_absolute()


def push(path: Path, name: str, private: bool) -> None:
    """Give a run away, with a card that says what it is: to a new folder, or to the hub.

    Raises:
        ElasticInfoGANError: the extra hub is missing, there is no model in the run, the hub cannot be reached
            or refuses, or the folder is not empty or cannot be written.
    """
    need("push", "hub", "huggingface_hub")
    from elastic_infogan.apps.published import Published

    published = Published(Run.open(path))
    if is_folder(name):
        if private:
            raise ConfigError(f"--private is of the hub, and {name} is a folder: leave it out")
        folder = empty_folder(expanded(name), "NAME")
        with writing(folder, RunError):
            published.save_pretrained(folder, model_card_kwargs={"name": f"./{folder.resolve().name}"})
        terminal.say(f"{folder}: a model and its README.md; ElasticInfoGAN.from_pretrained reads it back")
        return
    with _on_the_hub(name):
        url = published.push_to_hub(
            name, private=private or None, commit_message="Add the model", model_card_kwargs={"name": name}
        )
    terminal.say(str(url))


def folder_of(name: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The folder of a pushed model: `name` itself where that is one, else fetched from the hub or its cache.

    Without a network what was fetched before is used; the mixin's own way would try for half a minute first.

    Raises:
        ElasticInfoGANError: the extra hub is missing, or there is no such model, or it cannot be reached.
    """
    folder = expanded(os.fspath(name))
    if folder.is_dir() or is_folder(os.fspath(name)):
        return folder
    need(f"fetching {name}", "hub", "huggingface_hub")
    from huggingface_hub import snapshot_download

    with _on_the_hub(os.fspath(name)):
        return Path(snapshot_download(os.fspath(name), revision=revision, allow_patterns=list(_WANTED)))


@contextmanager
def _on_the_hub(name: str) -> Iterator[None]:
    """What goes wrong out there, in one line each."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    try:
        yield
    except HFValidationError as error:
        raise ConfigError(
            f"{name} is no name of a model on the hub, which is OWNER/MODEL; a folder begins with ./ or /"
        ) from error
    except RepositoryNotFoundError as error:
        raise RunError(f"there is no {name} on the hub, or it is private: hf auth login") from error
    except HfHubHTTPError as error:
        raise RunError(
            f"the hub refuses {name}: {_first_line(error)}; hf auth login says who you are"
        ) from error
    except Exception as error:
        if not isinstance(error, (OSError, *HfHubHTTPError.__bases__)):  # the client's own, whichever it is
            raise
        raise RunError(
            f"the hub cannot be reached for {name} ({_first_line(error)}): check the network, "
            f"or name a folder as ./{name}"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
