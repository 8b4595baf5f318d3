"""RWKV-7: can an RNN train like a transformer?"""

from dataclasses import dataclass

import numpy as np

from app import controls, live, panels, theme
from app.figures import frame, kinds, rwkv, xlstm
from app.figures.maps import encode_probability, encode_signed
from core.lessons import recurrent
from core.lessons import rwkv as lesson
from core.lessons.common import model_name
from core.lessons.recall import live_curve, live_smaller
from core.train import zoo
from core.train.recipes.rwkv import MECHANISM
from core.train.tasks import cups, recall
from core.units import binary, decimal

ANSWER = "Yes: each token fades, erases and writes by rules that do not read the memory, so whole texts are worked out at once."
CORRECTION = (
    "No softmax attention is in it: trained in parallel, run as an RNN. What it can follow in theory is not what it can recall."
)

EXAMPLES = {
    "8 pairs": "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? ann gus",
    "3 pairs": "ann lamp bo kite cy drum ? bo",
    "16 pairs": recall.surprise(16, seed=5, asked=4),
    "24 pairs": recall.surprise(24, seed=3, asked=6),
    "told twice": "ann lamp bo kite cy drum ann coin bo bell ? ann cy",
}
GAMES = {
    "8 moves": "middle left-middle left-right wait middle-right left-right left-middle wait middle-right",
    "24 moves": lesson.game(24, 1),
    "48 moves": lesson.game(48, 2),
    "96 moves": lesson.game(96, 3),
}
PRESETS = {"As trained": {"removal": 1.0}, "Decay alone": {"removal": 0.0}}
HELP_REMOVAL = (
    "How much of every erasure is done, in a copy of the trained model. 1: all of it, as trained. 0: nothing is erased, the "
    "memory only fades and is written to."
)
REMOVAL = controls.Slider("removal", "Removal strength", lesson.STRENGTHS, lesson.AS_TRAINED, "state", HELP_REMOVAL)
LAYER = controls.Choice("layer", "Layer", tuple(range(1, lesson.DEPTH + 1)), 1)
PROMPT = live.names_and_things(EXAMPLES)
GAME = controls.Prompt(
    "game", "Where is the ball", GAMES, lambda rng: lesson.game(rng.randint(8, 36), rng.randrange(1 << 30)), cups.MAX_CHARACTERS
)
FADES = "Every channel, a row of the memory, has its own decay at every token: between none and {most:.0%} of it."
PATH = "core/model/mixers/rwkv.py"
HUES = {"cups-rwkv": "state", "cups-attention": "kv", "cups-lstm": "soft"}
REAL = controls.Pick("real", "Cache of", recurrent.growing(), "llama3.2-1b", name=model_name)
CACHED_AT = 8192  # of the cache that stands beside the state


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    removal: float
    at: int
    text: str
    game: str

    @property
    def config(self) -> dict:
        """What goes into an exported picture."""
        return live.about(lesson.MODEL, prompt=self.text, removal=self.removal, layer=self.at + 1)


def choose() -> Choice:
    """The controls: removal strength with presets; layer and both texts folded."""
    with controls.row():
        removal, layer = REMOVAL.draw(), LAYER.draw()
        controls.presets("strength", PRESETS, "state")
        with controls.more(f"{PROMPT.example()} · {GAME.example()}"):
            prompt, game = PROMPT.draw(), GAME.draw()
    return Choice(removal, layer - 1, prompt, game)


# See


def see(choice: Choice) -> None:
    """The live models on the reader's words."""
    prompt = live.parsed(choice.text, PROMPT.default)
    watched = lesson.watch(choice.removal, prompt)
    layer = watched.layers[choice.at]
    left, right = panels.beside()
    with left:
        chosen = memory(choice, watched)
        panels.caption(
            f"**Layer {choice.at + 1}, removal strength {choice.removal:g}, after {chosen['step']} of {len(watched.words)} "
            "tokens.** The "
            "memory of {heads}: keys down, values across. Tap one: the arrows beside are its own; at first they are those of the "
            "head that erases most.",
            heads=panels.term(
                f"{lesson.HEADS} heads", "Each has a matrix of its own, which every token fades, erases from and writes to."
            ),
        )
        decay(choice, watched, layer)
        panels.caption(
            "**What fades at every token.** {channels} Dark: much is lost at this token.",
            channels=panels.term("Channel by channel.", FADES.format(most=lesson.MOST_LOST)),
        )
        live.answers([(a, None) for a in watched.scene.answers])
    with right:
        side(choice, prompt, watched, chosen)
    tracking(choice)


