"""Makes the tokenizer beside this file: a byte-level BPE in the form of Qwen's, with some 600 tokens instead of 151,643.

    python -m venv venv && venv/bin/pip install tokenizers==0.23.3
    venv/bin/python test/rl/renderers/hermes-tiny/make.py

It is trained on the sentences below, so it can be made again anywhere. The pre-tokenizer's expression, the normalizer
and the added tokens are those of Qwen's tokenizers (Apache-2.0), as is the chat template beside this file, which is
that of Qwen 2.5.
"""

import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
SIZE = 640
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
SENTENCES = """
You are a helpful assistant. Reason step by step inside <reason> and </reason>, call the tool when it helps.
# Tools
You may call one or more functions to assist with the user query.
You are provided with function signatures within <tools></tools> XML tags:
{"type": "function", "function": {"name": "python", "description": "Runs Python code", "parameters": {"type": "object"}}}
For each function call, return a json object with function name and arguments within XML tags:
{"name": "python", "arguments": {"code": "print(sum(i * i for i in range(10)))"}}
The final answer goes into <answer> and </answer>, written as \\boxed{42}.
import math, from fractions import Fraction, def solve(n): return n % 7 == 0, while True: break, for x in xs:
Traceback (most recent call last): NameError: name 'x' is not defined, TimeoutError
Let the number be n; then the remainder of n divided by 7 equals 3. How many such numbers are there below 1000?
assistant user system the and of is a to in that it for on with as are this be at by an or from
""".strip().splitlines()

tokenizer = Tokenizer(models.BPE())
tokenizer.normalizer = normalizers.NFC()
tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=SIZE - len(SPECIAL) - len(PLAIN),
    min_frequency=1,
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
tokenizer.train_from_iterator(SENTENCES, trainer)
tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in PLAIN])

text = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
(HERE / "tokenizer.json").write_text(text + "\n", encoding="utf8")
template = (HERE / "chat_template.jinja").read_text(encoding="utf8")
config = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>",
    "model_max_length": 4096,
    "clean_up_tokenization_spaces": False,
    "chat_template": template,
}
(HERE / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf8")
print(tokenizer.get_vocab_size(), "tokens")
