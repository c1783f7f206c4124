"""Errors of the Hugging Face Hub as sentences that say what to do."""

from collections.abc import Generator
from contextlib import contextmanager

from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from model.errors import UserError

HttpError = HfHubHTTPError.__bases__[0]  # of the HTTP library that huggingface_hub uses


@contextmanager
def refusals_as_user_errors(
    repository: str, paid: str = "choose something free"
) -> Generator[None]:
    """Turn errors of the hub inside the block into :class:`UserError`.

    Args:
        repository: ``OWNER/NAME``, as the user gave it.
        paid: what to do when the hub wants a paid plan.
    """
    if repository.count("/") != 1:
        raise UserError(f"give the name on the hub as YOU/NAME, not {repository!r}.")
    try:
        yield
    except (HttpError, HFValidationError, LocalTokenNotFoundError) as error:
        raise UserError(_sentence_of(error, repository, paid)) from error


def _sentence_of(error: Exception, repository: str, paid: str) -> str:
    reason = getattr(error, "server_message", None) or str(error).strip().partition("\n")[0]
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status == 402:
        return f"the hub wants a paid plan for this ({reason}): {paid}."
    if status in (401, 403) or isinstance(error, LocalTokenNotFoundError):
        return (
            f"you may not write to {repository} ({reason}). Log in with `hf auth login` and a"
            " token that may write."
        )
    if isinstance(error, HFValidationError):
        return f"{repository!r} is no name the hub allows: {reason}"
    return f"the hub cannot be reached or did not take it ({reason}). Try again later."
