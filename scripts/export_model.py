#!/usr/bin/env python3
"""Exports a Hugging Face causal language model as a trainable TorchScript file.

    .venv/bin/python scripts/export_model.py FOLDER --output model.pt

The file has one method, `forward(input_ids int64 [B, T]) -> logits float32 [B, T, V]`, and holds
float32 weights under their Hugging Face names. FOLDER is what `save_pretrained` writes; a
tokenizer is not needed.

How it works:

* Attention becomes a small *scripted* module that is causal by construction, so that no mask is
  built and dropout obeys `train()` and `eval()` of the loaded file. The rest is *traced*. Models
  that take no custom attention function are traced with their own eager attention.
* Every `nn.Dropout` becomes a scripted module too: a traced one would keep the mode it was traced
  in. With `--no_dropout` the model is traced in evaluation mode and has no dropout at all.
* Positions are derived from the ids, and copies to the device a tensor is already on are left
  out, so that the file is not bound to one device.
* The finished file is loaded again and compared with the stock model before it gets its name:
  parameters and ties, logits at several shapes, gradients, causality, and both modes. A model
  that does not pass leaves no file.

On success stdout holds one JSON object with the measured figures; a failure is one line
`error: ...` on stderr. Exit codes: 0 done, 1 internal error, 2 usage, 4 the model cannot be
exported exactly, 6 the file cannot be written.
"""

import argparse
import collections
import contextlib
import copy
import dataclasses
import inspect
import json
import logging
import os
import sys
import time
import types
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"  # The folder on disk is all that is ever read.

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
    from torch.overrides import TorchFunctionMode
    import transformers
except ImportError as error:
    sys.exit(f"error: {error}; use a Python that has torch and transformers, such as .venv's")

METADATA_NAME = "pdl_meta.json"
METADATA_FORMAT = "pdl-ts-1"

# The name under which the causal attention is registered with transformers.
ATTENTION_NAME = "pdl_causal"

# Shapes [B, T] of ids: for tracing, for comparing logits, and for the other comparisons. Rows are
# cut where the model is shorter.
TRACE_SHAPE = (2, 17)
LOGIT_SHAPES = ((1, 1), (2, 17), (3, 40), (5, 33), (1, 200))
DETAIL_SHAPE = (3, 40)
# Windows are tried out with a longer row, up to this many tokens.
MAX_WINDOW_ROW = 1024

# Largest accepted differences from the stock model. Those of logits are relative to the largest
# logit. That of a gradient is relative to its norm, which counts as at least GRADIENT_FLOOR of the
# largest norm: some gradients (key biases) are zero up to rounding.
LOGIT_TOLERANCE = 1e-4
LEAK_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
GRADIENT_FLOOR = 1e-2

# How much further from float32 than the stock model's the bfloat16 logits may be without warning.
BFLOAT16_FACTOR = 2.0

# All take (input, p, training).
FUNCTIONAL_DROPOUTS = frozenset(
    (torch.dropout, torch.feature_dropout, torch.alpha_dropout, torch.feature_alpha_dropout)
    + (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)
)


class CommandError(Exception):
    """A failure with an exit code and a message of one line."""

    exit_code = 1


class UsageError(CommandError):
    exit_code = 2


class ExportError(CommandError):
    """The model cannot be exported exactly."""

    exit_code = 4


class StorageError(CommandError):
    exit_code = 6


class UnknownAttentionError(Exception):
    """The architecture takes no attention function of ours."""


# ------------------------------------------------------------------------------------- loading


def load_config(folder):
    """Reads the configuration of a model folder, with the cache switched off."""
    if not os.path.isfile(os.path.join(folder, "config.json")):
        raise ExportError(f"{folder}: has no config.json; give a folder made by save_pretrained")
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ExportError(f"{folder}: config.json cannot be used: {error}")
    config.use_cache = False
    return config


