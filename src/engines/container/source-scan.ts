/**
 * What a look at a call's sources tells, so that a call does not pay for what it cannot need. A wrong guess in the
 * cautious direction costs a little time; the words are chosen so that there is none in the other.
 */
import type { RunSpec } from "../../core/ports.ts";

/** Code that is not in the sources we see: run from text, or imported by a name that is made up. */
const UNSEEN_CODE = "exec|eval|import_module|__import__|runpy";

/** Without any of these a program cannot tell inherited random state from its own. */
const RANDOM = new RegExp(`rand|shuffle|sampl|choice|secrets|${UNSEEN_CODE}`);

/** Without any of these a program leaves nothing open, registered, running or to be finalised when its last line is done. */
const UNFINISHED = new RegExp(
  `open|File|yield|Writer|Wrapper|__del__|weakref|finali|atexit|[tT]hread|[pP]rocess|[pP]ool|concurrent|logging|asyncio|socket|${UNSEEN_CODE}`,
);

const IMPORT_LINE = /^.*\bimport\b.*$/gm;
const NAME = /\w+/g;

/** The Python sources of a call as one text; bytes beyond ASCII stand for themselves. */
export function sourcesOf(spec: RunSpec): string {
  let text = spec.source.toString("latin1");
  for (const file of spec.files)
    if (file.path.endsWith(".py")) text += `\n${file.content.toString("latin1")}`;
  return text;
}

/** Names on the lines that import something: those of modules among them. */
export function importedNames(sources: string): Set<string> {
  const names = new Set<string>();
  for (const line of sources.match(IMPORT_LINE) ?? [])
    for (const name of line.match(NAME) ?? []) names.add(name);
  return names;
}

/** A call with files of its own may read code from any of them. */
export function couldNoticeRandomState(spec: RunSpec, sources: string): boolean {
  return spec.files.length > 0 || RANDOM.test(sources);
}

export function couldLeaveUnfinished(spec: RunSpec, sources: string): boolean {
  return spec.files.length > 0 || UNFINISHED.test(sources);
}
