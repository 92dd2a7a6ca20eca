"""Writes a Qwen3 that knows nothing: the shape of the real ones, random weights, 0.2 M parameters.

    python make_model.py TOKENIZER_DIRECTORY MODEL_DIRECTORY

Nothing is downloaded; the tokenizer is the tests' own. Float32, so that a CPU computes what it is asked to.
"""

import pathlib
import shutil
import sys

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

tokenizer, directory = map(pathlib.Path, sys.argv[1:3])
torch.manual_seed(0)
config = Qwen3Config(
    vocab_size=640,
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=4096,
    tie_word_embeddings=False,
    torch_dtype="float32",
)
model = Qwen3ForCausalLM(config)
# An adapter leaves the unembedding as it is, and the last norm gives it vectors of length 8: with the usual 0.02 no logit
# could reach 1.5, and nothing that is sampled could ever be more than twice as likely as the rest.
torch.nn.init.normal_(model.lm_head.weight, std=0.25)
model.save_pretrained(directory)
for name in ("tokenizer.json", "tokenizer_config.json"):
    shutil.copy(tokenizer / name, directory / name)
print(f"{sum(p.numel() for p in model.parameters())} parameters in {directory}")