def refuse_unsupported(config, keep_dropout):
    """Raises ExportError for settings that a trace could get wrong unnoticed.

    What is refused here may pass the comparison at the short rows of the verification and go
    wrong with longer ones, or at random.
    """
    if getattr(config, "quantization_config", None):
        raise ExportError("the weights are quantized; only float weights can be trained")
    text_config = config.get_text_config()
    for rope_type in rope_types(text_config):
        if "dynamic" in rope_type or rope_type == "longrope":
            raise ExportError(
                f'rope type "{rope_type}" changes with the row length, which a trace cannot follow'
            )
    nested = getattr(text_config, "attn_config", None)
    has_alibi = any(getattr(part, "alibi", False) for part in (text_config, nested))
    if has_alibi or text_config.model_type == "bloom":
        raise ExportError("alibi position biases are not supported")
    if getattr(text_config, "attention_chunk_size", None):
        raise ExportError("attention in chunks is not supported")
    for layer_type in getattr(text_config, "layer_types", None) or ():
        if layer_type not in ("full_attention", "sliding_attention"):
            raise ExportError(f'layers of type "{layer_type}" are not supported')
    if keep_dropout and getattr(text_config, "layerdrop", 0.0):
        raise ExportError(
            "layerdrop skips layers at random, which a trace cannot; use --no_dropout"
        )


def rope_types(config):
    """Names of the rotary position embeddings, of all layer types."""
    parameters = getattr(config, "rope_parameters", None) or {}
    nested = [value for value in parameters.values() if isinstance(value, dict)]
    return [entry.get("rope_type", "default") for entry in [parameters] + nested]


def longest_row(config, requested):
    """Tokens in the longest row for which the file has to be exact; 0 is no limit.

    Args:
      config: configuration of the model.
      requested: value of --max_length, 0 if not given.
    """
    text_config = config.get_text_config()
    positions = getattr(text_config, "max_position_embeddings", None)
    positions = int(positions or getattr(text_config, "n_positions", None) or 0)
    if positions and requested > positions:
        raise UsageError(f"--max_length {requested}: the model has {positions} positions")
    return requested or positions


def load_model(folder, config, attention, device):
    """Loads the float32 model with the named attention implementation.

    transformers fills weights that the folder lacks with random numbers and only warns; here that
    is an error.

    Returns:
      The model, and the names of weights in the folder that it does not use.
    """
    try:
        model, loading = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            config=copy.deepcopy(config),
            attn_implementation=attention,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:
        if isinstance(error, KeyError) and ATTENTION_NAME in str(error):
            raise UnknownAttentionError from error
        raise ExportError(f"{folder}: the model cannot be loaded: {error}")
    for kind in ("missing_keys", "mismatched_keys"):
        names = sorted(str(name) for name in loading[kind])
        if names:
            raise ExportError(f"{folder}: weights: {kind.replace('_', ' ')} {', '.join(names)}")
    return model.to(device), sorted(loading["unexpected_keys"])


# ----------------------------------------------------------------------------------- attention


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
    """What one layer asks of its attention function."""

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
        """The module for a layer; a window that no row exceeds is left out."""
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
    hand its window to the attention function as well would see too much, in rows longer than
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


# ------------------------------------------------------------------------------------- tracing


class TraceMode(TorchFunctionMode):
    """Cleans the recorded operations; refuses dropout that a trace would freeze.

    `x.to(device=x.device, dtype=d)` is recorded as `x.to(d)`, and `x.to(x.device)` not at all:
    both would put the name of a device into the file. Inactive dropout is not recorded either.
    """

    def __torch_function__(self, func, overloaded, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in FUNCTIONAL_DROPOUTS:
            return inactive_dropout(func, args, kwargs)
        if func is torch.Tensor.to:
            args, kwargs = without_own_device(args, kwargs)
            if len(args) == 1 and set(kwargs) <= {"non_blocking"}:
                return args[0]
        return func(*args, **kwargs)


def inactive_dropout(func, args, kwargs):
    """The input of a call of dropout; raises ExportError if the call would change it."""
    arguments = dict(zip(("input", "p", "training"), args), **kwargs)
    active = arguments.get("training", arguments.get("train", True))
    p = arguments.get("p", 0.5)
    if active and p > 0:
        raise ExportError(
            f"the model calls {func.__name__}(p={p:g}) directly, which the file could not switch "
            "off for evaluation; use --no_dropout"
        )
    return arguments["input"]


def without_own_device(args, kwargs):
    """Arguments of Tensor.to without the device that the tensor is on."""
    tensor, *rest = args

    def is_own(value):
        if not isinstance(value, (str, torch.device)):
            return False
        device = torch.device(value)
        return device.type == tensor.device.type and device.index in (None, tensor.device.index)

    args = (tensor, *(value for value in rest if not is_own(value)))
    if kwargs.get("device") is None or is_own(kwargs["device"]):
        kwargs = {name: value for name, value in kwargs.items() if name != "device"}
    return args, kwargs


def script_dropouts(model):
    """Replaces each active nn.Dropout by a scripted one; returns how many there were."""
    count = 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout) and child.p > 0:
                dropout = torch.jit.script(nn.Dropout(child.p, child.inplace))
                setattr(module, name, dropout.train(child.training))
                count += 1
    return count


