"""What the tabs ask of the model, and what a visitor is told when it fails."""

from demo.backend import in_words
from model.errors import UserError


def test_unforeseen_failures_become_a_sentence_and_a_log_entry(caplog):
    text = in_words(RuntimeError("secret /etc/path"))
    assert "unexpected" in text
    assert "secret" not in text
    assert "secret" in caplog.text
    assert in_words(UserError("words.jpg is empty.")) == "words.jpg is empty."
