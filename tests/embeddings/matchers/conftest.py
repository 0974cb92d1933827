from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@dataclass(frozen=True)
class Network:
    """An ONNX file, and the weights of its only dense layer."""

    path: Path
    dense: np.ndarray


@pytest.fixture
def sface_network(tmp_path) -> Network:
    """A random network of SFace's form, but for its layers: pooled to 7 x 7, then one dense layer."""
    onnx = pytest.importorskip("onnx")
    dense = np.random.default_rng(0).normal(size=(32, 3 * 7 * 7)).astype(np.float32)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("AveragePool", ["data"], ["small"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["small"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense"], ["fc1"], transB=1),
    ]
    ends = [
        [helper.make_tensor_value_info("data", kind, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("fc1", kind, [1, 32])],
    ]
    graph = helper.make_graph(nodes, "sface", *ends, [onnx.numpy_helper.from_array(dense, "dense")])
    path = tmp_path / "sface.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return Network(path, dense)