def bind_forward(model):
    """Gives the model a forward from ids alone to the tensor of logits.

    The model is patched and not wrapped, so that its parameters keep their names.
    """
    forward = model.forward
    takes_positions = "position_ids" in inspect.signature(forward).parameters

    def forward_ids(self, input_ids):
        del self  # `forward` is bound already.
        kwargs = {}
        if takes_positions:
            # Counted from the ids: an arange would record the device.
            kwargs["position_ids"] = torch.ones_like(input_ids).cumsum(1) - 1
        return forward(input_ids=input_ids, use_cache=False, **kwargs).logits

    model.forward = types.MethodType(forward_ids, model)


def random_ids(model, shape, seed):
    """Ids of shape [B, T] that are valid as inputs and as targets."""
    width = model.get_input_embeddings().weight.shape[0]
    head = model.get_output_embeddings()
    if head is not None:
        width = min(width, head.weight.shape[0])
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(width, shape, generator=generator)
    return ids.to(next(model.parameters()).device)


def clip_shape(shape, max_length):
    """The shape [B, T] with T at most max_length; 0 is no limit."""
    rows, length = shape
    return (rows, min(length, max_length or length))


@dataclasses.dataclass
class TracedModel:
    """A traced model and what is known about it."""

    module: torch.jit.ScriptModule
    architecture: str
    vocab_size: int
    attention: list  # class names of the attention modules, or ["eager"]
    windows: list  # of the layers, in order; 0 is none
    dropout: str  # "switchable", "removed" or "none"
    tied: list  # parameter names that are another name of an earlier parameter
    nonpersistent_buffers: list  # buffers that are not part of the model's state dict


def trace_folder(options, config, max_length):
    """Loads and traces the model, with its own attention where it takes no other."""
    attention = CausalAttention(max_length)
    transformers.AttentionInterface.register(ATTENTION_NAME, attention)
    try:
        model, _ = load_model(options.folder, config, ATTENTION_NAME, options.device)
        traced = trace_model(model, attention, options.no_dropout, max_length)
        if attention.settings:
            check_windows(config, traced.windows)
            return traced
    except UnknownAttentionError:
        pass
    model, _ = load_model(options.folder, config, "eager", options.device)
    return trace_model(model, None, options.no_dropout, max_length)


def trace_model(model, attention, no_dropout, max_length):
    """Traces a loaded model, which is changed by that.

    Args:
      model: a transformers causal language model.
      attention: its CausalAttention, or None for eager attention.
      no_dropout: whether to trace the model as it is in evaluation.
      max_length: tokens in the longest row, 0 for no limit.
    """
    parameters = [name for name, _ in model.named_parameters()]
    aliases = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    buffers = set(name for name, _ in model.named_buffers()) - set(model.state_dict())
    model.train(not no_dropout)
    num_dropouts = 0 if no_dropout else script_dropouts(model)
    bind_forward(model)
    ids = random_ids(model, clip_shape(TRACE_SHAPE, max_length), seed=0)
    try:
        with TraceMode():
            with torch.no_grad():
                logits = model(ids)  # Creates the attention modules.
            module = torch.jit.trace(model, ids, check_trace=False)
    except CommandError:
        raise
    except Exception as error:
        raise ExportError(f"{type(model).__name__} cannot be traced: {error}")
    settings = attention.settings if attention else []
    num_dropouts += sum(layer.dropout > 0 for layer in settings)
    return TracedModel(
        module=module,
        architecture=type(model).__name__,
        vocab_size=int(logits.shape[-1]),
        attention=sorted(attention.kinds) if settings else ["eager"],
        windows=[layer.window for layer in settings],
        dropout="removed" if no_dropout else "switchable" if num_dropouts else "none",
        tied=[name for name in aliases if name not in parameters],
        nonpersistent_buffers=sorted(buffers),
    )


# ------------------------------------------------------------------------------------- writing