def memory(choice: Choice, watched: recurrent.Watched) -> dict:
    """The state of every head, stepping."""
    layer, n = watched.layers[choice.at], len(watched.words)
    width, where = layer.memory.shape[-1], f"layer {choice.at + 1} after each of {n} tokens"
    return live.picture(
        encode_signed(layer.memory, layer.limit),
        {"step": n},
        watched.scene.answers[-1],
        key="memory",
        alt=f"Memory of {lesson.HEADS} heads in {where}, removal strength {choice.removal:g}",
        scale="signed",
        limit=layer.limit,
        tokens=watched.words,
        rows=[f"key {i + 1}" for i in range(width)],
        cols=[f"value {i + 1}" for i in range(width)],
        columns=4,
        hue="state",
        verb="at",
        aspect=1.0,
        config=choice.config,
    )


def decay(choice: Choice, watched: recurrent.Watched, layer: lesson.Layer) -> None:
    """What each channel loses at each token."""
    lost = layer.lost
    live.second_picture(
        encode_probability(lost),
        key="decay",
        title="What fades at every token",
        alt=f"Share that each of {lost.shape[1]} channels of {len(lost)} heads loses at each of {len(watched.words)} tokens",
        cols=list(watched.words),
        rows=[f"channel {i + 1}" for i in range(lost.shape[1])],
        columns=4,
        hue="state",
        verb="at",
        stepping=False,
        aspect=1.0,
        config=choice.config,
    )


def side(choice: Choice, prompt: recall.Prompt, watched: recurrent.Watched, chosen: dict) -> None:
    """The arrows, what the token did, parallel against stepwise, the real state."""
    step, layer = chosen["step"], watched.layers[choice.at]
    boldest = int(np.linalg.norm(layer.erase, axis=-1).mean(-1).argmax())  # erases most over the text: its arrows are seen best
    head = boldest if chosen["head"] is None else chosen["head"]
    word, words = watched.words[step - 1], watched.words[:step]
    with panels.card(f"“{word}” ({step}) at head {head + 1}", "arrows"):
        p, d = lesson.plane(layer, head, step), lesson.deed(layer, head, step)
        alt = f"At head {head + 1}, {word} erases along one arrow and writes along another, among what {step} tokens wrote"
        table = {"word": words, "direction 1": p.written[:, 0], "direction 2": p.written[:, 1]}
        fig = rwkv.arrows(p, words, theme.colours(), theme.stroke())
        frame.figure(fig, key="arrows", alt=alt, table=table, config=choice.config)
        deeds = (
            ("found", d.found, None),
            ("fades", d.faded, "soft"),
            ("erases", d.erased, "routed"),
            ("writes", d.written, "state"),
        )
        panels.bars([panels.Bar(*deed) for deed in deeds], f"What {word} did to the memory", "{:.2f}".format)
        live.small(
            "Bars: the size of the memory that it found, and of what fades, is taken out, is put in (root of summed squares). "
            f"Arrows: in the two directions that hold most, {p.share:.0%}, of all keys; dots are where words wrote. Cosine of "
            f"what is asked for and what is written: {d.cosine:.2f}."
        )
    with panels.card("Trained like a transformer", "parallel"):
        panels.near("all tokens at once = one by one, apart by", lesson.forms_difference(choice.removal, prompt))
        live.small("probabilities after the last token, from blocks of tokens as in training and from steps as in use")
    with panels.card("RWKV-7 2.9B, one sequence", "real"):
        rows = [
            panels.Bar(f"{model_name(REAL.default)}, {CACHED_AT:,} tokens", recurrent.cached(REAL.default, CACHED_AT), "kv"),
            panels.Bar("RWKV-7 2.9B, any number", lesson.state().bytes, "state", True),
        ]
        panels.bars(rows, "A cache that grows against a state that does not", binary)
        live.small(
            f"as large at {recurrent.reached(REAL.default, lesson.state().bytes):,} tokens; state in float32, cache in 16 bits"
        )


