"""Divides a model into what comes before its output head and the head."""

import inspect
import types

import torch


def id_arguments(forward, input_ids):
    """The arguments of a transformers forward, all of them made from the ids."""
    arguments = {"input_ids": input_ids, "use_cache": False}
    if "position_ids" in inspect.signature(forward).parameters:
        # Counted from the ids: an arange would record the device.
        arguments["position_ids"] = torch.ones_like(input_ids).cumsum(1) - 1
    return arguments


def restore_leading_shape(rows, hidden):
    """`rows` [1, N, V] with the leading shape of `hidden` [..., D]."""
    return rows.reshape(hidden.shape[:-1] + rows.shape[-1:])


def split_head(model, ids):
    """Gives the model the methods `hidden` and `head`, which follow each other in its forward.

    `hidden` calls the body of the model. `head` is the forward of transformers with a body that
    returns the given rows, so that all that it does to the logits is in the head.

    Args:
      model: a model whose forward takes ids and returns logits.
      ids: ids to try the methods with.

    Returns:
      What `hidden` gives for the ids. None, without the methods, if they do not give exactly the
      logits of forward.
    """
    body = model.base_model
    if body is model or hasattr(model, "hidden") or hasattr(model, "head"):
        return None
    try:
        bind_methods(model, body, type(body(**id_arguments(body.forward, ids))))
        hidden = model.hidden(ids)
        is_exact = not is_random(model.head, hidden) and gives_logits(model, ids)
    except Exception:  # A model with another structure can fail in any way.
        is_exact = False
    if is_exact:
        return hidden
    vars(model).pop("hidden", None)
    vars(model).pop("head", None)
    return None


def bind_methods(model, body, output_type):
    """Adds `hidden` and `head`; `output_type` is what the body returns."""
    forward = types.MethodType(type(model).forward, model)
    # Scripted because the number of dimensions would be fixed in a trace.
    restore = torch.jit.script(restore_leading_shape)

    def hidden(self, input_ids):
        del self
        return body(**id_arguments(body.forward, input_ids)).last_hidden_state

    def head(self, hidden):
        del self
        rows = hidden.flatten(0, -2).unsqueeze(0)
        body.forward = lambda *args, **kwargs: output_type(last_hidden_state=rows)
        try:
            logits = forward(use_cache=False).logits
        finally:
            del body.forward
        return restore(logits, hidden)

    model.hidden = types.MethodType(hidden, model)
    model.head = types.MethodType(head, model)


def is_random(function, value):
    return not torch.equal(function(value), function(value))


def gives_logits(model, ids):
    """Whether `hidden` and `head` give the logits of forward, with the same dropout."""

    def seeded(function):
        torch.manual_seed(0)
        return function(ids)

    with torch.random.fork_rng():
        parts = seeded(lambda ids: model.head(model.hidden(ids)))
        return torch.equal(parts, seeded(model))
