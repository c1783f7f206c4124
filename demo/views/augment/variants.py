"""The variants of a photo, and what the detector says about them; each is computed once."""

from collections.abc import Sequence

from demo.backend import Backend, robustness
from demo.serving.once import Once
from demo.views.augment.scene import Scene
from demo.views.augment.state import MAX_SEED, AugmentState, as_whole, picked_number
from model.inspect.robustness import VariantPrediction
from model.inspect.variants import MAX_VARIANTS, Variant, make_variants

PICKED_KEPT = 6  # variants shown large that are remembered, a few MB each
_picked: Once[Variant] = Once(PICKED_KEPT)
_answers: Once[VariantPrediction] = Once(PICKED_KEPT)


def draw_variants(
    backend: Backend, state: AugmentState, scene: Scene, first: int = 1, count: int | None = None
) -> list[Variant]:
    """Draw the variants a state asks for, or ``count`` from the one numbered ``first`` on."""
    info = backend.detector(state.checkpoint).info
    target, *others = scene.working_boxes
    seed = as_whole(state.seed, "the seed", 0, MAX_SEED)
    if count is None:
        count = as_whole(state.count, "the number of variants", 1, MAX_VARIANTS)
    if not count:
        return []
    return make_variants(
        scene.loaded.image, target, state.config, info.image_size, seed, count,
        scene.photo.file_name, first=first, others=others, mean=info.mean, std=info.std,
    )  # fmt: skip


def picked_variant(backend: Backend, state: AugmentState, scene: Scene) -> Variant:
    """The variant that is shown large; drawn once."""
    key = (scene.photo.path, backend.checkpoint_file(state.checkpoint), state)
    return _picked.get(
        key, lambda: draw_variants(backend, state, scene, picked_number(state), 1)[0]
    )


def picked_answer(backend: Backend, state: AugmentState, scene: Scene) -> VariantPrediction:
    """What the detector says on the variant that is shown large; asked once."""
    file = backend.checkpoint_file(state.checkpoint)
    variant = picked_variant(backend, state, scene)
    key = (scene.photo.path, file, state)
    return _answers.get(key, lambda: robustness(file, [variant])[0])


def variants_of(backend: Backend, state: AugmentState, scene: Scene) -> list[Variant]:
    """All variants a state asks for; the one shown large is not drawn again."""
    picked = picked_variant(backend, state, scene)
    after = as_whole(state.count, "the number of variants", 1, MAX_VARIANTS) - picked.number
    return [
        *draw_variants(backend, state, scene, 1, picked.number - 1), picked,
        *draw_variants(backend, state, scene, picked.number + 1, after),
    ]  # fmt: skip


def answers_of(
    backend: Backend, state: AugmentState, scene: Scene, variants: Sequence[Variant]
) -> list[VariantPrediction]:
    """What the detector says on all variants; of the one shown large that is known."""
    number = picked_number(state)
    others = [variant for variant in variants if variant.number != number]
    file = backend.checkpoint_file(state.checkpoint)
    answers = robustness(file, others) if others else []
    answers.insert(number - 1, picked_answer(backend, state, scene))
    return answers
