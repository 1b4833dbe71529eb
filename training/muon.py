"""Muon: momentum with orthogonalised updates, for filters that are matrices at heart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic step (Jordan et al. 2024)


def orthogonalised(matrix: Tensor, steps: int = 5) -> Tensor:
    """Bring all singular values of a matrix [n,m] near 1, by Newton-Schulz steps.

    X <- a X + b (X X') X + c (X X')^2 X. Each step multiplies X from the left by a polynomial P of
    its Gram matrix G, and then G becomes P G P: the steps need only products of [n,n], and the long
    matrix is touched twice, whatever their number. So the shorter side should be n.
    """
    a, b, c = COEFFICIENTS
    matrix = matrix / (matrix.norm() + 1e-7)
    gram = matrix @ matrix.T
    one = torch.eye(len(gram), device=gram.device)
    whole = one
    for _ in range(steps):
        factor = a * one + b * gram + c * (gram @ gram)
        whole = factor @ whole
        gram = factor @ gram @ factor
    return whole @ matrix


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal filter bank by filter bank (Jordan et al. 2024).

    Filters [N,C,h,w] are taken as matrices [N, C h w] with N the shorter side. Updates are scaled
    to the size of Adam's (Liu et al. 2025, arXiv:2502.16982), so that one learning rate and one
    weight decay do for both.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step. There is no closure to call again."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(state["momentum"], group["momentum"]).flatten(1)  # Nesterov
        scale = 0.2 * max(ahead.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonalised(ahead).view_as(parameter), alpha=-scale * group["lr"])
