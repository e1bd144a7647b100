"""The names that a person gave to the classes of a run, and the classes that they take for one."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.training.run import NAMES, Run

__all__ = ["LONGEST", "ClassNames", "suggested_merges"]

LONGEST = 60
"""characters of a name, so that it fits a column and a file name"""

NUMBER = re.compile(r"(class)?[\s_-]*\d+", re.IGNORECASE)
"""what stands for a class that has no name: 3, Class 3, class-03"""

_JOINERS = {0x200C: None, 0x200D: None}
"""without form of their own, but part of how Persian, Hindi and many emoji are written"""

Float = TypeVar("Float", bound=np.floating[Any])


@dataclass(frozen=True)
class ClassNames:
    """Names and merges; merged classes share the lowest number among them and the first of their names.

    Arguments:
        n_classes: K.
        names: by class number; a class without a name is absent. Classes of a merge keep their own.
        merged: groups of two or more classes, sorted, none of them in two groups.

    >>> classes = ClassNames(4).named(2, "cat").merge([3, 2])
    >>> classes.lead(3), classes.name(3), classes.members(2), classes.groups()
    (2, 'cat', (2, 3), [(0,), (1,), (2, 3)])
    >>> classes.merge_probabilities(np.array([[0.1, 0.2, 0.3, 0.4]]))
    array([[0.1, 0.2, 0.7, 0. ]])
    """

    n_classes: int
    names: Mapping[int, str] = field(default_factory=dict)
    merged: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, run: Run, n_classes: int) -> ClassNames:
        """What `names.json` of a run says; nothing named and nothing merged where there is none.

        Raises:
            RunError: the file is damaged or speaks of classes that the run does not have.
        """
        file = run.path / NAMES
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(n_classes)
        except (OSError, ValueError) as error:
            raise RunError(f"{file} cannot be read: {error}; mend it or take it away") from error
        return cls(n_classes)._filled(content, str(file))

    def save(self, run: Run) -> None:
        """Write `names.json` into the run folder, whole or not at all."""
        names = {str(code): self.names[code] for code in sorted(self.names)}
        run.write_json(NAMES, {"names": names, "merged": [list(group) for group in self.merged]})

    def _filled(self, content: Any, where: str) -> ClassNames:
        try:
            result = self
            for code, name in content["names"].items():
                result = result.named(int(code), name)
            for group in content["merged"]:
                result = result.merge([operator.index(code) for code in group])
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
            raise RunError(f"{where} does not fit this run: {error}; mend it or take it away") from error
        return result

    def __bool__(self) -> bool:
        return bool(self.names or self.merged)

    def members(self, code: int) -> tuple[int, ...]:
        """The classes that count as one with `code`, itself among them."""
        return next((group for group in self.merged if code in group), (code,))

    def lead(self, code: int) -> int:
        """The number that stands for a class and those merged with it: the lowest."""
        return self.members(code)[0]

    def groups(self) -> list[tuple[int, ...]]:
        """All classes, merged ones together, by their lowest numbers."""
        return [self.members(code) for code in range(self.n_classes) if self.lead(code) == code]

    def name(self, code: int) -> str:
        """The name of a class, or of those merged with it; empty where none has one."""
        return next((self.names[own] for own in self.members(code) if own in self.names), "")

    def title(self, code: int) -> str:
        """The name of a class, or its number where it has none."""
        return self.name(code) or f"Class {self.lead(code)}"

    def codes_named(self, name: str) -> list[int]:
        """The classes that have a name, in order."""
        return [code for code in range(self.n_classes) if self.name(code) == name]

    def named(self, code: int, name: str) -> ClassNames:
        """The same with another name for a class and those merged with it; an empty one takes it away.

        Raises:
            ConfigError: there is no such class, or the name has letters that do not print, is too long or
                looks like the number of a class.
        """
        self._check([code])
        name = name.replace("\u00a0", " ").strip()
        seen = name.translate(_JOINERS).strip()
        if not seen.isprintable() or "," in name or (name and not seen):
            raise ConfigError("a name is one line of letters that can be seen, without commas")
        if NUMBER.fullmatch(name):
            raise ConfigError(f"{name!r} would be taken for the number of a class; choose another name")
        if len(name) > LONGEST:
            raise ConfigError(f"a name of {len(name)} letters is too long; {LONGEST} are enough")
        others = {c: n for c, n in self.names.items() if c not in self.members(code)}
        own = dict.fromkeys(self.members(code), name) if name else {}
        return replace(self, names=others | own)

    def merge(self, codes: Sequence[int]) -> ClassNames:
        """The same with these classes, and those already merged with them, counted as one.

        Raises:
            ConfigError: these are not two or more classes of the run.
        """
        if len(set(codes)) < 2:
            raise ConfigError("two or more classes are needed for a merge")
        self._check(codes)
        group = tuple(sorted({member for code in codes for member in self.members(code)}))
        rest = [old for old in self.merged if old[0] not in group]
        return replace(self, merged=tuple(sorted([*rest, group])))

    def separate(self, code: int) -> ClassNames:
        """The same with the classes of a merge on their own again.

        Each has the name of before the merge, or the one that they were given since.
        """
        self._check([code])
        return replace(self, merged=tuple(group for group in self.merged if code not in group))

    def merge_probabilities(self, probabilities: NDArray[Float]) -> NDArray[Float]:
        """Probabilities `(N, K)` with those of merged classes added up under the lowest number."""
        if not self.merged:
            return probabilities
        leads = [self.lead(code) for code in range(self.n_classes)]
        return probabilities @ np.eye(self.n_classes, dtype=probabilities.dtype)[leads]

    def _check(self, codes: Sequence[int]) -> None:
        for code in codes:
            if not 0 <= code < self.n_classes:
                raise ConfigError(f"this run has no class {code!r}; it has 0 to {self.n_classes - 1}")


def suggested_merges(run: Run, n_classes: int) -> list[tuple[int, ...]]:
    """Classes that the last diagnosis of a run found alike, two at a time; none without a diagnosis."""
    findings = (run.diagnosis() or {"findings": []})["findings"]
    pairs = [tuple(finding["classes"]) for finding in findings if finding["kind"] == "alike"]
    return [pair for pair in pairs if all(code in range(n_classes) for code in pair)]
