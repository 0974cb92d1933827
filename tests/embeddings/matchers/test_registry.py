import pytest

from anonderm.core.errors import ConfigError, MissingExtra, MissingPath, MissingWeights
from anonderm.embeddings.matchers import registry
from anonderm.embeddings.matchers.registry import identity_matcher, make_matcher


def test_the_best_matcher_of_people_is_the_first_that_is_installed(monkeypatch):
    def with_installed(*names):
        def make(name="auto"):
            if name == "auto":
                return registry._best_identity_matcher()
            if name not in names:
                raise (MissingExtra if name == "dlib" else MissingWeights)(name)
            return name

        return make

    for names in (("arcface", "sface", "dlib"), ("sface", "dlib"), ("dlib",)):
        monkeypatch.setattr(registry, "identity_matcher", with_installed(*names))
        assert registry.identity_matcher() == names[0]
    monkeypatch.setattr(registry, "identity_matcher", with_installed())
    with pytest.raises(MissingExtra, match="No matcher") as caught:
        registry.identity_matcher()
    assert "weights fetch sface" in caught.value.hint


@pytest.mark.parametrize("make", [identity_matcher, make_matcher])
def test_weights_that_are_missing_are_named_with_how_to_get_them(make, tmp_path, monkeypatch):
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights) as caught:
        make("sface")
    assert "weights fetch sface" in caught.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingPath, match=r"none\.onnx"):
        identity_matcher(str(tmp_path / "none.onnx"))


def test_an_unknown_matcher_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="dlib"):
        make_matcher("eyes")
