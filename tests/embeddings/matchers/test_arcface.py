from __future__ import annotations

import numpy as np
import pytest

from anonderm.core.errors import InputError, MissingPath, MissingWeights
from anonderm.embeddings.matchers.arcface import ArcFace, arcface_matcher
from anonderm.embeddings.matchers.registry import make_matcher


def network(path, side: int = 112, width: int = 32) -> np.ndarray:
    """A random network of ArcFace's layout, but for its layers: pooled to 7 x 7, then one dense layer."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    step = side // 7
    dense = np.random.default_rng(0).normal(size=(width, 3 * 7 * 7)).astype(np.float32)
    nodes = [
        onnx.helper.make_node(
            "AveragePool", ["face"], ["small"], kernel_shape=[step] * 2, strides=[step] * 2
        ),
        onnx.helper.make_node("Flatten", ["small"], ["flat"]),
        onnx.helper.make_node("Gemm", ["flat", "dense"], ["row"], transB=1),
    ]
    kind = onnx.TensorProto.FLOAT
    ends = [
        [onnx.helper.make_tensor_value_info("face", kind, ["N", 3, side, side])],
        [onnx.helper.make_tensor_value_info("row", kind, ["N", width])],
    ]
    graph = onnx.helper.make_graph(nodes, "face", *ends, [onnx.numpy_helper.from_array(dense, "dense")])
    versions = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=versions, ir_version=8), path)
    return dense


def test_a_users_network_gives_rows_of_length_1_from_pixels_of_minus_1_to_1(tmp_path):
    dense = network(tmp_path / "face.onnx")
    face = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    small_77C = (face / 127.5 - 1).reshape(7, 16, 7, 16, 3).mean(axis=(1, 3))
    expected = dense @ small_77C.transpose(2, 0, 1).ravel()
    row = ArcFace(tmp_path / "face.onnx").describe_cut(face)
    assert row == pytest.approx(expected / np.linalg.norm(expected), abs=1e-4)


def test_networks_of_another_form_are_refused(tmp_path):
    network(tmp_path / "small.onnx", side=56)
    with pytest.raises(InputError, match=r"small\.onnx.*56"):
        ArcFace(tmp_path / "small.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match=r"text\.onnx"):
        ArcFace(tmp_path / "text.onnx")
    with pytest.raises(MissingPath):
        ArcFace(tmp_path / "gone.onnx")


def test_the_matcher_knows_its_networks_digest(tmp_path):
    pytest.importorskip("dlib")
    network(tmp_path / "one.onnx")
    network(tmp_path / "two.onnx", width=48)
    one, two = (arcface_matcher(str(tmp_path / name)) for name in ("one.onnx", "two.onnx"))
    assert (one.width, two.width) == (32, 48)
    assert one.digest != two.digest


def test_without_weights_the_error_says_where_to_get_them(tmp_path, monkeypatch):
    pytest.importorskip("dlib")
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match="weights add arcface-onnx"):
        make_matcher("arcface")
