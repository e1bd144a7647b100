"""Every setting, declared once: frozen dataclasses whose fields carry their unit and reason."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from elastic_infogan.errors import ConfigError

__all__ = [
    "Adversary",
    "Config",
    "Contrast",
    "Information",
    "Latent",
    "Networks",
    "Optimiser",
    "Precision",
    "Prior",
    "Schedule",
    "SelfLabelling",
    "Variational",
    "Views",
    "flatten",
    "from_toml",
    "overlay",
    "to_toml",
]


Precision = Literal["auto", "32-true", "bf16-mixed"]


@dataclass(frozen=True)
class Latent:
    """What goes into the generator besides the class code."""

    noise: int = 62
    """dimensions of z ~ N(0, I); JointVAE has none beside its codes"""
    continuous: int = 0
    """continuous codes: uniform on [-1, 1], each with its own mutual information term; JointVAE's z"""


@dataclass(frozen=True)
class Networks:
    """Shape of the three networks; the image size decides their depth."""

    q: Literal["trunk", "encoder"] = "encoder"
    """what Q reads: the discriminator's trunk, or an encoder of its own that D never shapes"""
    q_trains_trunk: bool = False
    """with q = trunk: let MI and NT-Xent train the trunk too (the paper's formula; its code did not)"""
    generator_width: int | None = None
    """channels of the generator's last hidden layer, doubled at each halving; by the size when left out"""
    generator_hidden: int = 0
    """units of a hidden layer between latent and first feature map; 0 leaves it out"""
    discriminator_width: int | None = None
    """channels of the discriminator's first layer, doubled at each halving; by the size when left out"""
    discriminator_hidden: int = 0
    """units of the hidden layer after D's convolutions; 0 leaves it out"""
    encoder_width: int | None = None
    """channels of Q's own encoder's first layer, doubled at each halving; by the size when left out"""
    features: int = 128
    """units of Q's penultimate layer, on which NT-Xent acts"""


@dataclass(frozen=True)
class Prior:
    """The class prior p and its Gumbel-Softmax samples."""

    learned: bool = True
    """train p; otherwise it stays where it starts"""
    start: Literal["uniform", "shares"] = "uniform"
    """where p starts: every class alike, or the true shares (the paper's oracle)"""
    shares: tuple[float, ...] | None = None
    """with start = shares: the K shares; left out, they are counted among the labels, which go no further"""
    samples: Literal["soft", "straight-through", "hard"] = "straight-through"
    """what the generator is given: a relaxed code, one-hot with a relaxed gradient, or one-hot"""
    temperature: float = 0.5
    """Gumbel-Softmax temperature tau at the start"""
    temperature_end: float = 0.5
    """tau at the end of the budget; geometric in between, constant when equal"""
    learning_rate: float = 2e-4
    """Adam step on the logits: with the reference's 2e-4 one nat takes 5,000 steps"""
    posterior_rate: float = 0.02
    """pull of p towards the shares of Q's labels in each real batch, per step; fades as learning rates do"""
    floor: float = 0.0
    """smallest class probability kept, as a fraction of uniform; keeps rare codes alive"""


@dataclass(frozen=True)
class Contrast:
    """NT-Xent on Q's penultimate features: lambda_2 and its kind."""

    weight: float = 1.0
    """lambda_2"""
    temperature: float = 0.5
    """tau prime"""
    negatives: bool = True
    """False keeps only the attraction of positive pairs (the paper's ablation)"""
    pairs: Literal["original-view", "two-views"] = "two-views"
    """contrast the untouched image with a view, or two views with each other"""


@dataclass(frozen=True)
class Information:
    """The mutual information bound between codes and generated images."""

    weight: float = 1.0
    """lambda_1 for the class code"""
    continuous_weight: float = 0.1
    """lambda_1 for the continuous codes"""
    trains_q: bool = True
    """let generated images train Q; otherwise the bound trains G and the prior alone"""
    target: Literal["argmax", "sample"] = "argmax"
    """what Q must recover: the argmax of the code, or the relaxed code itself, which lets p learn too"""


@dataclass(frozen=True)
class Optimiser:
    """Adam for each group of parameters."""

    discriminator_learning_rate: float = 4e-4
    """step for D and its trunk"""
    generator_learning_rate: float = 4e-3
    """step for G"""
    encode_learning_rate: float = 2e-3
    """step for Q's encoder while it learns alone"""
    refine_learning_rate: float = 1e-3
    """step for Q while it learns from the classes that were found"""
    q_learning_rate: float = 1e-4
    """step for Q during the game: its head and, where it has one, its encoder"""
    beta1: float = 0.5
    """decay of the first moment for D and G"""
    q_beta1: float = 0.9
    """decay of the first moment for Q"""
    beta2: float = 0.999
    """decay of the second moment"""
    decay: float = 0.4
    """last fraction of each stage over which learning rates fall linearly to zero"""
    fused: bool = True
    """use the fused kernel where the device has one"""


