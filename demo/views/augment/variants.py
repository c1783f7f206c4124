"""The variants of a photo and the predictions on them; each is computed once."""

from collections.abc import Sequence
from pathlib import Path

from demo.inspection import predict_variants_batched
from demo.serving.calls import raise_if_ended
from demo.serving.once import ComputeOnceCache
from demo.views.augment.scene import Scene
from demo.views.augment.state import AugmentState, pressed_number
from model.inspect.robustness import VariantPrediction
from model.inspect.variants import Variant, fullest_variant, make_variants

PICKED_KEPT = 6  # cached variants that were shown large, a few MB each
_picked: ComputeOnceCache[Variant] = ComputeOnceCache(PICKED_KEPT)
_answers: ComputeOnceCache[VariantPrediction] = ComputeOnceCache(PICKED_KEPT)


def draw_variants(scene: Scene, first: int = 1, count: int | None = None) -> list[Variant]:
    """Draw the variants of a scene, or ``count`` of them from number ``first`` on."""
    state, inspection = scene.state, scene.inspection
    info = inspection.detector.info
    target, *others = scene.working_boxes
    seed, count = state.first_seed, state.n_variants if count is None else count
    variants: list[Variant] = []
    for number in range(first, first + count):
        raise_if_ended()
        variants += make_variants(
            inspection.working_copy.image, target, state.config, info.image_size, seed, 1,
            inspection.photo.seed_name, first=number, others=others, mean=info.mean, std=info.std,
        )  # fmt: skip
    return variants


def _key(scene: Scene) -> tuple[Path, Path, AugmentState]:
    return scene.inspection.photo.path, scene.inspection.checkpoint, scene.state


def picked_number(scene: Scene) -> int:
    """Number of the variant shown large: the one pressed, else one where all active steps show.

    It does not depend on boxes that a visitor draws.
    """
    state, inspection = scene.state, scene.inspection
    return pressed_number(state) or fullest_variant(
        inspection.working_copy.image.size, scene.own_box, state.config,
        state.first_seed, state.n_variants, inspection.photo.seed_name,
    )  # fmt: skip


def picked_variant(scene: Scene) -> Variant:
    """The variant shown large, cached."""
    number = picked_number(scene)
    return _picked.get(_key(scene), lambda: draw_variants(scene, number, 1)[0])


def picked_answer(scene: Scene, variant: Variant) -> VariantPrediction:
    """The prediction on the variant shown large, cached."""
    return _answers.get(
        _key(scene), lambda: predict_variants_batched(scene.inspection.checkpoint, [variant])[0]
    )


def variants_of(scene: Scene) -> list[Variant]:
    """All variants of a scene; the one shown large comes from the cache."""
    picked = picked_variant(scene)
    count = scene.state.n_variants
    if picked.number > count:
        return draw_variants(scene)
    before = draw_variants(scene, 1, picked.number - 1)
    after = draw_variants(scene, picked.number + 1, count - picked.number)
    return [*before, picked, *after]


def answers_of(scene: Scene, variants: Sequence[Variant]) -> list[VariantPrediction]:
    """The predictions on all variants; that on the one shown large comes from the cache."""
    place = picked_number(scene) - 1
    others = [*variants[:place], *variants[place + 1 :]]
    answers = predict_variants_batched(scene.inspection.checkpoint, others) if others else []
    if place < len(variants):
        answers.insert(place, picked_answer(scene, variants[place]))
    return answers
