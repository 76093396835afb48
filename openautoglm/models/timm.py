"""Any timm classifier behind the package's own input, RGB in [0, 1]: as a teacher, or as a student to compare with."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.models.registry import Program
from openautoglm.tensors import Seen


class TimmClassifier(nn.Module):
    """A timm model that normalises by its own mean and deviation.

    Args:
        architecture: timm's name, such as ``"mobilenetv4_conv_small"``.
        num_classes: outputs k.
        pretrained: start from the weights that timm downloads.
        drop_rate: dropout before the classifier.
        image_size: side of the square input in pixels; used by ``programs`` only.

    Raises:
        ValueError: timm does not know the architecture, or its weights cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        architecture: str,
        num_classes: int,
        pretrained: bool = False,
        drop_rate: float = 0.0,
        image_size: int = 96,
    ) -> None:
        super().__init__()
        import timm

        self.image_size = image_size
        self.arguments = {"num_classes": num_classes, "image_size": image_size}

        if not timm.is_model(architecture):
            near = ", ".join(timm.list_models(f"*{architecture.split('_')[0]}*")[:5]) or "see timm.list_models()"
            raise ValueError(f"timm knows no net called {architecture!r}; near: {near}")
        try:
            self.net: nn.Module = timm.create_model(
                architecture, pretrained=pretrained, num_classes=num_classes, drop_rate=drop_rate
            )
        except (OSError, RuntimeError) as error:
            if not pretrained:
                raise
            raise ValueError(
                f"the pretrained weights of {architecture} could not be downloaded ({type(error).__name__}): connect "
                "to a network, or set stages.teach.pretrained=false to train the teacher here"
            ) from error
        config: Any = self.net.pretrained_cfg
        self.register_buffer("mean", torch.tensor(config["mean"]).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to logits ``(b, k)``."""
        logits: Tensor = self.net(self._normal(image))
        return logits

    def forward_intermediates(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """The maps at the end of each of timm's stages, shallow ones first."""
        net: Any = self.net
        maps: list[Tensor] = net.forward_intermediates(self._normal(image), intermediates_only=True)
        return maps

    def observe(self, image: Float[Tensor, "b 3 h w"]) -> Seen:
        """RGB in [0, 1], ``(b, 3, h, w)``, to all that ``forward`` computes on its way to the logits."""
        net: Any = self.net
        last, maps = net.forward_intermediates(self._normal(image))
        embedding = net.forward_head(last, pre_logits=True)
        return Seen(net.get_classifier()(embedding), tuple(maps), embedding, side_px=image.shape[-1])

    def programs(self) -> dict[str, Program]:
        """What is exported: ``look``, a crop to logits."""
        return {"look": Program(self, (torch.zeros(1, 3, self.image_size, self.image_size),))}

    def traced(self) -> nn.Module:
        """The net itself."""
        return self

    def on_graph(self, graph: nn.Module) -> nn.Module:
        """The graph itself."""
        return graph

    def _normal(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        return (image - self.mean) / self.std