def make_metadata(config, traced, max_length):
    """The content of pdl_meta.json inside the file."""
    return {
        "format": METADATA_FORMAT,
        "arch": config.architectures or [traced.architecture],
        "config": json.loads(config.to_json_string()),
        "vocab_size": traced.vocab_size,
        "max_positions": max_length,
        "dropout": traced.dropout,
        "attention": traced.attention,
        "tied": traced.tied,
        "nonpersistent_buffers": traced.nonpersistent_buffers,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def save(module, metadata, path):
    """Writes a TorchScript file durably and returns its size in bytes.

    It is serialised in memory first: a failed write inside the serialiser would end the process.
    """
    try:
        content = module.save_to_buffer(_extra_files={METADATA_NAME: json.dumps(metadata)})
    except RuntimeError as error:
        raise ExportError(f"the trace cannot be written as TorchScript: {error}")
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return len(content)


@contextlib.contextmanager
def storage_errors(path):
    """Names `path` in the failures of writing it."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}")


@contextlib.contextmanager
def published_on_success(path):
    """Yields a temporary name beside `path` and renames that file to `path` at the end.

    If the block raises, the temporary file is deleted and `path` stays as it was.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with storage_errors(path):
            os.replace(temporary, path)
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)  # Makes the rename durable.
            finally:
                os.close(descriptor)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


# -------------------------------------------------------------------------------- verification


def verify_file(path, stock, traced, max_length):
    """Compares a written file with the stock model.

    Args:
      path: the TorchScript file.
      stock: the transformers model with eager attention.
      traced: what is known about the traced model.
      max_length: tokens in the longest row, 0 for no limit.

    Returns:
      The measured figures as a dict.

    Raises:
      ExportError: the file is not the same function of the same parameters.
    """
    device = next(stock.parameters()).device
    # The executor's optimisations slow the first passes down and do not help training.
    torch._C._set_graph_executor_optimize(False)
    loaded = torch.jit.load(path, map_location=device).eval()
    stock.eval()
    ids = random_ids(stock, clip_shape(DETAIL_SHAPE, max_length), seed=100)
    return {
        "parameters": check_parameters(loaded, stock),
        "device_constants": count_device_constants(loaded),
        **check_logits(loaded, stock, logit_shapes(traced.windows, max_length)),
        "gradient_difference": check_gradients(loaded, stock, ids),
        "future_leak": check_causality(loaded, stock, ids),
        "train_logit_difference": check_modes(loaded, stock, ids, traced.dropout),
        **measure_bfloat16(loaded, stock, ids),
    }


def check_parameters(loaded, stock):
    """Requires equal names, values and ties; returns the number of weights."""

    def ties(parameters):
        names = collections.defaultdict(set)
        for name, parameter in parameters.items():
            names[parameter.data_ptr(), parameter.shape].add(name)
        return sorted(map(sorted, names.values()))

    actual = dict(loaded.named_parameters(remove_duplicate=False))
    expected = dict(stock.named_parameters(remove_duplicate=False))
    for name in sorted(set(actual) ^ set(expected)):
        raise ExportError(f"parameter {name} is not in both the file and the model")
    for name, parameter in expected.items():
        if not torch.equal(actual[name], parameter):
            raise ExportError(f"parameter {name} has another value in the file")
        if actual[name].dtype != torch.float32 or not actual[name].requires_grad:
            raise ExportError(f"parameter {name} cannot be trained in the file")
    if ties(actual) != ties(expected):
        raise ExportError("the file does not tie the same parameters as the model")
    return sum(parameter.numel() for parameter in stock.parameters())


def count_device_constants(loaded):
    """Number of devices, and of tensors with dimensions, that are fixed in the graph."""
    count = 0
    graph = loaded.inlined_graph  # Its nodes live no longer than it does.
    for node in graph.findAllNodes("prim::Constant", True):
        is_tensor = "value" in node.attributeNames() and node.kindOf("value") == "t"
        if node.output().type().kind() == "DeviceObjType":
            count += 1
        elif is_tensor and node.t("value").dim() > 0:
            count += 1
    return count


def logit_shapes(windows, max_length):
    """Shapes to compare logits at, with one beyond each window that is not too long."""
    limit = min(MAX_WINDOW_ROW, max_length or MAX_WINDOW_ROW)
    beyond = [(1, window + 9) for window in sorted(set(windows)) if 0 < window <= limit - 9]
    return [clip_shape(shape, max_length) for shape in LOGIT_SHAPES] + beyond


def stock_logits(stock, ids):
    return stock(input_ids=ids, use_cache=False).logits


