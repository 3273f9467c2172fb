"""Times the matrix products of one training step alone: matmul_floor.py JOB.

These are, for each matrix of the model and for the head, the products of the forward pass, of the
gradient of the input and of the gradient of the matrix. In the attention of each layer they are
scores and values, and the four products of their gradients, over the whole square of positions.
Each product that differs is timed by itself, with operands laid out as those of nn.Linear.
"""

import json
import statistics
import time

import torch
import transformers
import work

TIMINGS = 5


def matrices_of(config):
    """(inputs, outputs, how often) of the matrices of a model, the head among them."""
    width, layers = config.hidden_size, config.num_hidden_layers
    head = [(width, config.vocab_size, 1)]
    if config.model_type == "gpt2":
        inner = config.n_inner or 4 * width
        return head + [
            (width, 3 * width, layers),
            (width, width, layers),
            (width, inner, layers),
            (inner, width, layers),
        ]
    if config.model_type == "llama":
        inner = config.intermediate_size
        keys = width // config.num_attention_heads * config.num_key_value_heads
        return head + [
            (width, width, 2 * layers),  # Queries and the output of attention.
            (width, keys, 2 * layers),
            (width, inner, 2 * layers),
            (inner, width, layers),
        ]
    raise SystemExit(f"error: the matrices of a {config.model_type} model are not known here")


def product_seconds(left, right):
    """Median time of a product, without that of allocating its result."""
    multiply = torch.mm if left.dim() == 2 else torch.bmm
    result = multiply(left, right)
    times = []
    for _ in range(TIMINGS):
        start = time.monotonic()
        multiply(left, right, out=result)
        times.append(time.monotonic() - start)
    return statistics.median(times)


def matrix_seconds(positions, inputs, outputs):
    x, weight = torch.randn(positions, inputs), torch.randn(outputs, inputs)
    gradient = torch.randn(positions, outputs)
    return (
        product_seconds(x, weight.t())
        + product_seconds(gradient, weight)
        + product_seconds(gradient.t(), x)
    )


def attention_seconds(heads, length, head_width):
    """Scores and values, and the gradients of queries, keys, probabilities and values."""
    x, scores = torch.randn(heads, length, head_width), torch.randn(heads, length, length)
    across = product_seconds(x, x.transpose(1, 2))
    return (
        2 * across  # Scores; gradient of the probabilities.
        + 2 * product_seconds(scores, x)  # Values; gradient of the queries.
        + 2 * product_seconds(scores.transpose(1, 2), x)  # Gradients of keys and values.
    )


def main():
    job = work.load_job()
    config = transformers.AutoConfig.from_pretrained(job["model"])
    rows, length = job["rows_per_step"], job["length"]
    matrices = matrices_of(config)
    seconds = sum(
        times * matrix_seconds(rows * length, inputs, outputs)
        for inputs, outputs, times in matrices
    )
    heads, layers = config.num_attention_heads, config.num_hidden_layers
    head_width = config.hidden_size // heads
    seconds += layers * attention_seconds(rows * heads, length, head_width)
    operations = sum(6 * rows * length * i * o * times for i, o, times in matrices)
    operations += layers * 12 * rows * heads * length**2 * head_width
    print(json.dumps({"seconds": seconds, "operations": operations}))


if __name__ == "__main__":
    main()
