"""Mixture of experts: how its models are trained, and what their table should show.

Two layers, so narrow that what the feed-forward part can learn by heart matters. Everything but that part is equal. A model with
experts reads a token with one expert (or two, or one and a shared one); "dense" has a feed-forward part as large as what a token
visits of one expert, router included, and "dense-total" one as large as all sixteen together. Gate and balancing differ in
variants of their own, so that no comparison mixes them. Rates and strengths were chosen on seeds that are not in the table.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Group, Mechanism, Spelling
from core.train.rules import Claim, Rule, at_least, at_most, every, lower, ordered
from core.train.tasks import domains, experts
from core.train.training import Recipe

WIDTH, HIDDEN, LAYERS = 24, 32, 2
MIXER = Attention(4, 2, 8, 8, Rope(8))
STEPS, RATE = 1200, 2e-2
BALANCES = ("none", "loss", "bias")
BALANCED = {"none": "unbalanced", "loss": "aux loss", "bias": "bias"}  # as they are written
FEATURES = ("token", "domain", "position")
COLUMNS = tuple(f"{name}:{layer}" for layer in range(1, LAYERS + 1) for name in ("busiest", "dead", *FEATURES))


@dataclass(frozen=True)
class Setting:
    """One mixture of experts."""

    experts: int = 16
    balance: str = "loss"
    top_k: int = 1
    shared: bool = False
    gate: str = "softmax"

    @property
    def variant(self) -> str:
        """Its name: moe-16-1-loss, moe-16-1-shared-sigmoid-bias."""
        extra = ("shared",) * self.shared + ("sigmoid",) * (self.gate == "sigmoid")
        return "-".join(map(str, ("moe", self.experts, self.top_k, *extra, self.balance)))

    @property
    def label(self) -> str:
        """As it is written: 16 experts + 1 shared sigmoid, bias."""
        more = [f"top-{self.top_k}"] * (self.top_k > 1) + ["+ 1 shared"] * self.shared + ["sigmoid"] * (self.gate == "sigmoid")
        return " ".join([f"{self.experts} experts", *more]) + f", {BALANCED[self.balance]}"

    @property
    def ffn(self) -> MoE:
        """Its feed-forward part. The gate of a single expert is not normalised: it would be 1 and teach the router nothing."""
        return MoE(
            self.experts, self.top_k, HIDDEN, shared=HIDDEN * self.shared, scores=self.gate, normalise=self.top_k > 1,
            bias=self.balance == "bias",
        )  # fmt: skip

    @property
    def strength(self) -> dict[str, float]:
        """How hard it is balanced: the weight of the loss, or the step of the bias. A sigmoid gate feels either less, because
        there its affinities do not push each other down."""
        alpha, gamma = {"softmax": (0.06, 0.001), "sigmoid": (0.3, 0.003)}[self.gate]
        return {"none": {}, "loss": {"alpha": alpha}, "bias": {"gamma": gamma}}[self.balance]


DEFAULT = Setting()
TRAINED = (
    *(Setting(gate=gate, balance=balance) for gate in ("softmax", "sigmoid") for balance in BALANCES),
    Setting(8),
    Setting(8, top_k=2),  # as Mixtral; its weights are a softmax over the picked alone, as gpt-oss has them
    Setting(16, "bias", shared=True, gate="sigmoid"),  # as DeepSeek-V3 and Kimi K2
)


def same_size(params: int) -> Dense:
    """The smallest dense feed-forward part with at least so many numbers."""
    return Dense(-(-params // (3 * WIDTH)))


def recipe(variant: str, ffn: Dense | MoE, **settings) -> Recipe:
    """Two layers with this feed-forward part, trained on the text of eight domains."""
    spec = ModelSpec(variant, WIDTH, len(domains.WORDS), (Layer(MIXER, ffn, input_conv=3),) * LAYERS)
    batch = {"count": 32, "length": domains.MAX_TOKENS}
    return Recipe(
        variant,
        spec,
        experts.TASK,
        STEPS,
        RATE,
        batch | settings,
        embed_std=0.25,
        evaluate_every=STEPS // 6,
        ships=bool(settings),
    )


RECIPES = (
    *(recipe(s.variant, s.ffn, balance=s.balance, **s.strength) for s in TRAINED),
    recipe("dense", same_size(DEFAULT.ffn.active(WIDTH))),
    recipe("dense-total", same_size(DEFAULT.ffn.params(WIDTH))),
)


def name(**settings) -> str:
    """The variant of the default setting with these changes."""
    return replace(DEFAULT, **settings).variant


def busiest(sentence: str, bounded: Callable[..., Rule], bound: float, balance: str) -> tuple[Claim, ...]:
    """A bound on the load of the busiest of sixteen experts in every layer, one claim a gate."""
    gates = {
        gate: [bounded(f"busiest:{n}", bound, name(balance=balance, gate=gate)) for n in range(1, LAYERS + 1)]
        for gate in ("softmax", "sigmoid")
    }
    return tuple(
        Claim(f"{gate.capitalize()} gate, 16 experts, one a token: {sentence}", Rule(rules[0].name, every(*rules).check))
        for gate, rules in gates.items()
    )


CLAIMS = (
    Claim(
        "More parameters at the same cost are better: 16 experts beat a dense model of equal active size by .20 nats or more",
        lower(0.20, (name(), "loss"), ("dense", "loss")),
    ),
    Claim("Sixteen experts beat a dense model of equal active size, by however little", ordered("loss", name(), "dense")),
    Claim(
        "A dense model with all parameters active stays ahead of the mixture: resting parameters are not free quality",
        ordered("loss", "dense-total", name()),
    ),
    Claim("More experts are better at equal active size: 16 beat 8", ordered("loss", name(), name(experts=8))),
    *busiest("with the auxiliary loss none gets more than 1.5 times its fair share", at_most, 1.5, "loss"),
    *busiest("with the bias none gets more than 1.5 times its fair share", at_most, 1.5, "bias"),
    *busiest("without balancing the busiest gets at least twice its fair share", at_least, 2.0, "none"),
    *(
        Claim(
            f"{gate.capitalize()} gate: without balancing some experts die (less than a hundredth of their fair share)",
            at_least("dead", 1, name(balance="none", gate=gate)),
        )
        for gate in ("softmax", "sigmoid")
    ),
    Claim(
        "Balancing by the bias costs less quality than by the loss (same gate)",
        ordered("loss", name(balance="bias"), name(balance="loss")),
    ),
    *(
        Claim(
            f"Experts are not topics: in layer {n} the word itself says more about the expert than its domain does",
            lower(0.0, (name(), f"domain:{n}"), (name(), f"token:{n}")),
        )
        for n in range(1, LAYERS + 1)
    ),
)

GROUPS = (
    Group("Dense, equal active and equal total", ("dense", "dense-total")),
    Group("Experts", (name(experts=8), name())),
    Group("Balancing, softmax gate", (name(balance="none"), name(), name(balance="bias"))),
    Group("Balancing, sigmoid gate", tuple(name(gate="sigmoid", balance=b) for b in BALANCES)),
    Group("One and two experts a token", (name(experts=8), name(experts=8, top_k=2))),
    Group("A shared expert, sigmoid gate", tuple(name(shared=s, gate="sigmoid", balance="bias") for s in (False, True))),
)

NAMES = {s.variant: s.label for s in TRAINED} | {"dense": "dense, equal active", "dense-total": "dense, equal total"}


def measure(metric: str) -> str:
    """A metric as it is written."""
    what, _, layer = metric.partition(":")
    words = {"loss": "loss", "busiest": "busiest expert, times the mean", "dead": "dead experts"}
    words |= {feature: f"decided by {feature}" for feature in FEATURES}
    return words[what] + (f", layer {layer}" if layer else "")


MECHANISM = Mechanism(
    "moe",
    RECIPES,
    CLAIMS,
    papers=("1701.06538", "2101.03961", "2401.04088", "2401.06066", "2408.15664", "2412.19437", "2507.20534", "2508.10925"),
    spelling=Spelling(NAMES, measure),
    groups=GROUPS,
)