def largest(tensor):
    """Largest magnitude; NaN if there is a NaN."""
    return tensor.abs().max().item()


def require(figure, bound, what):
    """Raises ExportError unless figure <= bound, which NaN is not."""
    if not figure <= bound:
        raise ExportError(f"{what}: the difference is {figure:.3g}, accepted is {bound:.3g}")


@torch.no_grad()
def check_logits(loaded, stock, shapes):
    """Compares logits in evaluation mode with the stock model's."""
    worst = scale = 0.0
    for seed, shape in enumerate(shapes):
        ids = random_ids(stock, shape, seed)
        expected = stock_logits(stock, ids)
        try:
            actual = loaded(ids)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ExportError(f"the trace does not run on ids {list(shape)}: {reason}")
        if actual.shape != expected.shape or actual.dtype != torch.float32:
            raise ExportError(f"ids {list(shape)} give {actual.dtype} {list(actual.shape)}")
        difference = largest(actual - expected)
        require(difference, LOGIT_TOLERANCE * largest(expected), f"logits of ids {list(shape)}")
        worst, scale = max(worst, difference), max(scale, largest(expected))
    return {"shapes": shapes, "largest_logit": scale, "logit_difference": worst}


def check_gradients(loaded, stock, ids):
    """Compares the gradients of the cross-entropy, parameter by parameter."""
    actual = gradients(loaded, loaded(ids), ids)
    expected = gradients(stock, stock_logits(stock, ids), ids)
    norms = {name: gradient.norm().item() for name, gradient in expected.items()}
    floor = GRADIENT_FLOOR * max(norms.values())
    worst = 0.0
    for name, gradient in expected.items():
        if name not in actual:
            raise ExportError(f"the file gives no gradient for {name}")
        difference = (actual[name] - gradient).norm().item() / (max(norms[name], floor) or 1.0)
        require(difference, GRADIENT_TOLERANCE, f"gradient of {name}")
        worst = max(worst, difference)
    return worst


def gradients(model, logits, ids):
    """Gradients of the mean cross-entropy by parameter name, where there is one."""
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    result = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if parameter.grad is not None:
            result[name] = parameter.grad.clone()
    model.zero_grad()
    return result


