"""Compares a written file with the stock model, and measures how far apart they are."""

import collections

import torch
from torch.nn import functional as F

from hf_export.errors import ExportError
from hf_export.sample_ids import clip_shape, random_ids

# Shapes [B, T] of ids: for comparing logits, and for the other comparisons. T is cut to the
# positions of the model.
LOGIT_SHAPES = ((1, 1), (2, 17), (3, 40), (5, 33), (1, 200))
DETAIL_SHAPE = (3, 40)
# The sequence under autocast is longer because bfloat16 cannot hold positions above 256.
BFLOAT16_SHAPE = (1, 400)
# Windows are tried with a longer sequence, up to this many tokens.
MAX_WINDOW_ROW = 1024
# Shapes of --verify quick: for logits, and for the other comparisons. None is that of the trace. A
# row longer than the longest window that is tried takes the place of the first.
QUICK_LOGIT_SHAPES = ((1, 33), (3, 9))
QUICK_SHAPE = (3, 9)

# Largest accepted differences from the stock model. Those of logits are relative to the largest
# logit. That of a gradient is relative to its norm, which counts as at least GRADIENT_FLOOR of the
# largest norm: some gradients (key biases) are zero up to rounding.
LOGIT_TOLERANCE = 1e-4
LEAK_TOLERANCE = 1e-5
ROWS_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
GRADIENT_FLOOR = 1e-2

# How much further from float32 than the stock model's the bfloat16 logits may be without warning.
BFLOAT16_FACTOR = 2.0


def verify_file(path, stock, traced, max_length, quick, progress):
    """Compares a written file with the stock model.

    Args:
      path: the TorchScript file.
      stock: the transformers model with eager attention.
      traced: what is known about the traced model.
      max_length: tokens in the longest sequence, 0 for no limit.
      quick: whether to compare no more than shows that logits, gradients, causality, both modes and
        the head are right, at two shapes.
      progress: Progress that is told what is compared.

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
    ids = random_ids(stock, clip_shape(QUICK_SHAPE if quick else DETAIL_SHAPE, max_length), seed=100)
    shapes = logit_shapes(traced.windows, max_length, quick)
    progress.doing("verify: comparing parameters")
    figures = {"parameters": check_parameters(loaded, stock), "device_constants": count_device_constants(loaded)}
    progress.doing("verify: comparing logits")
    figures |= check_logits(loaded, stock, shapes)
    progress.doing("verify: comparing gradients")
    figures["gradient_difference"] = check_gradients(loaded, stock, ids)
    progress.doing("verify: causality and dropout")
    figures["future_leak"] = check_causality(loaded, stock, ids)
    figures["train_logit_difference"] = check_modes(loaded, stock, ids, traced.dropout)
    if traced.head:
        progress.doing("verify: comparing hidden and head")
        figures |= check_head(loaded, stock, shapes[:1] if quick else shapes, ids, quick)
    if not quick:
        progress.doing("verify: measuring under bf16")
        figures |= measure_bfloat16(loaded, stock, clip_shape(BFLOAT16_SHAPE, max_length))
    return figures


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


def logit_shapes(windows, max_length, quick):
    """Shapes to compare logits at, with one longer than each window that is not too long."""
    limit = min(MAX_WINDOW_ROW, max_length or MAX_WINDOW_ROW)
    beyond = [(1, window + 9) for window in sorted(set(windows)) if 0 < window <= limit - 9]
    shapes = [clip_shape(shape, max_length) for shape in (QUICK_LOGIT_SHAPES if quick else LOGIT_SHAPES)]
    return beyond[-1:] + shapes[-1:] if quick and beyond else shapes + beyond


def stock_logits(stock, ids):
    return stock(input_ids=ids, use_cache=False).logits


def largest(tensor):
    """Largest magnitude; NaN if there is a NaN."""
    return tensor.abs().max().item()


def require(figure, bound, what):
    """Raises ExportError unless figure <= bound, which NaN is not."""
    if not figure <= bound:
        raise ExportError(f"{what}: the difference is {figure:.3g}, accepted is {bound:.3g}")


def run(method, value, what):
    """Calls a traced method, which must not fail."""
    try:
        return method(value)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ExportError(f"the trace does not run on {what}: {reason}")


@torch.no_grad()
def check_logits(loaded, stock, shapes):
    """Compares logits in evaluation mode with the stock model's."""
    worst = scale = 0.0
    for seed, shape in enumerate(shapes):
        ids = random_ids(stock, shape, seed)
        expected = stock_logits(stock, ids)
        actual = run(loaded, ids, f"ids {list(shape)}")
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
    return compare_gradients(actual, expected, "gradient of")


def compare_gradients(actual, expected, what):
    """Compares gradients by parameter name; returns the largest relative difference."""
    norms = {name: gradient.norm().item() for name, gradient in expected.items()}
    floor = GRADIENT_FLOOR * max(norms.values())
    worst = 0.0
    for name, gradient in expected.items():
        if name not in actual:
            raise ExportError(f"the file gives no gradient for {name}")
        difference = (actual[name] - gradient).norm().item() / (max(norms[name], floor) or 1.0)
        require(difference, GRADIENT_TOLERANCE, f"{what} {name}")
        worst = max(worst, difference)
    return worst


