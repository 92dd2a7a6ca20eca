import { expect, test } from "vitest";
import { extractCode } from "../../../src/wire/code-extraction.ts";

test.each([
  ["a closed fence", "Here:\n```python\nprint(1)\n```\nDone.", "python", "print(1)"],
  ["the one of the language", "```\nx\n```\n```cpp\nint y;\n```\n```py\nz\n```", "cpp", "int y;"],
  ["the first, when none is of the language", "```java\nx\n```\n```rust\ny\n```", "python", "x"],
  ["without white space before the closing fence", "```python\nx\n\n  ```", "python", "x"],
  ["a fence within a line closes none", "```python\ns = '```'\nx\n```", "python", "s = '```'\nx"],
  [
    "an empty one is closed by the next, as in the original",
    "```python\n```\n```python\nx\n```",
    "python",
    "```",
  ],
  [
    "a function with its imports",
    "Sure!\nimport os\n\ndef f():\n\n    return 1\nThat is it.",
    "python",
    "import os\ndef f():\n    return 1\n",
  ],
  ["imports without a function are no code", "import os\nfrom here\ntext", "python", ""],
  ["bash that stands alone", "echo 1\n\necho 2", "bash", "echo 1\necho 2\n"],
  ["a fence that is not closed", "So:\n```python\nx = 1\ny", "python", "x = 1\ny"],
  ["nothing", "I do not know.", "python", ""],
  ["nothing in nothing", "", "cpp", ""],
])("%s", (_name, completion, language, code) => {
  expect(extractCode(completion, language)).toBe(code);
});

test.each([
  ["line ends after a fence", `\`\`\`\n${"\n".repeat(1 << 20)}`],
  ["fences without end", "```x\n".repeat(1 << 17)],
  ["comments without a function", "#x\n".repeat(1 << 18)],
  ["definitions without a body", "def f\n".repeat(1 << 17)],
  ["fences within lines", "```\n" + "a```".repeat(1 << 18)],
])("what is made to be slow is read as fast as any: %s", (_name, completion) => {
  for (const language of ["python", "bash", "cpp"])
    expect(typeof extractCode(completion, language)).toBe("string");
});
