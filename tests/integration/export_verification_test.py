"""Wrong files that scripts/export_model.py has to find by itself.

    python tests/integration/export_verification_test.py

Each test breaks a part of the exporter and requires that nothing is written.
"""

import functools
import os
import sys
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("scripts", "tests/support")]

from exporter import TemporaryFolderTest
from hf_export import attention, splitting, tracing, verification
import program
from small_models import GEMMA2, GPT2, LLAMA, MISTRAL, MODELS, make_model
import torch
from torch import nn
from torch.nn import functional as F


class LeakingAttention(attention.FusedCausalAttention):
    """Sees the future."""

    def forward(self, query, key, value):
        if self.groups > 1:
            key = key.repeat_interleave(self.groups, 1)
            value = value.repeat_interleave(self.groups, 1)
        output = F.scaled_dot_product_attention(query, key, value, scale=self.scale)
        return output.transpose(1, 2).contiguous()


class FrozenDropout(nn.Module):
    """Drops in evaluation too, as a traced nn.Dropout would."""

    def forward(self, value):
        return F.dropout(value, 0.1, True)


class VerificationTest(TemporaryFolderTest):
    """Wrong files that the exporter has to find by itself."""

    def assert_found(self, model, reason, target, name, wrong):
        make_model(model, self.model_folder)
        for verify in ("quick", "full"):
            with self.subTest(verify), mock.patch.object(target, name, wrong):
                self.assert_not_exported(4, reason, "--verify", verify)

    def test_attention_that_sees_the_future(self):
        self.assert_found(
            MODELS["qwen2"], "logits of ids", attention, "FusedCausalAttention", LeakingAttention
        )

    def test_future_is_found_without_the_stock_model(self):
        with mock.patch.multiple(
            verification,
            check_logits=mock.Mock(return_value={}),
            check_gradients=mock.Mock(return_value=0.0),
        ):
            self.assert_found(
                MODELS["qwen2"], "later ids", attention, "FusedCausalAttention", LeakingAttention
            )

    def test_window_that_is_one_too_long(self):
        correct = attention.ExplicitCausalAttention

        def longer(scale, dropout, groups, window, softcap):
            return correct(scale, dropout, groups, window + 1, softcap)

        self.assert_found(MISTRAL, "logits of ids", attention, "ExplicitCausalAttention", longer)

    def test_window_that_a_layer_does_not_ask_for(self):
        correct = attention.CausalAttention.__call__

        def without_window(self, *args, sliding_window=None, **kwargs):
            return correct(self, *args, **kwargs)

        self.assert_found(
            MISTRAL, "sliding_window", attention.CausalAttention, "__call__", without_window
        )

    def test_dropout_that_cannot_be_switched_off(self):
        correct = tracing.script_dropouts

        def freeze(model):
            model.transformer.drop = torch.jit.script(FrozenDropout())
            return correct(model)

        self.assert_found(GPT2, "logits of ids", tracing, "script_dropouts", freeze)

    def test_dropout_of_another_strength(self):
        correct = attention.FusedCausalAttention

        def stronger(scale, dropout, groups):
            return correct(scale, 0.2, groups)

        self.assert_found(LLAMA, "training mode", attention, "FusedCausalAttention", stronger)

    def test_weight_that_is_not_tied(self):
        correct = tracing.bind_forward

        def untie(model):
            model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
            correct(model)

        self.assert_found(GPT2, "tie", tracing, "bind_forward", untie)

    def test_frozen_length(self):
        def fixed_arguments(forward, input_ids):
            del forward
            positions = torch.arange(tracing.TRACE_SHAPE[1])[None]
            return {"input_ids": input_ids, "position_ids": positions, "use_cache": False}

        with mock.patch.object(tracing, "id_arguments", fixed_arguments):
            self.assert_found(LLAMA, "ids [1, ", splitting, "id_arguments", fixed_arguments)

    def forget_softcap(self, model, ids):
        """split_head with a head that is no more than the last layer."""
        hidden = splitting.split_head(model, ids)
        model.head = lambda hidden: model.lm_head(hidden)
        return hidden

    def test_head_without_the_softcap(self):
        self.assert_found(GEMMA2, "logits of ids", tracing, "split_head", self.forget_softcap)

    def assert_found_beside_a_correct_forward(self, model, reason, wrong_head):
        """Has forward traced by itself, so that the head alone is wrong."""

        def trace_three(model, ids, hidden):
            model.head = functools.partial(wrong_head, model)
            inputs = {"forward": ids, "hidden": ids, "head": hidden}
            return torch.jit.trace_module(model, inputs, check_trace=False)

        self.assert_found(model, reason, tracing, "trace_methods", trace_three)

    def test_head_without_the_softcap_beside_a_correct_forward(self):
        self.assert_found_beside_a_correct_forward(
            GEMMA2, "not those of forward", lambda model, hidden: model.lm_head(hidden)
        )

    def test_head_that_loses_a_gradient(self):
        self.assert_found_beside_a_correct_forward(
            LLAMA, "gives no gradient", lambda model, hidden: model.lm_head(hidden.detach())
        )
        self.assert_found_beside_a_correct_forward(
            LLAMA,
            "in chunks, gradient of model.embed_tokens.weight",
            lambda model, hidden: F.linear(hidden, model.lm_head.weight.detach()),
        )

    def test_head_that_takes_one_shape(self):
        self.assert_found_beside_a_correct_forward(
            LLAMA, "flattened rows", lambda model, hidden: model.lm_head(hidden[:, :, :])
        )


if __name__ == "__main__":
    program.main(needed=False)
