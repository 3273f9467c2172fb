"""Turns a transformers model into a TorchScript module of ids only."""

import dataclasses
import types

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
import transformers
from transformers.activations import NewGELUActivation

from hf_export.attention import ATTENTION_NAME, CausalAttention, check_windows
from hf_export.errors import CommandError, ExportError, UnknownAttentionError
from hf_export.folder import stored_weights
from hf_export.loading import load_model
from hf_export.sample_ids import clip_shape, random_ids
from hf_export.splitting import id_arguments, split_head

# Shape [B, T] of the ids to trace with; T is cut to the positions of the model.
TRACE_SHAPE = (2, 17)

# The forward of a file that has the other two methods.
FORWARD_SOURCE = """
def forward(self, input_ids):
    return self.head(self.hidden(input_ids))
"""

# All take (input, p, training).
FUNCTIONAL_DROPOUTS = frozenset(
    (torch.dropout, torch.feature_dropout, torch.alpha_dropout, torch.feature_alpha_dropout)
    + (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)
)

MATRIX_PRODUCTS = frozenset((torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__))


class TraceMode(TorchFunctionMode):
    """Cleans the recorded operations; refuses dropout that a trace would freeze.

    `x.to(device=x.device, dtype=d)` is recorded as `x.to(d)`, and `x.to(x.device)` not at all:
    both would put the name of a device into the file. Inactive dropout is not recorded either.

    Some versions of transformers make rotary angles as a matrix product of frequencies [D, 1] and
    positions [1, T], with autocast switched off, which a trace does not keep. It is recorded as
    an elementwise product: autocast leaves that in float32, but in a matrix product it would round
    the positions beyond 256 to bfloat16.
    """

    def __torch_function__(self, func, overloaded, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in FUNCTIONAL_DROPOUTS:
            return inactive_dropout(func, args, kwargs)
        if func in MATRIX_PRODUCTS and len(args) == 2 and is_outer_product(*args):
            return args[0] * args[1]
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


def is_outer_product(left, right):
    """Whether a matrix product sums over one element, so that it is an elementwise product."""
    return min(left.dim(), right.dim()) >= 2 and left.shape[-1] == right.shape[-2] == 1


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


def fuse_activations(model):
    """Replaces GPT-2's GELU, which transformers writes as eight operations, by PyTorch's own kernel.

    Both compute 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))). The kernel reads and writes memory once,
    and keeps one tensor for the backward pass instead of six.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))


def bind_forward(model):
    """Gives the model a forward from ids alone to the tensor of logits.

    The model is patched and not wrapped, so that its parameters keep their names.
    """
    forward = model.forward

    def forward_ids(self, input_ids):
        del self  # `forward` is bound already.
        return forward(**id_arguments(forward, input_ids)).logits

    model.forward = types.MethodType(forward_ids, model)


@dataclasses.dataclass
class TracedModel:
    """A traced model and what is known about it."""

    module: torch.jit.ScriptModule
    architecture: str
    vocab_size: int
    head: bool  # whether there are methods `hidden` and `head`
    attention: list  # class names of the attention modules, or ["eager"]
    windows: list  # of the layers, in order; 0 is none
    dropout: str  # "switchable", "removed" or "none"
    tied: list  # parameter names that are another name of an earlier parameter
    nonpersistent_buffers: list  # buffers that are not part of the model's state dict
    weights: list | None  # what folder.stored_weights() returns


def trace_folder(options, config, max_length):
    """Loads and traces the model, with its own attention where it takes no other."""
    attention = CausalAttention(max_length)
    transformers.AttentionInterface.register(ATTENTION_NAME, attention)
    try:
        model, _ = load_model(options.folder, config, ATTENTION_NAME, options.device)
        traced = trace_model(model, attention, options, max_length)
        if attention.settings:
            check_windows(config, traced.windows)
            return traced
    except UnknownAttentionError:
        pass
    model, _ = load_model(options.folder, config, "eager", options.device)
    return trace_model(model, None, options, max_length)


def trace_model(model, attention, options, max_length):
    """Traces a loaded model, which is changed by that.

    Args:
      model: a transformers causal language model.
      attention: its CausalAttention, or None for eager attention.
      options: the command line, of which the folder and no_dropout are used.
      max_length: tokens in the longest sequence, 0 for no limit.
    """
    parameters = [name for name, _ in model.named_parameters()]
    aliases = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    buffers = set(name for name, _ in model.named_buffers()) - set(model.state_dict())
    weights = stored_weights(options.folder, model)
    no_dropout = options.no_dropout
    model.train(not no_dropout)
    num_dropouts = 0 if no_dropout else script_dropouts(model)
    fuse_activations(model)
    bind_forward(model)
    ids = random_ids(model, clip_shape(TRACE_SHAPE, max_length), seed=0)
    try:
        with TraceMode():
            with torch.no_grad():
                logits = model(ids)  # Creates the attention modules.
                hidden = split_head(model, ids)
            module = trace_methods(model, ids, hidden)
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
        head=hidden is not None,
        attention=sorted(attention.kinds) if settings else ["eager"],
        windows=[layer.window for layer in settings],
        dropout="removed" if no_dropout else "switchable" if num_dropouts else "none",
        tied=[name for name in aliases if name not in parameters],
        nonpersistent_buffers=sorted(buffers),
        weights=weights,
    )


def trace_methods(model, ids, hidden):
    """Traces `hidden` and `head` and composes forward of them; forward alone without `hidden`."""
    if hidden is None:
        return torch.jit.trace(model, ids, check_trace=False)
    # One module with two methods, and not one module each: its parameters keep names and ties.
    module = torch.jit.trace_module(model, {"hidden": ids, "head": hidden}, check_trace=False)
    module.define(FORWARD_SOURCE)
    return module
