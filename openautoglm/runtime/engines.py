"""The three runtimes behind one call: a picture in, logits out.

LiteRT and ONNX Runtime start without torch; ExecuTorch's own binding loads it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from openautoglm.runtime.quiet import quiet_stderr
from openautoglm.types import MissingExtraError

RuntimeName = Literal["executorch", "litert", "onnx"]
SUFFIXES: dict[str, str] = {"executorch": "pte", "litert": "tflite", "onnx": "onnx"}
"""File suffix of each runtime's programs."""

Image = NDArray[np.float32]
Logits = NDArray[np.float32]


class Engine(Protocol):
    """A loaded program.

    Attributes:
        runtime: who runs it.
        num_threads: threads it may use.
        input_shape: of the picture, ``(1, 3, h, w)``.
    """

    runtime: str
    num_threads: int
    input_shape: tuple[int, ...]

    def run(self, image: Image) -> Logits:
        """RGB in [0, 1], ``(1, 3, h, w)``, to logits ``(k,)``."""
        ...


def open_engine(runtime: str, path: str | os.PathLike[str], *, method: str = "look", num_threads: int = 1) -> Engine:
    """Load a program.

    Args:
        runtime: ``"executorch"``, ``"litert"`` or ``"onnx"``.
        path: the exported file.
        method: name of the method or signature in it.
        num_threads: threads; ExecuTorch shares one number among all programs of a process.

    Raises:
        ValueError: unknown runtime or method, missing or unreadable file, or another number of threads in use.
        MissingExtraError: the runtime is not installed.
    """
    openers: dict[str, Callable[[Path, str, int], Engine]] = {
        "executorch": ExecuTorchEngine,
        "litert": LiteRTEngine,
        "onnx": OnnxEngine,
    }
    if runtime not in openers:
        raise ValueError(f"no runtime is called {runtime!r}; choose one of {', '.join(openers)}")
    if num_threads < 1:
        raise ValueError(f"num_threads must be at least 1, got {num_threads}")
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"there is no program at {file}; export it first")
    return openers[runtime](file, method, num_threads)


class _Shaped:
    runtime: str
    input_shape: tuple[int, ...]

    def _check(self, image: Image) -> None:
        if image.shape != self.input_shape or image.dtype != np.float32:
            raise ValueError(
                f"the program takes a float32 picture of shape {self.input_shape}, "
                f"got {image.dtype} of shape {image.shape}: resize it and scale it to [0, 1]"
            )


class ExecuTorchEngine(_Shaped):
    """A ``.pte`` in ExecuTorch."""

    runtime = "executorch"
    _num_threads_of_process: int | None = None

    def __init__(self, path: Path, method: str, num_threads: int) -> None:
        with quiet_stderr():
            try:
                import torch
                from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
                from executorch.runtime import Runtime, Verification
            except ImportError:
                raise MissingExtraError("executorch", "export") from None
            if ExecuTorchEngine._num_threads_of_process not in (None, num_threads):
                raise ValueError(
                    f"ExecuTorch already runs with {ExecuTorchEngine._num_threads_of_process} thread(s) in this "
                    f"process, asked for {num_threads}: use one number, or another process"
                )
            _expect_magic(path, 4, (b"ET12",), "an ExecuTorch program")
            try:
                self._program = Runtime.get().load_program(path, verification=Verification.InternalConsistency)
                names = sorted(self._program.method_names)
                if method not in names:
                    raise ValueError(f"{path.name} has no method {method!r}; it has {', '.join(names)}")
                if ExecuTorchEngine._num_threads_of_process is None:
                    _unsafe_reset_threadpool(num_threads)
                    ExecuTorchEngine._num_threads_of_process = num_threads
                loaded = self._program.load_method(method)
                assert loaded is not None
                self._method = loaded
                self._to_tensor = torch.from_numpy
                self.num_threads = num_threads
                self.input_shape = tuple(loaded.metadata.input_tensor_meta(0).sizes())
                self.run(np.zeros(self.input_shape, np.float32))  # the first call talks about the processor
            except RuntimeError as error:
                raise _unreadable(path, "an ExecuTorch program", error) from None

    def run(self, image: Image) -> Logits:
        """RGB in [0, 1], ``(1, 3, h, w)``, to logits ``(k,)``."""
        self._check(image)
        output = self._method.execute([self._to_tensor(image)])[0]
        return np.array(output.numpy(), np.float32).reshape(-1)


