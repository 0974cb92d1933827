"""YuNet's surroundings and decoding, with a network of its form that sees red cells in place of faces."""

import numpy as np
import pytest

from anonderm.core.errors import InputError
from anonderm.embeddings.faces.yunet import YuNet

BOX = (0.5, 0.25, np.log(6.0), np.log(8.0))  # centre and, as logarithms, size, in cells of 8 pixels
POINTS_52 = np.array([(-1, -0.5), (2, -0.5), (0.5, 0.75), (-0.5, 2), (1.5, 2)])  # in cells, from its corner


def network(path):
    """Twelve outputs for pictures of any size; cls_8 = obj_8 = the mean red of a cell of 8 x 8, as 0 to 1."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes, constants, outputs = [], [], []

    def constant(name, values):
        constants.append(onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    for stride in (8, 16, 32):
        pool = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        nodes.append(helper.make_node("AveragePool", ["input"], [f"cells_{stride}"], **pool))
        red = np.zeros((1, 3, 1, 1))
        red[0, 2] = (stride == 8) / 255  # OpenCV's order: blue, green, red
        for name, weight, bias in (
            ("cls", red, np.zeros(1)),
            ("obj", red, np.zeros(1)),
            ("bbox", np.zeros((4, 3, 1, 1)), BOX),
            ("kps", np.zeros((10, 3, 1, 1)), POINTS_52.ravel()),
        ):
            out, width = f"{name}_{stride}", len(bias)
            w = constant(f"w_{out}", weight.astype(np.float32))
            b = constant(f"b_{out}", np.asarray(bias, np.float32))
            shape = constant(f"s_{out}", np.array([1, -1, width], np.int64))
            nodes += [
                helper.make_node("Conv", [f"cells_{stride}", w, b], [f"map_{out}"], kernel_shape=[1, 1]),
                helper.make_node("Transpose", [f"map_{out}"], [f"last_{out}"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"last_{out}", shape], [out]),
            ]
            outputs.append(helper.make_tensor_value_info(out, kind, [1, None, width]))
    ends = [[helper.make_tensor_value_info("input", kind, [1, 3, 640, 640])], outputs]
    graph = helper.make_graph(nodes, "yunet", *ends, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)
    return path


@pytest.fixture
def finder(tmp_path):
    return YuNet(network(tmp_path / "yunet.onnx"))


def photo(*cells, level=255, size=(640, 480)):
    """Black, with red cells (column, row) of 8 x 8 pixels."""
    width, height = size
    photo_HWC = np.zeros((height, width, 3), np.uint8)
    for column, row in cells:
        photo_HWC[8 * row : 8 * row + 8, 8 * column : 8 * column + 8, 0] = level
    return photo_HWC


def test_boxes_and_points_are_decoded_in_pixels_of_the_photo(finder):
    (face,) = finder.find(photo((20, 30)))
    assert face.detector == "yunet"
    assert face.score == pytest.approx(1, abs=0.01)
    assert face.certain
    assert face.box_4 == pytest.approx((164 - 24, 242 - 32, 164 + 24, 242 + 32), abs=0.01)
    assert face.five_52 == pytest.approx(POINTS_52 * 8 + (160.5, 240.5), abs=0.01)
    mouth_2 = (face.five_52[3] + face.five_52[4]) / 2
    assert face.eyes_and_mouth_32 == pytest.approx(np.stack([*face.five_52[:2], mouth_2]), abs=0.01)


def test_a_photo_of_twice_the_size_gives_the_same_face_at_twice_the_size(finder):
    (small,) = finder.find(photo((20, 30)))
    (large,) = finder.find(np.kron(photo((20, 30)), np.ones((2, 2, 1), np.uint8)))
    assert large.five_52 == pytest.approx(2 * small.five_52, abs=0.01)
    assert large.box_4 == pytest.approx(2 * np.array(small.box_4), abs=0.01)


def test_a_photo_whose_sides_are_no_multiples_of_32_is_padded_not_squeezed(finder):
    (face,) = finder.find(photo((20, 30), size=(640, 427)))
    assert face.five_52 == pytest.approx(POINTS_52 * 8 + (160.5, 240.5), abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (900, 3), (33, 31)])
def test_photos_of_any_shape_are_searched(finder, shape):
    assert finder.find(np.zeros((*shape, 3), np.uint8)) == []


def test_blue_is_not_red(finder):
    assert finder.find(photo((20, 30))[:, :, ::-1]) == []


def test_a_face_of_a_low_score_counts_where_there_is_no_better_one(finder):
    (face,) = finder.find(photo((20, 30), level=190))
    assert face.score == pytest.approx(190 / 255, abs=0.01)
    assert not face.certain
    assert finder.find(photo((20, 30), level=120)) == []


def test_overlapping_detections_are_one_face_and_others_stay(finder):
    assert len(finder.find(photo((20, 30), (21, 30)))) == 1
    assert len(finder.find(photo((20, 30), (60, 30)))) == 2


def test_a_file_that_is_no_network_is_an_error_that_names_it(tmp_path):
    (tmp_path / "yunet.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"yunet\.onnx"):
        YuNet(tmp_path / "yunet.onnx")
