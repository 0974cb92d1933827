import numpy as np
import pytest

from anonderm.core.errors import ConfigError, InputError, MissingPath
from anonderm.core.images import read_image
from anonderm.embeddings.faces.dlib_detector import eyes_and_mouth, five_of_68
from anonderm.ingest.align.landmarks import landmarker
from anonderm.ingest.config import AlignConfig

# A head in 3-D, in distances between the eyes: x to the right of the picture, y down, z towards the camera.
# Right eye (outer, inner corner), left eye (outer, inner), nose base, middle of the mouth.
HEAD_63 = np.array(
    [[0.72, 0, 0], [0.28, 0, 0], [-0.72, 0, 0], [-0.28, 0, 0], [0, 0.7, 0.4], [0, 1.04, 0.3]], float
)


def turned(degrees):
    """The six points as seen from the front when the head is turned aside."""
    angle = np.radians(degrees)
    x_6, y_6, z_6 = HEAD_63.T
    return np.column_stack([x_6 * np.cos(angle) + z_6 * np.sin(angle), y_6]) * 100 + 300


@pytest.mark.parametrize("degrees", [-45, -20, 0, 20, 45])
def test_the_mouth_is_guessed_also_on_turned_heads(degrees):
    points_62 = turned(degrees)
    _, _, mouth_2 = eyes_and_mouth(points_62[:5])
    assert mouth_2[1] == pytest.approx(points_62[5, 1], abs=6)  # of 100 between the eyes
    assert mouth_2[0] == pytest.approx(points_62[5, 0], abs=16)


def test_a_turned_picture_turns_the_points():
    points_52 = turned(10)[:5]
    quarter = np.array([[0, 1], [-1, 0]])
    assert np.allclose(eyes_and_mouth(points_52 @ quarter), eyes_and_mouth(points_52) @ quarter)


def test_68_points_use_the_outlines_of_the_eyes_and_the_corners_of_the_mouth():
    points_682 = np.zeros((68, 2))
    points_682[36:42], points_682[42:48] = (100, 50), (200, 52)
    points_682[30], points_682[48], points_682[54] = (150, 90), (120, 150), (180, 154)
    assert five_of_68(points_682).tolist() == [[100, 50], [200, 52], [150, 90], [120, 150], [180, 154]]


def test_another_kind_of_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.onnx"):
        AlignConfig(model=tmp_path / "weights.pth")


# WebMorph's template, found by drawing its points: outer and inner corner, upper lid, lower lid of each eye.
_LEFT_EYE, _RIGHT_EYE = (18, 22, 19, 21, 30, 28), (23, 27, 24, 26, 33, 31)
_MOUTH = (87, 93)


def test_eyes_are_within_3_percent_of_manual_landmarks(shared_data):
    pytest.importorskip("dlib")
    find, errors, mouths = landmarker("dlib"), [], []
    for path in sorted((shared_data / "pairs").glob("*_neutral.jpg"))[::3]:
        hand_N2 = np.loadtxt(path.with_suffix(".landmarks.csv"), delimiter=",", skiprows=1)
        left, right, mouth = find(read_image(path))[0].points_32
        eyes = hand_N2[list(_LEFT_EYE)].mean(axis=0), hand_N2[list(_RIGHT_EYE)].mean(axis=0)
        between = np.linalg.norm(eyes[1] - eyes[0])
        errors += [np.linalg.norm(left - eyes[0]) / between, np.linalg.norm(right - eyes[1]) / between]
        mouths.append(np.linalg.norm(mouth - hand_N2[list(_MOUTH)].mean(axis=0)) / between)
    assert np.median(errors) < 0.03
    assert np.median(mouths) < 0.08


def linear_onnx(bias):
    """The bytes of an ONNX network [1, 3, 8, 8] -> [1, K, 2] whose output is `bias`, whatever it sees."""

    def field(number, value):
        if isinstance(value, int):
            return varint(number << 3) + varint(value)
        data = value.encode() if isinstance(value, str) else value
        return varint(number << 3 | 2) + varint(len(data)) + data

    def varint(value):
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    def value_info(name, shape):
        dims = b"".join(field(1, field(1, size)) for size in shape)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))

    def tensor(name, array):
        dims = b"".join(field(1, size) for size in array.shape)
        kind = 7 if array.dtype == np.int64 else 1
        return dims + field(2, kind) + field(8, name) + field(9, array.tobytes())

    def node(kind, inputs, output):
        return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)

    zero = np.zeros((192, bias.size), np.float32)
    shape = np.array((1, *bias.shape), np.int64)
    graph = b"".join(
        [
            field(1, node("Flatten", ["face"], "flat")),
            field(1, node("Gemm", ["flat", "weight", "bias"], "row")),
            field(1, node("Reshape", ["row", "shape"], "points")),
            field(2, "graph"),
            field(5, tensor("weight", zero)),
            field(5, tensor("bias", bias.astype(np.float32).reshape(-1))),
            field(5, tensor("shape", shape)),
            field(11, value_info("face", (1, 3, 8, 8))),
            field(12, value_info("points", (1, *bias.shape))),
        ]
    )
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def test_points_of_an_onnx_network_are_carried_back_into_the_photo(shared_data, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("dlib")
    photo_HWC = read_image(shared_data / "portraits" / "female_20.jpg")
    known = landmarker("dlib")(photo_HWC)[0]
    bias_52 = np.array([(0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75)])
    (tmp_path / "points.onnx").write_bytes(linear_onnx(bias_52))
    found = landmarker(model=tmp_path / "points.onnx")(photo_HWC)[0]
    between = np.linalg.norm(np.subtract(known.right_eye, known.left_eye))
    assert np.abs(found.points_32 - known.points_32).max() < 0.3 * between


def test_a_broken_onnx_file_is_an_error_that_names_it(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "points.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"points\.onnx"):
        landmarker(model=tmp_path / "points.onnx")
    with pytest.raises(MissingPath):
        landmarker(model=tmp_path / "none.onnx")