@dataclass(frozen=True)
class Adversary:
    """The game between G and D."""

    conditional: bool = True
    """D also judges whether image and code belong together; real codes come from Q"""
    ema: float = 0.995
    """decay per step of the averaged generator that is saved; 0 saves the last one"""
    augment: bool | None = None
    """shift, cover and recolour what D sees once D overfits; left out: where there are under 10,000 images"""


@dataclass(frozen=True)
class SelfLabelling:
    """Q taught on views by the classes of the untouched images: those found after encode, later its own."""

    weight: float = 1.0
    """weight of the cross-entropy; 0 leaves it out"""


@dataclass(frozen=True)
class Variational:
    """JointVAE's loss: the divergence of each kind of code is held at a capacity that grows."""

    weight: float = 30.0
    """gamma, the weight of |KL - C| against the cross-entropy summed over an image's values"""
    capacity_class: float = 5.0
    """nats that the class code may carry in the end; never more than the prior's entropy, log K if uniform"""
    capacity_continuous: float = 5.0
    """nats that all continuous codes together may carry in the end"""
    growth: float = 0.267
    """fraction of the budget over which both capacities grow from 0: 25,000 of the published 93,800 steps"""


@dataclass(frozen=True)
class Schedule:
    """Fractions of the budget given to what happens before the adversarial game."""

    encode: float = 0.2
    """NT-Xent alone trains Q's encoder; 0, with refine 0, starts with the game"""
    balance: float = 0.5
    """fraction of encode after which rare groups of alike images are drawn more often; 1: never"""
    refine: float = 0.15
    """NT-Xent and self-labelling train Q, whose head came from classes found among its features"""
    encode_batch: int | None = None
    """images in a step before the game; 128 when left out, or all where there are fewer"""
    q_interval: int = 8
    """adversarial steps between two in which real images train Q"""


@dataclass(frozen=True)
class Views:
    """Identity-preserving transformations: ranges of uniform draws, from the preset where left out."""

    preset: Literal["auto", "digits", "letters", "objects", "faces", "natural"] = "auto"
    """digits, letters, things on a plain background, faces, photographs; auto asks the pixels"""
    rotate: float | None = None
    """degrees either way"""
    zoom: float | None = None
    """relative size either way"""
    translate: float | None = None
    """fraction of the image either way"""
    shear: float | None = None
    """degrees of slant either way"""
    stretch: float | None = None
    """relative change of the ratio of width to height either way"""
    corners: float | None = None
    """largest shift of a corner by a change of perspective, as a fraction of the side"""
    deform: float | None = None
    """spread of smooth displacements, as a fraction of the image"""
    thickness: float | None = None
    """largest blend with the local maximum or minimum; 0 leaves stroke width alone"""
    opening: float | None = None
    """half of the changes of thickness open or close strokes by up to this part of the side: no serifs"""
    crop: float | None = None
    """largest fraction of the area that a random resized crop cuts away"""
    mirror: bool | None = None
    """exchange left and right at random; never for digits and letters"""
    colour: float | None = None
    """strength of brightness, contrast and saturation changes"""
    hue: float | None = None
    """largest turn of the colour circle either way, in turns"""
    greyscale: float | None = None
    """probability of losing all colour"""