def gradients(model, logits, ids):
    """Gradients of the mean cross-entropy by parameter name, where there is one."""
    cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), "mean").backward()
    return take_gradients(model)


def cross_entropy(logits, targets, reduction):
    """In float64: of a large vocabulary the one in float32 is wrong by more than all the layers are."""
    return F.cross_entropy(logits.double(), targets, reduction=reduction)


def take_gradients(model):
    """The gradients by parameter name, which are cleared."""
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

    def logits(training, seed):
        torch.manual_seed(seed)
        return loaded.train(training)(ids)

    evaluated, trained = logits(False, 0), logits(True, 0)
    if not torch.equal(evaluated, logits(False, 1)):
        raise ExportError("the file is random in evaluation mode")
    if torch.equal(trained, logits(True, 1)) == (dropout == "switchable"):
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


def check_head(loaded, stock, shapes, ids, quick):
    """Compares `hidden` and `head` with forward, in both modes and also in chunks of positions.

    If `quick`, in training mode alone, which has all that evaluation has.

    Returns:
      The largest differences as a dict.
    """
    rows = gradient = 0.0
    for shape in shapes:
        rows = max(rows, check_head_logits(loaded, random_ids(stock, shape, seed=0)))
    for training in (True,) if quick else (False, True):
        loaded.train(training)
        rows = max(rows, check_head_logits(loaded, ids))
        torch.manual_seed(0)
        expected = gradients(loaded, loaded(ids), ids)
        torch.manual_seed(0)
        actual = chunked_gradients(loaded, ids)
        difference = compare_gradients(actual, expected, "in chunks, gradient of")
        gradient = max(gradient, difference)
    loaded.eval()
    return {"head_rows_difference": rows, "head_gradient_difference": gradient}


@torch.no_grad()
def check_head_logits(loaded, ids):
    """Requires head(hidden(ids)) to be forward(ids), bit for bit, and the same of single positions.

    Returns:
      The difference of the logits of positions, relative to the largest logit.
    """
    what = f"head of ids {list(ids.shape)}"
    torch.manual_seed(0)
    expected = loaded(ids)
    torch.manual_seed(0)
    hidden = loaded.hidden(ids)
    logits = loaded.head(hidden)
    if hidden.shape[:-1] != ids.shape or not torch.equal(logits, expected):
        raise ExportError(f"{what}: the logits are not those of forward")
    rows = run(loaded.head, hidden.flatten(0, 1), f"flattened rows for the {what}")
    if rows.shape != expected.flatten(0, 1).shape:
        raise ExportError(f"{what}: flattened rows give {list(rows.shape)}")
    difference = largest(rows - expected.flatten(0, 1)) / (largest(expected) or 1.0)
    require(difference, ROWS_TOLERANCE, f"{what}: flattened rows")
    return difference


def chunked_gradients(model, ids):
    """What `gradients` gives, with the logits of a chunk of positions at a time."""
    hidden = model.hidden(ids)[:, :-1].flatten(0, 1)
    leaf = hidden.detach().requires_grad_()
    targets = ids[:, 1:].flatten()
    count = len(targets)
    # Chunks of two sizes. MKL sums a vocabulary for fewer than four rows with ten times the error.
    bounds = sorted({0, count // 3, count})
    for start, end in zip(bounds, bounds[1:]):
        logits = model.head(leaf[start:end])
        (cross_entropy(logits, targets[start:end], "sum") / count).backward()
    if leaf.grad is None:
        raise ExportError("the head gives no gradient for what it is given")
    hidden.backward(leaf.grad)
    return take_gradients(model)


@torch.no_grad()
def measure_bfloat16(loaded, stock, shape):
    """Distances from float32 under bfloat16 autocast, of the file and of the stock model.

    They may differ: a trace does not keep the places where a model switches autocast off.
    """
    ids = random_ids(stock, shape, seed=102)
    reference = stock_logits(stock, ids)
    with torch.autocast(ids.device.type, dtype=torch.bfloat16):
        actual, expected = loaded(ids), stock_logits(stock, ids)
    return {
        "bf16_difference": largest(actual - reference),
        "bf16_difference_stock": largest(expected - reference),
    }


def find_warnings(figures, traced, unused):
    """Warnings for the user of a file that passed."""
    found = []
    if unused:
        found.append(f"the model does not use {len(unused)} of the weights, first {unused[0]}")
    if figures["device_constants"]:
        found.append("the file is bound to the device it was traced on; see --device")
    if not traced.head:
        found.append("the file has no methods hidden and head: the model cannot be split exactly")
    if traced.attention == ["eager"]:
        found.append("the model's own attention needs memory in the square of the row length")
    if traced.weights is None:
        found.append(
            "the folder does not hold the model's tensors one by one: a run writes no folder model"
        )
    if figures.get("bf16_difference", 0) > BFLOAT16_FACTOR * figures.get("bf16_difference_stock", 0):
        found.append("under bf16 autocast the file is less precise than the model; use fp32")
    return found