def tracking(choice: Choice) -> None:
    """A ball under three cups: three models follow the reader's game."""
    live.heading("A ball under three cups: what must be followed, not looked up")
    removal, words = choice.removal, live.attempt(cups.parse, choice.game, GAME.default)
    game = lesson.played(words, removal)
    rows = {name: (game.said[v], game.right(v)) for v, name in lesson.TRACKING.items()}
    fig = rwkv.cups(words, game.truth, cups.PLACES, rows, theme.colours(), theme.stroke())
    scores = ", ".join(f"{name} {sum(right)} of {len(right)}" for name, (_, right) in rows.items())
    alt = f"Where the ball is after each of {len(words) - 1} moves, and where three models say it is: right {scores}"
    table = {"word": words, "ball": game.truth, **{name: places for name, (places, _) in rows.items()}}
    frame.figure(fig, key="cups", alt=alt, table=table, config=live.about("cups-rwkv", game=choice.game, removal=removal))
    lost = ", ".join(f"{name} loses it at move {game.lost(v)}" for v, name in lesson.TRACKING.items() if game.lost(v))
    panels.caption(
        f"**Right: {scores}.** {lost or 'None of them loses it'}. Two layers each, trained with {lesson.PRACTISED} moves; type a "
        "game under “Where is the ball” above. {why}",
        why=panels.term("Why a swap is hard", swap_text(words, removal)),
    )
    if sentences := lesson.tracking_text():
        panels.caption(f"**Over all runs, as trained.** {' '.join(sentences)}")


def swap_text(words: tuple[str, ...], removal: float) -> str:
    """What a swap would need, and what the steps of this game are."""
    low = lesson.eigenvalue(words, removal)
    return (
        "A step multiplies the memory by diag(w) − a c cᵀ. To swap two things it must turn a direction round: eigenvalue −1, "
        f"which takes a removal strength of {lesson.SWAP}. Here strengths stay between 0 and 1: the smallest eigenvalue of any "
        f"step in this game is {low:.2f}. The LSTM has no such bound: its gates read its own last output."
    )


# Count


def ours(_: Choice) -> None:
    """Our models: what is kept against tokens."""
    lengths, points, measured = np.arange(1, 129), np.array(recurrent.LENGTHS), recurrent.measured_state(lesson.MODEL)
    names = {"attention": recurrent.ATTENTION, "3 : 1": lesson.HYBRID, "RWKV-7": lesson.MODEL}
    lines = {name: live_curve(variant, lengths) for name, variant in names.items()}
    words = (
        f"**Attention of the same width keeps more than RWKV-7 from token {live_smaller(lesson.MODEL, recurrent.ATTENTION)} "
        "on.** Float32; two layers, four in the hybrid. Rings are bytes in the tensors of the live model."
    )
    live.growth(
        "Our models: bytes kept against tokens", xlstm.growth(lengths, lines, "RWKV-7", points, measured), config(), words
    )


def config() -> dict:
    """What goes into an exported figure of counts."""
    return live.about(lesson.MODEL, real_model=model_name(REAL.peek()))


def theirs(_: Choice) -> None:
    """A real cache passing a real state."""
    key = REAL.peek()
    live.heading(f"RWKV-7 2.9B against {model_name(key)}")
    contexts, at = 2 ** np.arange(2, 18), recurrent.reached(key, lesson.state().bytes)
    cache, constant = recurrent.crossing(key, lesson.state().bytes, contexts)
    names = model_name(key), "RWKV-7 2.9B"
    kinds.show(xlstm.crossing(contexts, cache, constant, at, names, binary), "crossing", config())
    panels.caption(
        f"**Below {at:,} tokens the state that does not grow is the larger one.** One sequence: state in float32, cache in 16 "
        "bits. Both axes are logarithmic. What does not grow must forget: a state of one size holds only so much."
    )


