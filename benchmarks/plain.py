"""Recipe `paper`'s step as one would first write it in PyTorch: the yardstick of `throughput.py`.

"Plain" means, precisely:

- the networks, losses, weights of losses and optimiser settings of recipe `paper` (28x28 grey images), one
  class per published network, and the same random draws in the same order, so that a seed gives this
  step and the package's the same inputs (`tests/training/test_plain_step.py` compares their losses);
- eager fp32 in PyTorch's default memory order (NCHW), no autocast, no compilation;
- two Adam optimisers as published, one for D with the trunk and one for G, Q's head and the prior, each
  neither fused nor grouped (`fused=False, foreach=False`): one parameter after another;
- the published order of passes: G once; D on real and on detached generated images, backward, D's step;
  then D and Q on the generated images and Q on the original images with their views, one backward, and
  the other step;
- `requires_grad` is never touched. Backward thus also reaches the trunk from the terms of G and Q, whose
  gradients no optimiser uses; `zero_grad` clears them before D's next step, just as the published code does.

It is a fair reading rather than a straw man: it does nothing twice that the published algorithm does once,
keeps its images as uint8 in memory without a loader, writes NT-Xent as one matrix product, uses the
package's own batched views, and never waits to read a loss. What it lacks is what the package adds:
gradients only for those who learn from them, channels_last, the fused optimiser and, where the machine
has it, bf16. The package's step also does what plain training would not: meters and G's average.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Networks", "PlainStep", "nt_xent"]


class Networks(nn.Module):
    """The published MNIST networks and the prior's logits, in the order of the package's state.

    Arguments:
        n_classes: K.
        noise: dimensions of z.
    """

    def __init__(self, n_classes: int = 10, noise: int = 62) -> None:
        super().__init__()
        self.prior = nn.Parameter(torch.zeros(n_classes))
        self.generator = nn.Sequential(
            *(nn.Linear(noise + n_classes, 1024), nn.BatchNorm1d(1024), nn.ReLU()),
            *(nn.Linear(1024, 128 * 7 * 7), nn.BatchNorm1d(128 * 7 * 7), nn.ReLU()),
            nn.Unflatten(1, (128, 7, 7)),
            *(nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU()),
            *(nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh()),
        )
        self.trunk = nn.Sequential(
            *(nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(64, 128, 4, 2, 1), nn.BatchNorm2d(128), nn.LeakyReLU(0.2)),
            nn.Flatten(),
            *(nn.Linear(128 * 7 * 7, 1024), nn.BatchNorm1d(1024), nn.LeakyReLU(0.2)),
        )
        self.d_head = nn.Linear(1024, 1)
        self.q_hidden = nn.Sequential(nn.Linear(1024, 128), nn.BatchNorm1d(128), nn.LeakyReLU(0.2))
        self.q_classes = nn.Linear(128, n_classes)

    def copy_from(self, model: nn.Module) -> None:
        """Take over the weights of the package's model for recipe `paper`, tensor by tensor."""
        theirs = [_channels_first(tensor) for tensor in model.state_dict().values()]
        self.load_state_dict(dict(zip(self.state_dict(), theirs, strict=True)))


def _channels_first(tensor: Tensor) -> Tensor:
    """The package flattens `(7, 7, 128)` feature maps where torch's own layer flattens `(128, 7, 7)`."""
    for dim in (d for d, length in enumerate(tensor.shape) if length == 7 * 7 * 128):
        tensor = tensor.unflatten(dim, (49, 128)).transpose(dim, dim + 1).flatten(dim, dim + 1)
    return tensor


def nt_xent(features: Tensor) -> Tensor:
    """NT-Xent at tau' = 1, mean over features `(2N, F)` whose i-th partner is i + N."""
    unit = F.normalize(features)
    similarity = unit @ unit.t()
    similarity = similarity.masked_fill(torch.eye(len(unit), dtype=torch.bool), float("-inf"))
    return F.cross_entropy(similarity, torch.arange(len(unit)).roll(len(unit) // 2))


class PlainStep:
    """Networks, optimisers and images; calling it trains one batch and gives the losses by name.

    Arguments:
        networks: trained in place.
        images: uint8 `(N, 28, 28, 1)`.
        views: uint8 `(n, 1, 28, 28)` to float32 views in [-1, 1].
        batch: images in a step.
    """

    def __init__(
        self,
        networks: Networks,
        images: NDArray[np.uint8],
        views: Callable[[Tensor], Tensor],
        batch: int = 64,
    ) -> None:
        self.networks, self.views, self.batch = networks, views, batch
        self.images = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).contiguous()
        net = networks
        self.d_optimiser = _adam(net.trunk, net.d_head)
        self.g_optimiser = _adam(net.generator, net.q_hidden, net.q_classes, prior=net.prior)

    def __call__(self) -> dict[str, Tensor]:
        """Train one random batch."""
        pixels = self.images[torch.randint(len(self.images), (self.batch,))]
        real = pixels.float() / 127.5 - 1
        fake, code = self._generate()
        return self._train_d(real, fake.detach()) | self._train_g(real, pixels, fake, code)

    def _generate(self) -> tuple[Tensor, Tensor]:
        net = self.networks
        noise = torch.randn(self.batch, 62)
        gumbel = -torch.empty(self.batch, len(net.prior)).exponential_().log()
        code = F.softmax((F.log_softmax(net.prior, 0) + gumbel) / 0.1, dim=1)
        return net.generator(torch.cat([noise, code], 1)), code

    def _train_d(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        net = self.networks
        self.d_optimiser.zero_grad()
        on_real, on_fake = net.d_head(net.trunk(real)), net.d_head(net.trunk(fake))
        loss = F.binary_cross_entropy_with_logits(on_real, torch.ones_like(on_real))
        loss = loss + F.binary_cross_entropy_with_logits(on_fake, torch.zeros_like(on_fake))
        loss.backward()
        self.d_optimiser.step()
        return {"adversarial_d": loss.detach()}

    def _train_g(self, real: Tensor, pixels: Tensor, fake: Tensor, code: Tensor) -> dict[str, Tensor]:
        net = self.networks
        self.g_optimiser.zero_grad()
        hidden = net.trunk(fake)
        on_fake = net.d_head(hidden)
        adversarial = F.binary_cross_entropy_with_logits(on_fake, torch.ones_like(on_fake))
        information = F.cross_entropy(net.q_classes(net.q_hidden(hidden)), code.argmax(1))
        contrast = nt_xent(net.q_hidden(net.trunk(torch.cat([real, self.views(pixels)]))))
        (adversarial + information + 10 * contrast).backward()
        self.g_optimiser.step()
        terms = {"adversarial_g": adversarial, "information": information, "contrast": contrast}
        return {name: term.detach() for name, term in terms.items()}


def _adam(*modules: nn.Module, prior: nn.Parameter | None = None) -> torch.optim.Adam:
    parameters = [p for module in modules for p in module.parameters()]
    parameters += [] if prior is None else [prior]
    return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999), fused=False, foreach=False)
