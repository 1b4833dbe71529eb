"""How signals are sent back, by name: what people choose, without the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

RuleName = Literal["deconvnet", "guided", "gradient", "linear"]
SeedName = Literal["activation", "one"]
UnpoolName = Literal["sum", "overwrite"]
LrnName = Literal["identity", "vjp"]
PrecisionName = Literal["exact", "fast"]


@dataclass(frozen=True, slots=True)
class Method:
    """How signals are sent back.

    rule: what a rectifier does to the signal. "deconvnet" rectifies the signal itself (Zeiler &
        Fergus 2013, section 2.1), "gradient" masks it where the forward value was not positive
        (Simonyan 2013), "guided" does both (Springenberg 2014), "linear" does neither.
    seed: the signal starts as the neuron's "activation" (the paper) or as "one" (a gradient).
    unpool: values that several pooling windows took from one place are added, the true transpose
        ("sum"), or the last window in reading order wins ("overwrite").
    lrn: local response normalisation passes the signal unchanged ("identity": the paper states no
        inverse; Mahendran & Vedaldi 2016 read it so) or goes through its derivative ("vjp").
    precision: filters are multiplied as the signals are, in float32 or finer ("exact"), or in
        bfloat16, which GPUs do many times as fast: two to three digits of each value ("fast").
        The forward pass, its switches and rectifiers are exact in both, and so is all but filters.
    """

    rule: RuleName = "deconvnet"
    seed: SeedName = "activation"
    unpool: UnpoolName = "sum"
    lrn: LrnName = "identity"
    precision: PrecisionName = "exact"

    def __post_init__(self) -> None:
        choices = {
            "rule": ("deconvnet", "guided", "gradient", "linear"),
            "seed": ("activation", "one"),
            "unpool": ("sum", "overwrite"),
            "lrn": ("identity", "vjp"),
            "precision": ("exact", "fast"),
        }
        for name, allowed in choices.items():
            given = getattr(self, name)
            if given not in allowed:
                raise ValueError(f"{name}={given!r}: expected one of {', '.join(allowed)}.")

    @staticmethod
    def of(
        rule: RuleName | Method,
        seed: SeedName,
        unpool: UnpoolName,
        lrn: LrnName,
        precision: PrecisionName = "exact",
    ) -> Method:
        """The method that people name: its five parts, or one Method in place of the rule.

        Raises ValueError for a Method with other parts beside it.
        """
        if not isinstance(rule, Method):
            return Method(rule, seed, unpool, lrn, precision)
        if Method(rule.rule, seed, unpool, lrn, precision) not in (rule, Method(rule.rule)):
            raise ValueError(
                f"{rule} was given and seed={seed!r}, unpool={unpool!r}, lrn={lrn!r}, "
                f"precision={precision!r} beside it; expected one or the other: "
                "dataclasses.replace makes a Method of another."
            )
        return rule

    def numbers(self, dtype: torch.dtype) -> str:
        """What signals of this type are calculated in, for people."""
        name = str(dtype).removeprefix("torch.")
        return name if self.precision == "exact" else f"{name}, filters in bfloat16"