@torch.no_grad()
def check_causality(loaded, stock, ids):
    """Changes the ids from some position on; earlier logits must stay.

    Returns:
      The largest change of an earlier logit, relative to the largest logit.
    """
    other = random_ids(stock, tuple(ids.shape), seed=101)
    logits = loaded(ids)
    length = ids.shape[1]
    worst = 0.0
    for start in (1, length // 2, length - 1):
        changed = loaded(torch.cat((ids[:, :start], other[:, start:]), 1))
        leak = largest(changed[:, :start] - logits[:, :start]) / (largest(logits) or 1.0)
        require(leak, LEAK_TOLERANCE, "earlier logits depend on later ids")
        worst = max(worst, leak)
    return worst


@torch.no_grad()
def check_modes(loaded, stock, ids, dropout):
    """Requires that train() and eval() switch dropout, and nothing else.

    On the CPU the stock model draws the same random numbers in the same order, so that its logits
    with dropout have to be the file's.

    Returns:
      The difference in training mode, None where it cannot be compared.
    """

    def run(training, seed):
        torch.manual_seed(seed)
        return loaded.train(training)(ids)

    evaluated, trained = run(False, 0), run(True, 0)
    if not torch.equal(evaluated, run(False, 1)):
        raise ExportError("the file is random in evaluation mode")
    if torch.equal(trained, run(True, 1)) == (dropout == "switchable"):
        raise ExportError(f"dropout is {dropout}, but the file behaves otherwise")
    if dropout != "switchable" and not torch.equal(trained, evaluated):
        raise ExportError("the file has no dropout, but differs in training mode")
    loaded.eval()
    if dropout == "removed" or ids.device.type != "cpu":
        return None
    torch.manual_seed(0)
    expected = stock_logits(stock.train(), ids)
    stock.eval()
    difference = largest(trained - expected)
    require(difference, LOGIT_TOLERANCE * largest(expected), "logits in training mode")
    return difference


@torch.no_grad()
def measure_bfloat16(loaded, stock, ids):
    """Distances from float32 under bfloat16 autocast, of the file and of the stock model.

    They may differ: a trace does not keep the places where a model switches autocast off.
    """
    reference = stock_logits(stock, ids)
    with torch.autocast(ids.device.type, dtype=torch.bfloat16):
        actual, expected = loaded(ids), stock_logits(stock, ids)
    return {
        "bf16_difference": largest(actual - reference),
        "bf16_difference_stock": largest(expected - reference),
    }


def find_warnings(figures, traced, unused):
    """What the user of a file that passed should know."""
    found = []
    if unused:
        found.append(f"the model does not use {len(unused)} of the weights, first {unused[0]}")
    if figures["device_constants"]:
        found.append("the file is bound to the device it was traced on; see --device")
    if traced.attention == ["eager"]:
        found.append("the model's own attention needs memory in the square of the row length")
    if figures["bf16_difference"] > BFLOAT16_FACTOR * figures["bf16_difference_stock"]:
        found.append("under bf16 autocast the file is less precise than the model; use fp32")
    return found


# -------------------------------------------------------------------------------- command line


def export(options):
    """Makes and verifies the file; returns the report as a dict."""
    seconds = {}

    @contextlib.contextmanager
    def timed(phase):
        start = time.monotonic()
        yield
        seconds[phase] = round(time.monotonic() - start, 3)

    config = load_config(options.folder)
    refuse_unsupported(config, keep_dropout=not options.no_dropout)
    max_length = longest_row(config, options.max_length)
    with published_on_success(options.output) as temporary:
        with timed("trace"):
            traced = trace_folder(options, config, max_length)
        with timed("save"), storage_errors(options.output):
            metadata = make_metadata(config, traced, max_length)
            file_bytes = save(traced.module, metadata, temporary)
        traced.module = None  # Frees its weights before two other copies are loaded.
        with timed("verify"):
            stock, unused = load_model(options.folder, config, "eager", options.device)
            figures = verify_file(temporary, stock, traced, max_length)
    return {
        "model": options.folder,
        "output": options.output,
        "architecture": traced.architecture,
        "attention": traced.attention,
        "dropout": traced.dropout,
        "tied": traced.tied,
        "vocab_size": traced.vocab_size,
        "max_length": max_length,
        "file_bytes": file_bytes,
        **figures,
        "warnings": find_warnings(figures, traced, unused),
        "seconds": seconds,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose failures are one line."""

    def error(self, message):
        raise UsageError(f"{message}; see --help")


def parse_arguments(argv):
    """Parses and checks the command line."""
    parser = ArgumentParser(
        allow_abbrev=False,
        description="Exports a Hugging Face causal language model as a trainable, verified "
        "TorchScript file.",
    )
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="model folder, as written by save_pretrained")
    add("--output", required=True, metavar="FILE", help="file to write; replaced if it exists")
    add("--no_dropout", action="store_true", help="leave all dropout out")
    add(
        "--max_length",
        type=int,
        default=0,
        metavar="N",
        help="longest row in tokens that will be used (default: the positions of the model); "
        "attention windows of this size or more are left out, which is faster",
    )
    add("--device", default="cpu", help="device to trace and verify on (default: cpu)")
    options = parser.parse_args(argv)
    if options.max_length < 0 or options.max_length == 1:
        raise UsageError(f"--max_length {options.max_length}: must be at least 2")
    folder = os.path.dirname(os.path.abspath(options.output))
    if not os.path.isdir(folder):
        raise UsageError(f"--output {options.output}: there is no folder {folder}")
    if os.path.isdir(options.output):
        raise UsageError(f"--output {options.output}: is a folder")
    try:
        torch.empty(0, device=options.device)
    except (AssertionError, RuntimeError) as error:
        raise UsageError(f"--device {options.device}: {error}")
    return options


def one_line(message, limit=290):
    """A message without line breaks, cut to the length of an error line."""
    text = " ".join(str(message).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def quieten_libraries():
    """Keeps stderr to this program's own lines."""
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity(logging.CRITICAL)
    transformers.logging.disable_progress_bar()


def main(argv=None):
    """Runs the program; returns its exit code."""
    try:
        with warnings.catch_warnings():
            quieten_libraries()
            report = export(parse_arguments(argv))
    except CommandError as error:
        print("error:", one_line(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        message = one_line(f"internal: {type(error).__name__}: {error}")
        print("error:", message, file=sys.stderr)
        return 1
    for warning in report["warnings"]:
        print("warning:", warning, file=sys.stderr)
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
