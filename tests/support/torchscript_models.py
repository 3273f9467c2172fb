"""TorchScript programs of one embedding, right and wrong ones."""

import torch

VOCABULARY = 384  # that of the tiny example
LOGITS = "(torch.embedding(self.weight, input_ids) @ self.weight.t())"
TEN_LINES = "broken, in many lines\\n" * 10

# File name, parameters of forward, its body, and options of `save_model`.
WRONG_MODELS = [
    ("two_arguments.pt", "input_ids, mask", f"return {LOGITS} * mask", {}),
    ("no_arguments.pt", None, "return self.weight", {}),
    ("text_argument.pt", "input_ids: str", "return self.weight", {}),
    ("list_argument.pt", "input_ids: List[int]", "return self.weight", {}),
    ("no_forward.pt", "input_ids", f"return {LOGITS}", {"method": "score"}),
    ("logits_2d.pt", "input_ids", f"return {LOGITS}[:, 0]", {}),
    ("logits_4d.pt", "input_ids", f"return {LOGITS}.unsqueeze(0)", {}),
    ("logits_scalar.pt", "input_ids", f"return {LOGITS}.sum()", {}),
    ("logits_int.pt", "input_ids", f"return {LOGITS}.long()", {}),
    ("logits_short_t.pt", "input_ids", f"return {LOGITS}[:, 1:]", {}),
    ("logits_short_b.pt", "input_ids", f"return {LOGITS}[1:]", {}),
    ("logits_no_width.pt", "input_ids", f"return {LOGITS}[:, :, :0]", {}),
    ("logits_narrow.pt", "input_ids", f"return {LOGITS}[:, :, :300]", {}),
    ("logits_detached.pt", "input_ids", f"return {LOGITS}.detach()", {}),
    ("gives_text.pt", "input_ids", "return 'logits'", {}),
    ("gives_nothing.pt", "input_ids", "return None", {}),
    ("gives_tuple_of_int.pt", "input_ids", f"return (1, {LOGITS})", {}),
    ("gives_other_dict.pt", "input_ids", f"return {{'scores': {LOGITS}}}", {}),
    ("raises.pt", "input_ids", "raise RuntimeError('broken on purpose')", {}),
    ("raises_long.pt", "input_ids", f"raise RuntimeError('{TEN_LINES * 10}')", {}),
    ("narrow.pt", "input_ids", f"return {LOGITS}", {"vocabulary": 300}),
    ("float64.pt", "input_ids", f"return {LOGITS}", {"dtype": torch.float64}),
    ("fixed_parameters.pt", "input_ids", f"return {LOGITS}", {"trainable": False}),
    ("buffers.pt", "input_ids", f"return {LOGITS}", {"as_parameters": False}),
    ("positions.pt", "input_ids",
     f"return {LOGITS} + torch.embedding(self.positions, torch.arange(input_ids.size(1)))[:, :1]",
     {"positions": 16}),
]  # fmt: skip


def save_model(path, parameters="input_ids", body=f"return {LOGITS}", *, method="forward", vocabulary=VOCABULARY,
               dtype=torch.float32, trainable=True, as_parameters=True, positions=0):  # fmt: skip
    signature = "self" if parameters is None else f"self, {parameters}"

    class Model(torch.jit.ScriptModule):
        def __init__(self):
            super().__init__()
            tensors = {"weight": torch.randn(vocabulary, 8).to(dtype)}
            if positions:
                tensors["positions"] = torch.randn(positions, 8)
            for name, tensor in tensors.items():
                if as_parameters:
                    self.register_parameter(name, torch.nn.Parameter(tensor, trainable))
                else:
                    self.register_buffer(name, tensor)
            self.define(f"def {method}({signature}):\n  {body}\n")

    Model().save(str(path))