@dataclass(frozen=True)
class Config:
    """A whole training run, resolved; saved as `config.toml` before step 0."""

    source: str = ""
    """what to train on: mnist, fashion-mnist, digits, a folder, a zip, .npy/.npz or IDX"""
    recipe: str = "elastic"
    """the named settings that this run starts from"""
    model: Literal["elastic-infogan", "jointvae"] = "elastic-infogan"
    """what is trained: G, D and Q in their game, or a variational autoencoder"""
    classes: int | str | None = None
    """number of class codes K; auto or a range like 5-30 where it is to be found out (recipe elastic)"""
    seed: int = 0
    """seed of every random draw"""
    minutes: float | None = None
    """budget as training time; packing and start-up do not count"""
    steps: int | None = None
    """budget as optimisation steps: the same seed then gives the same weights, where the device allows"""
    size: int | None = None
    """side of the square images in pixels; chosen from the data when left out"""
    channels: int | None = None
    """1 for grey, 3 for colour; chosen from the data when left out"""
    labels: str | None = None
    """CSV file `image,label`; read by evaluate, --imbalance and the oracle recipes, never by training"""
    imbalance: str | None = None
    """draw an imbalanced subset: random:SEED, longtail:RATIO:SEED, 6300,1585,... or FILE.npy:ROW"""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """where to compute"""
    precision: Precision = "auto"
    """bf16 where the device has it, otherwise fp32"""
    restarts: int = 1
    """encoders trained from other random weights; the one whose clusterings agree most goes on"""
    devices: int = 1
    """processes on this machine, one a device"""
    nodes: int = 1
    """machines"""
    batch: int | None = None
    """images in an adversarial step, over all devices; 64 when left out, or all where there are fewer"""
    interval: float = 15.0
    """seconds between lines of stats.jsonl, and four times that between sample grids and checkpoints"""
    snapshots: int = 0
    """parts of the budget after each of which the model is kept, so that its growth can be scored; 0: none"""
    latent: Latent = field(default_factory=Latent)
    networks: Networks = field(default_factory=Networks)
    prior: Prior = field(default_factory=Prior)
    contrast: Contrast = field(default_factory=Contrast)
    information: Information = field(default_factory=Information)
    optimiser: Optimiser = field(default_factory=Optimiser)
    adversary: Adversary = field(default_factory=Adversary)
    self_labelling: SelfLabelling = field(default_factory=SelfLabelling)
    variational: Variational = field(default_factory=Variational)
    schedule: Schedule = field(default_factory=Schedule)
    views: Views = field(default_factory=Views)


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted name -> value of every field: `{"seed": 0, "prior.learned": True, ...}`."""
    flat: dict[str, Any] = {}
    for spec in fields(config):
        value = getattr(config, spec.name)
        name = f"{prefix}{spec.name}"
        flat.update(flatten(value, f"{name}.") if is_dataclass(value) else {name: value})
    return flat


def overlay(config: Config, changes: Mapping[str, Any], origin: str) -> Config:
    """`config` with the fields of `changes` (dotted names) replaced.

    Another preset of views brings its own ranges: those of `config` go, those in `changes` stay.

    Raises:
        ConfigError: for an unknown name, with the nearest right one, or a value of the wrong type;
            `origin` says where it came from.
    """
    known = flatten(config)
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.4)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ConfigError(f"{origin}: there is no setting '{name}'{hint}")
    if "views.preset" in changes:
        config = replace(config, views=Views())
    changed: Config = _replace_nested(config, changes, origin)
    return changed


def _replace_nested(node: Any, changes: Mapping[str, Any], origin: str, prefix: str = "") -> Any:
    hints = get_type_hints(type(node))
    updates: dict[str, Any] = {}
    for spec in fields(node):
        name, value = f"{prefix}{spec.name}", getattr(node, spec.name)
        if is_dataclass(value):
            updates[spec.name] = _replace_nested(value, changes, origin, f"{name}.")
        elif name in changes:
            updates[spec.name] = _checked(changes[name], hints[spec.name], name, origin)
    return replace(node, **updates)


def _checked(value: Any, hint: Any, name: str, origin: str) -> Any:
    allowed = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in allowed:
        if get_origin(kind) is Literal and value in get_args(kind):
            return value
        if kind is float and type(value) in (int, float):
            return float(value)
        if get_origin(kind) is tuple and isinstance(value, (list, tuple)):
            return tuple(_checked(item, get_args(kind)[0], name, origin) for item in value)
        if kind in (int, bool, str, NoneType) and type(value) is kind:
            return value
    wanted = " or ".join(map(_kind_in_words, allowed))
    raise ConfigError(f"{origin}: '{name}' is {value!r}, but should be {wanted}")


def _kind_in_words(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"a list of {get_args(kind)[0].__name__}"
    return str(get_args(kind) if get_origin(kind) is Literal else kind.__name__)


def from_toml(text: str, origin: str) -> dict[str, Any]:
    """Dotted name -> value of a configuration file; fields that it leaves out are absent.

    Raises:
        ConfigError: if `text` is not TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        raise ConfigError(f"{origin} is not valid TOML: {error}") from error
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": leaf for inner, leaf in value.items()})
        else:
            flat[key] = value
    return flat


def to_toml(config: Config, classes_found: int | None = None) -> str:
    """Every setting as TOML; None, which TOML lacks, is left out. `from_toml` reads it back.

    Arguments:
        classes_found: how many there turned out to be, for a comment beside what was asked for.
    """
    import tomlkit

    document = tomlkit.document()
    for spec in fields(config):
        value = getattr(config, spec.name)
        if is_dataclass(value):
            table = tomlkit.table()
            for inner in fields(value):
                if (leaf := getattr(value, inner.name)) is not None:
                    table.add(inner.name, list(leaf) if isinstance(leaf, tuple) else leaf)
            document.add(spec.name, table)
        elif value is not None:
            document.add(spec.name, value)
    if classes_found is not None and isinstance(config.classes, str):
        document["classes"].comment(f"{classes_found} found")
    return tomlkit.dumps(document)
