/**
 * The cells of a notebook as one Python program: state is kept from cell to cell, each cell's output, values and
 * exception are told apart, and a cell that raises does not end the ones after it.
 *
 * What is captured is the two descriptors, not two objects, so that what a child process writes is a cell's too.
 */
import { randomBytes } from "node:crypto";
import type { Call } from "../contract/call.ts";

export interface Cell {
  readonly stdout: string;
  readonly stderr: string;
  readonly display: readonly Readonly<Record<string, unknown>>[];
  readonly error: readonly Readonly<Record<string, unknown>>[];
}

const CELLS_PATH = ".cells.py";
export const OUTPUT_PATH = ".cells.json";

/**
 * A file of Python and not of JSON: the service looks at Python sources for what they import, and forks from an
 * interpreter that has it.
 */
export function jupyterFiles(cells: readonly string[]): NonNullable<Call["files"]> {
  const mark = `# ${randomBytes(16).toString("hex")}`;
  return { [CELLS_PATH]: [mark, ...cells].join(`\n${mark}\n`) };
}

const isList = (value: unknown): value is Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) && value.every((item) => typeof item === "object" && item !== null);

function asCell(value: unknown): Cell {
  const { stdout, stderr, display, error } = value as Record<string, unknown>;
  return {
    stdout: typeof stdout === "string" ? stdout : "",
    stderr: typeof stderr === "string" ? stderr : "",
    display: isList(display) ? display : [],
    error: isList(error) ? error : [],
  };
}

/** What the program left behind, or null when that is not a list of cells: the program may have written anything. */
export function readCells(content: string | undefined): Cell[] | null {
  try {
    const cells: unknown = JSON.parse(content ?? "null");
    return isList(cells) ? cells.map(asCell) : null;
  } catch {
    return null;
  }
}

export const JUPYTER_SOURCE = `def _main():
    import ast, builtins, json, linecache, os, sys, tempfile, traceback

    with open("${CELLS_PATH}", encoding="utf-8", newline="") as file:
        mark, _, rest = file.read().partition("\\n")
    os.remove("${CELLS_PATH}")
    cells = rest[len(mark) + 1:].split("\\n" + mark + "\\n") if rest else []
    sys.argv = ["ipykernel_launcher.py"]
    space = sys.modules["__main__"].__dict__
    del space["_main"]
    saved = os.dup(1), os.dup(2)
    results, current = [], {}

    def bundle(value):
        data = {"text/plain": repr(value)}
        for mime, method in (("text/html", "_repr_html_"), ("text/latex", "_repr_latex_"),
                             ("text/markdown", "_repr_markdown_"), ("image/svg+xml", "_repr_svg_")):
            try:
                text = getattr(value, method)() if not isinstance(value, type) else None
            except Exception:
                text = None
            if isinstance(text, str):
                data[mime] = text
        return data

    def display(*values, **_):
        for value in values:
            current["display"].append(bundle(value))

    builtins.display = display
    out = space["Out"] = {}
    space["In"] = [""]
    space["_"] = ""

    def dedented(cell):
        lines = cell.splitlines(keepends=True)
        first = next((line for line in lines if line.strip()), "")
        indent = first[:len(first) - len(first.lstrip())]
        return "".join(line[len(indent):] if line.startswith(indent) else line for line in lines) if indent else cell

    def evaluate(code):
        value = eval(code, space)
        if code.co_flags & 0x80:
            import asyncio
            value = asyncio.run(value)
        return value

    def run(number, cell):
        name = "<ipython-input-%d>" % number
        cell = dedented(cell)
        linecache.cache[name] = len(cell), None, cell.splitlines(keepends=True), name
        space["In"].append(cell)
        tree = ast.parse(cell, name)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not cell.rstrip().endswith(";"):
            last = ast.Expression(tree.body.pop().value)
        awaits = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        if tree.body:
            evaluate(compile(tree, name, "exec", awaits, True))
        if last is not None:
            value = evaluate(compile(last, name, "eval", awaits, True))
            if value is not None:
                space["_"] = out[number] = value
                current["display"].append(bundle(value))

    def failure(kind, error, trace):
        lines = traceback.format_exception_only(kind, error)
        shown = [frame for frame in traceback.extract_tb(trace) if frame.filename != __file__]
        text = ["\\x1b[0;31m" + "-" * 75 + "\\x1b[0m",
                "\\x1b[0;31m%s\\x1b[0m%s" % (kind.__name__, "Traceback (most recent call last)".rjust(75 - len(kind.__name__)))]
        for frame in shown:
            place = frame.filename
            if place.startswith("<ipython-input-"):
                place = "Cell In[%s]" % place[15:-1]
            text.append("%s, line \\x1b[0;32m%s\\x1b[0m, in %s\\n    %s" % (place, frame.lineno, frame.name, frame.line))
        if issubclass(kind, SyntaxError):
            text = ["".join(lines[:-1]).rstrip("\\n"), lines[-1].rstrip("\\n")]
        else:
            text.append("\\x1b[0;31m%s\\x1b[0m: %s" % (kind.__name__, error))
        return {"ename": kind.__name__, "evalue": str(error), "traceback": text}

    def captured(file):
        file.seek(0)
        return file.read().decode("utf-8", "replace")

    for number, cell in enumerate(cells, 1):
        current.update(stdout="", stderr="", display=[], error=[])
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            try:
                run(number, cell)
            except BaseException:
                kind, error, trace = sys.exc_info()
                current["error"].append(failure(kind, error, trace))
                del kind, error, trace
            finally:
                for stream in (sys.stdout, sys.stderr):
                    try:
                        stream.flush()
                    except Exception:
                        pass
                os.dup2(saved[0], 1)
                os.dup2(saved[1], 2)
            current["stdout"], current["stderr"] = captured(stdout), captured(stderr)
        results.append(dict(current))
    with open("/work/${OUTPUT_PATH}", "w", encoding="utf-8", errors="replace") as file:
        json.dump(results, file)


_main()
`;