def formula(_: Choice) -> None:
    """The state of RWKV-7 2.9B with the numbers put in."""
    s = lesson.state()
    live.formula(
        "RWKV-7 2.9B, one sequence, any length",
        r"\begin{aligned} & \underbrace{%d}_{\text{layers}} \cdot \Big( \underbrace{%d}_{\text{heads}} \cdot "
        r"\underbrace{%d \cdot %d}_{\text{matrix}} + \underbrace{2 \cdot %s}_{\text{token before}} \Big) "
        r"\\ & = \text{%s numbers} \end{aligned}"
        % (s.layers, s.heads, s.width, s.width, live.digits(s.d_model), live.digits(s.elements)),
        f"**{decimal(s.bytes)}, {binary(s.bytes)}.** Matrices in float32, the columns for the token before in 16 bits. {{code}}",
        f"{lesson.RWKV} --state-dtype float32",
    )


def catching_up(_: Choice) -> None:
    """After how many tokens every real cache has caught up."""
    live.heading("When real caches have grown to the state of RWKV-7 2.9B")
    keys, tokens = zip(*recurrent.caught_up(lesson.state().bytes))
    names, values = [*map(model_name, keys)], np.array(tokens)
    drawn = xlstm.tokens("the state of RWKV-7 2.9B", names, values, keys.index(REAL.peek()))
    kinds.show(drawn, "models", config())
    panels.caption(
        "**One sequence, cache in 16 bits, state in float32.** Log scale. Models of all sizes: most are far larger ones."
    )


# Prove


def followed(_: Choice) -> None:
    """Our runs on the ball under three cups."""
    live.heading("The ball against moves: every seed")
    found = lesson.by_moves()
    subject, heads = "How often three models are right about the ball after so many moves", ("model", "moves", "right")
    drawn = kinds.ByCount(subject, found, lesson.RUNS.label, "moves", "right", HUES, heads)
    kinds.show(drawn, "tracking", live.again(MECHANISM))
    panels.caption(
        f"**Right after so many moves, mean of all runs.** {' '.join(lesson.tracking_text())} To follow is to be right at least "
        f"{lesson.FOLLOWS:.0%} of the time in every run; a guess is right {1 / len(cups.PLACES):.0%}. Trained with up to "
        f"{lesson.PRACTISED} moves. A theorem says what an exact recurrence can be made to do, not what "
        f"{zoo.recipe('cups-rwkv').steps} steps of training find, nor how much it can recall."
    )


def recalled(_: Choice) -> None:
    """Our runs on who has what."""
    live.heading("Recall against pairs to remember: every seed")
    ours, found = lesson.RUNS, lesson.RUNS.recalled()
    subject, heads = f"Recall of {len(found)} models against the number of pairs", ("model", "pairs", "recall")
    drawn = kinds.ByCount(subject, found, ours.label, "pairs", "recall", live.hues(found, "state"), heads)
    kinds.show(drawn, "recall", live.again(MECHANISM))
    steps = ", ".join(f"{ours.label(v)} {zoo.recipe(v).steps}" for v in ours.variants)
    panels.caption(f"**Marks are seeds, lines join their means.** Steps: {steps}.")


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows: RWKV, and what else keeps a state that does not grow."""
    live.users(
        ("keeps a state by", "a layer", "state layers", "state, float32"),
        [(u.entry, u.mixer, u.size or "—", f"{u.layers} of {u.depth}", binary(u.bytes)) for u in recurrent.keepers("RWKV-7")],
        "**RWKV-7 first; the others keep a state that does not grow by other rules.** Counted from the config as released, one "
        "sequence. Click a name for the model's own page.",
    )


live.page(
    ANSWER, CORRECTION, choose, see, live.stacked(REAL.alone, (ours, theirs), formula, catching_up),
    live.proof(MECHANISM, (followed, recalled)), live.reading(PATH, listed=MECHANISM.papers), users,
)  # fmt: skip
