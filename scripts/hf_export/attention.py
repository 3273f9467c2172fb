"""Causal attention that stays switchable between training and evaluation in a TorchScript file."""

import dataclasses

import torch
from torch import nn
from torch.nn import functional as F

from hf_export.errors import ExportError

# The name under which the causal attention is registered with transformers.
ATTENTION_NAME = "pdl_causal"


class FusedCausalAttention(nn.Module):
    """Causal attention through PyTorch's fused kernels; no [T, T] mask."""

    def __init__(self, scale: float, dropout: float, groups: int):
        super().__init__()
        self.scale = scale
        self.dropout = dropout
        self.groups = groups

    def forward(self, query, key, value):
        if self.groups > 1:
            key = key.repeat_interleave(self.groups, 1)
            value = value.repeat_interleave(self.groups, 1)
        dropout = self.dropout if self.training else 0.0
        output = F.scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, is_causal=True, scale=self.scale
        )
        return output.transpose(1, 2).contiguous()


class ExplicitCausalAttention(nn.Module):
    """Causal attention with a sliding window, with capped scores, or with both.

    The fused kernels offer neither, so the [T, T] scores exist in memory. `window` 0 and
    `softcap` 0 are off.
    """

    def __init__(self, scale: float, dropout: float, groups: int, window: int, softcap: float):
        super().__init__()
        self.scale = scale
        self.dropout = dropout
        self.groups = groups
        self.window = window
        self.softcap = softcap

    def forward(self, query, key, value):
        if self.groups > 1:
            key = key.repeat_interleave(self.groups, 1)
            value = value.repeat_interleave(self.groups, 1)
        scores = torch.matmul(query, key.transpose(2, 3)) * self.scale
        if self.softcap > 0.0:
            scores = torch.tanh(scores / self.softcap) * self.softcap
        position = torch.arange(query.size(2), device=query.device)
        distance = position.unsqueeze(1) - position.unsqueeze(0)
        hidden = distance < 0
        if self.window > 0:
            hidden = hidden | (distance >= self.window)
        scores = scores.float().masked_fill(hidden, float("-inf"))
        weights = torch.softmax(scores, -1).to(value.dtype)
        weights = F.dropout(weights, self.dropout, self.training)
        return torch.matmul(weights, value).transpose(1, 2).contiguous()


@dataclasses.dataclass(frozen=True)
class AttentionSettings:
    """The settings that one layer passes to its attention function."""

    scale: float
    dropout: float
    groups: int  # query heads per key-value head
    window: int  # tokens a position sees, itself included; 0 is all
    softcap: float  # bound of the scores; 0 is none


class CausalAttention:
    """The attention function given to transformers.

    The first call of a layer puts a scripted module into that layer; this and every later call go
    through it. transformers builds no mask for an attention it has no mask function for, so the
    causal structure comes from the scripted modules alone.

    Attributes:
      settings: AttentionSettings of each layer, in call order.
      kinds: names of the module classes in use.
    """

    def __init__(self, max_length):
        self._max_length = max_length
        self.settings = []
        self.kinds = set()

    def __call__(
        self,
        module,
        query,
        key,
        value,
        attention_mask=None,
        scaling=None,
        dropout=0.0,
        sliding_window=None,
        softcap=None,
        **kwargs,
    ):
        refuse_attention(module, query, key, attention_mask, kwargs)
        settings = AttentionSettings(
            scale=float(query.shape[-1] ** -0.5 if scaling is None else scaling),
            dropout=float(dropout),
            groups=int(query.shape[1]) // int(key.shape[1]),
            window=int(sliding_window or 0),
            softcap=float(softcap or 0.0),
        )
        if not hasattr(module, "attention_core"):
            core = self._make_core(settings)
            self.settings.append(settings)
            self.kinds.add(type(core).__name__)
            module.attention_settings = settings
            module.attention_core = torch.jit.script(core).train(module.training)
        if module.attention_settings != settings:
            raise ExportError(f"{type(module).__name__} is used in two different ways")
        return module.attention_core(query, key, value), None

    def _make_core(self, settings):
        """The module for a layer; a window that no sequence exceeds is left out."""
        window = settings.window
        if 0 < self._max_length <= window:
            window = 0
        common = (settings.scale, settings.dropout, settings.groups)
        if window or settings.softcap:
            return ExplicitCausalAttention(*common, window, settings.softcap)
        return FusedCausalAttention(*common)


def refuse_attention(module, query, key, attention_mask, kwargs):
    """Raises ExportError if a layer asks for more than causal self-attention."""
    layer = type(module).__name__
    if attention_mask is not None:
        raise ExportError(f"{layer} adds a mask of its own to the attention")
    if kwargs.get("s_aux") is not None:
        raise ExportError(f"{layer} has attention sinks, which are not supported")
    for name, value in kwargs.items():
        # It may be a bias, a sink or a mask under another name.
        if isinstance(value, torch.Tensor) and name != "position_ids":
            raise ExportError(f'{layer} gives the attention an unknown tensor "{name}"')
    causal = kwargs.get("is_causal")
    if not (getattr(module, "is_causal", True) if causal is None else causal):
        raise ExportError(f"{layer} is not causal")
    if query.shape[2] != key.shape[2] or query.shape[1] % key.shape[1]:
        shapes = f"{list(query.shape)} and keys {list(key.shape)}"
        raise ExportError(f"{layer} has queries {shapes}, which do not fit")


def check_windows(config, windows):
    """Compares the windows that the layers asked for with those of the configuration.

    transformers writes windows into its masks, which are not built here. A layer that does not
    pass its window to the attention function too would see too much, in sequences longer than
    those of the verification.
    """
    text_config = config.get_text_config()
    window = getattr(text_config, "sliding_window", None) or 0
    if getattr(text_config, "use_sliding_window", None) is False:
        window = 0
    layer_types = getattr(text_config, "layer_types", None)
    if layer_types is None:
        layer_types = ["sliding_attention"] * len(windows)
    expected = [window if kind == "sliding_attention" else 0 for kind in layer_types]
    if windows != expected:
        raise ExportError("the layers do not use the sliding_window of config.json")
