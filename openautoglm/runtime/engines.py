"""The three runtimes behind one call: a picture in, named arrays out.

LiteRT and ONNX Runtime start without torch; ExecuTorch's own binding loads it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
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
Outputs = dict[str, NDArray[np.float32]]


class Engine(Protocol):
    """One method of a loaded program.

    Attributes:
        runtime: who runs it.
        num_threads: threads it may use.
        input_shape: of the picture, ``(1, 3, h, w)``.
        output_names: of what it returns.
    """

    runtime: str
    num_threads: int
    input_shape: tuple[int, ...]
    output_names: tuple[str, ...]

    def run(self, image: Image) -> Logits:
        """RGB in [0, 1], ``(1, 3, h, w)``, to the only output there is, logits ``(k,)``."""
        ...

    def run_named(self, image: Image) -> Outputs:
        """RGB in [0, 1], ``(1, 3, h, w)``, to every output by its name, each in the shape the program gives it."""
        ...


def open_engine(
    runtime: str,
    path: str | os.PathLike[str],
    *,
    method: str = "look",
    output_names: Sequence[str] = ("logits",),
    num_threads: int = 1,
) -> Engine:
    """Load a method of a program.

    Args:
        runtime: ``"executorch"``, ``"litert"`` or ``"onnx"``.
        path: the exported file.
        method: name of the method or signature in it.
        output_names: of the method's outputs as the manifest lists them; their order counts for ExecuTorch, which
            has no names of its own.
        num_threads: threads; ExecuTorch shares one number among all programs of a process.

    Raises:
        ValueError: unknown runtime or method, missing or unreadable file, other outputs than expected, or another
            number of threads in use.
        MissingExtraError: the runtime is not installed.
    """
    openers: dict[str, Callable[[Path, str, tuple[str, ...], int], Engine]] = {
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
    return openers[runtime](file, method, tuple(output_names), num_threads)


class Method(ABC):
    """What every engine does alike: it checks the picture and hands the outputs out."""

    input_shape: tuple[int, ...]
    output_names: tuple[str, ...]

    def run(self, image: Image) -> Logits:
        """RGB in [0, 1], ``(1, 3, h, w)``, to the only output there is, logits ``(k,)``."""
        if len(self.output_names) != 1:
            raise ValueError(f"the program returns {', '.join(self.output_names)}: take them by name from run_named")
        (logits,) = self.run_named(image).values()
        return logits.reshape(-1)

    def run_named(self, image: Image) -> Outputs:
        """RGB in [0, 1], ``(1, 3, h, w)``, to every output by its name, each in the shape the program gives it."""
        if image.shape != self.input_shape or image.dtype != np.float32:
            raise ValueError(
                f"the program takes a float32 picture of shape {self.input_shape}, "
                f"got {image.dtype} of shape {image.shape}: resize it and scale it to [0, 1]"
            )
        return self._compute(image)

    @abstractmethod
    def _compute(self, image: Image) -> Outputs: ...


class ExecuTorchEngine(Method):
    """A ``.pte`` in ExecuTorch."""

    runtime = "executorch"
    _num_threads_of_process: int | None = None

    def __init__(self, path: Path, method: str, output_names: tuple[str, ...], num_threads: int) -> None:
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
                num_outputs = loaded.metadata.num_outputs()
                if num_outputs != len(output_names):
                    raise _other_outputs(path, method, f"{num_outputs} output(s)", output_names)
                self.output_names = output_names
                self._compute(np.zeros(self.input_shape, np.float32))  # the first call talks about the processor
            except RuntimeError as error:
                raise _unreadable(path, "an ExecuTorch program", error) from None

    def _compute(self, image: Image) -> Outputs:
        # it reads the memory in its order, whatever the strides say
        outputs = self._method.execute([self._to_tensor(np.ascontiguousarray(image))])
        # copied, for the next call writes into the same memory
        return {
            name: np.array(output.numpy(), np.float32) for name, output in zip(self.output_names, outputs, strict=True)
        }


class LiteRTEngine(Method):
    """A ``.tflite`` in LiteRT, by XNNPACK."""

    runtime = "litert"

    def __init__(self, path: Path, method: str, output_names: tuple[str, ...], num_threads: int) -> None:
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
                    raise _MismatchError(f"{path.name} has no signature {method!r}; it has {', '.join(names)}")
                self._runner = self._interpreter.get_signature_runner(method)
                ((self._name, given),) = self._runner.get_input_details().items()
                returned = self._runner.get_output_details()
                if set(returned) != set(output_names):
                    raise _other_outputs(path, method, ", ".join(returned), output_names)
                self._given = _Grid(given)
                self._returned = {name: _Grid(returned[name]) for name in output_names}
                self.output_names = output_names
                self.num_threads = num_threads
                self.input_shape = tuple(int(size) for size in given["shape"])
                self._compute(np.zeros(self.input_shape, np.float32))  # some damage shows only when it runs
            except _MismatchError:
                raise
            except (ValueError, RuntimeError) as error:
                raise _unreadable(path, "a LiteRT program", error) from None

    def _compute(self, image: Image) -> Outputs:
        outputs = self._runner(**{self._name: self._given.integers(image)})
        return {name: grid.floats(outputs[name]) for name, grid in self._returned.items()}


class OnnxEngine(Method):
    """An ``.onnx`` in ONNX Runtime, on the CPU."""

    runtime = "onnx"

    def __init__(self, path: Path, method: str, output_names: tuple[str, ...], num_threads: int) -> None:
        try:
            import onnxruntime as ort
        except ImportError:
            raise MissingExtraError("onnxruntime", "export") from None
        options = ort.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            # by its place, for its weights may lie in a file beside it
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises classes of its own with no common base
            raise _unreadable(path, "an ONNX program", error) from None
        name = self._session.get_modelmeta().graph_name
        if name != method:
            raise ValueError(f"{path.name} holds the method {name!r}, asked for {method!r}")
        returned = [output.name for output in self._session.get_outputs()]
        if set(returned) != set(output_names):
            raise _other_outputs(path, method, ", ".join(returned), output_names)
        (given,) = self._session.get_inputs()
        self._name = given.name
        self.output_names = output_names
        self.num_threads = num_threads
        self.input_shape = tuple(given.shape)

    def _compute(self, image: Image) -> Outputs:
        outputs = self._session.run(list(self.output_names), {self._name: image})
        return {name: np.asarray(output, np.float32) for name, output in zip(self.output_names, outputs, strict=True)}


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

    def floats(self, values: NDArray[Any]) -> NDArray[np.float32]:
        if self._dtype == np.float32:
            return np.array(values, np.float32)
        steps: NDArray[np.float32] = values.astype(np.float32) - np.float32(self._zero_point)
        return steps * np.float32(self._scale)


class _MismatchError(ValueError):
    pass


def _other_outputs(path: Path, method: str, found: str, expected: tuple[str, ...]) -> _MismatchError:
    return _MismatchError(
        f"{path.name} returns {found} from {method!r}, the manifest says {', '.join(expected)}: "
        "program and manifest do not belong together; export or download both again"
    )


def _expect_magic(path: Path, offset: int, expected: tuple[bytes, ...], kind: str) -> None:
    # Native loaders say little about a wrong file, and LiteRT may crash on one.
    with path.open("rb") as file:
        head = file.read(offset + 4)
    if head[offset:] not in expected:
        raise ValueError(f"{path} is not {kind}: the file is damaged or of another kind; export or download it again")


def _unreadable(path: Path, kind: str, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:200]
    return ValueError(f"{path} cannot be loaded as {kind}: export or download it again ({reason})")
