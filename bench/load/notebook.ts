/** Programs as rStar2's simulated Jupyter sends them: the prelude is this project's own, its grammar is the original's. */
import { createHash } from "node:crypto";

/**
 * Shows the value of a last expression, hides what earlier cells print or raise, and ends at once with 1 on an exception.
 * As the original does, it runs a last expression that raises once more, as a statement.
 */
const PRELUDE = `
import ast, base64, os, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

class Cells:
    def __init__(self):
        self.names = {"__name__": "__main__", "__file__": "<string>", "__builtins__": __builtins__}

    def run(self, source, shown):
        body = ast.parse(source).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), "<string>", "exec"), self.names)
        if last is None:
            return
        try:
            value = eval(compile(ast.Expression(last.value), "<string>", "eval"), self.names)
            if shown and value is not None:
                print(repr(value))
        except Exception:
            exec(compile(ast.Module([last], []), "<string>", "exec"), self.names)

    def execute_code(self, source, replay_history_code):
        try:
            if replay_history_code:
                with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                    self.run(source, False)
            else:
                self.run(source, True)
        except Exception as error:
            if replay_history_code:
                return
            trace = error.__traceback__
            while trace.tb_next:
                trace = trace.tb_next
            print(f"{type(error).__name__} at line {trace.tb_lineno}: {error}", file=sys.stderr)
            os._exit(1)

persistent_executor = Cells()
`;

/** As `wire.code-judge.replay.preludes` has it. */
export const PRELUDE_HASH = createHash("sha256").update(PRELUDE).digest("hex");

export const base64 = (text: string) => Buffer.from(text).toString("base64");

/** @param prelude another text in front of the cells */
export function notebook(history: readonly string[], cell: string, prelude = PRELUDE): string {
  const line = (code: string, replay: boolean) =>
    `\ncode_to_execute = base64.b64decode("${base64(code)}".encode()).decode()\npersistent_executor.execute_code(code_to_execute, replay_history_code=${replay ? "True" : "False"})\n`;
  return prelude + history.map((code) => line(code, true)).join("") + line(cell, false);
}