class LiteRTEngine(_Shaped):
    """A ``.tflite`` in LiteRT, by XNNPACK."""

    runtime = "litert"

    def __init__(self, path: Path, method: str, num_threads: int) -> None:
        with quiet_stderr():
            try:
                from ai_edge_litert.interpreter import Interpreter
            except ImportError:
                raise MissingExtraError("ai-edge-litert", "export") from None
            _expect_magic(path, 4, (b"TFL3",), "a LiteRT program")
            try:
                self._interpreter = Interpreter(model_content=path.read_bytes(), num_threads=num_threads)
                names = sorted(self._interpreter.get_signature_list())
                if method not in names:
                    raise _NoMethodError(f"{path.name} has no signature {method!r}; it has {', '.join(names)}")
                self._runner = self._interpreter.get_signature_runner(method)
                ((self._name, given),) = self._runner.get_input_details().items()
                ((self._output, returned),) = self._runner.get_output_details().items()
                self._given, self._returned = _Grid(given), _Grid(returned)
                self.num_threads = num_threads
                self.input_shape = tuple(int(size) for size in given["shape"])
                self.run(np.zeros(self.input_shape, np.float32))  # some damage shows only when it runs
            except _NoMethodError:
                raise
            except (ValueError, RuntimeError) as error:
                raise _unreadable(path, "a LiteRT program", error) from None

    def run(self, image: Image) -> Logits:
        """RGB in [0, 1], ``(1, 3, h, w)``, to logits ``(k,)``."""
        self._check(image)
        output = self._runner(**{self._name: self._given.integers(image)})[self._output]
        return self._returned.floats(output).reshape(-1)


class OnnxEngine(_Shaped):
    """An ``.onnx`` in ONNX Runtime, on the CPU."""

    runtime = "onnx"

    def __init__(self, path: Path, method: str, num_threads: int) -> None:
        try:
            import onnxruntime as ort
        except ImportError:
            raise MissingExtraError("onnxruntime", "export") from None
        options = ort.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises classes of its own with no common base
            raise _unreadable(path, "an ONNX program", error) from None
        name = self._session.get_modelmeta().graph_name
        if name != method:
            raise ValueError(f"{path.name} holds the method {name!r}, asked for {method!r}")
        (given,) = self._session.get_inputs()
        self._name = given.name
        self.num_threads = num_threads
        self.input_shape = tuple(given.shape)

    def run(self, image: Image) -> Logits:
        """RGB in [0, 1], ``(1, 3, h, w)``, to logits ``(k,)``."""
        self._check(image)
        return np.asarray(self._session.run(None, {self._name: image})[0], np.float32).reshape(-1)


class _Grid:
    """Integers of a tensor and the numbers they stand for; passes floats through."""

    def __init__(self, details: dict[str, Any]) -> None:
        self._dtype: np.dtype[Any] = np.dtype(details["dtype"])
        self._scale, self._zero_point = details["quantization"]

    def integers(self, values: NDArray[np.float32]) -> NDArray[Any]:
        if self._dtype == np.float32:
            return values
        limits = np.iinfo(self._dtype)
        steps = np.rint(values * np.float32(1 / self._scale)) + np.float32(self._zero_point)
        integers: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(self._dtype)
        return integers

    def floats(self, values: NDArray[Any]) -> Logits:
        if self._dtype == np.float32:
            return np.array(values, np.float32)
        floats: Logits = (values.astype(np.float32) - np.float32(self._zero_point)) * np.float32(self._scale)
        return floats


class _NoMethodError(ValueError):
    pass


def _expect_magic(path: Path, offset: int, expected: tuple[bytes, ...], kind: str) -> None:
    # Native loaders say little about a wrong file, and LiteRT may crash on one.
    with path.open("rb") as file:
        head = file.read(offset + 4)
    if head[offset:] not in expected:
        raise ValueError(f"{path} is not {kind}: the file is damaged or of another kind; export or download it again")


def _unreadable(path: Path, kind: str, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:200]
    return ValueError(f"{path} cannot be loaded as {kind}: export or download it again ({reason})")
