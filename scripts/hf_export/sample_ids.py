"""Random token ids, to trace a model with and to compare models on."""

import torch


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
