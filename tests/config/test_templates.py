"""What a template writes is read back as the same value, or the template is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rotator.config.templates import complaint
from rotator.domain.credential import Publication
from rotator.domain.secret import Secret

parts = st.sampled_from(["{user}", "{password}"])
between = st.text("ab-_:/@ {}\n", max_size=3)
values = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=8)


@given(st.lists(st.tuples(between, parts), min_size=1, max_size=3), between, values, values)
def test_what_is_not_refused_is_read_back(pieces: list[tuple[str, str]], end: str, user: str, password: str) -> None:
    template = "".join(text + part for text, part in pieces) + end
    if complaint(template) is not None:
        return
    publication = Publication(store="s", ref="r", fields={"f": template})
    value = Secret({"user": user, "password": password})
    read = publication.extract(publication.render(value))
    assert read is not None
    assert read.parts() == {name: value.reveal(name) for name in publication.parts()}


def test_braces_that_enclose_no_word_are_text() -> None:
    assert complaint('{"key": "{secret}", "n": {"x": 1}}') is None


def test_the_template_itself_is_not_in_the_complaint() -> None:
    for template in ("hunter2", "hunter2 {Secret}", "{a}hunter2{b}"):
        wrong = complaint(template)
        assert wrong is not None
        assert "hunter2" not in "".join(wrong)
