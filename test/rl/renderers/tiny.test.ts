import { array, assert, constantFrom, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { createTinyRenderer, encodeTiny, TINY_VOCABULARY } from "../../../src/rl/renderers/tiny.ts";

const renderer = createTinyRenderer();
const parse = (text: string) => renderer.parse(encodeTiny(text));
const call = (code: string) => [{ name: "python", arguments: { code } }];

describe("the tiny language", () => {
  test.each([
    ["<'ab'[::-1]>", call("'ab'[::-1]"), null, 0],
    ["=42;", [], "42", 1],
    ["=4=42;", [], "42", 2],
    ["=;", [], "", 1],
    ["=42", [], null, 0],
    ["12;", [], null, 0],
    ["24*73>", [{ parseError: "> without <" }], null, 0],
    [">2<", [{ parseError: "< without >" }], null, 0],
    ["<24*73", [{ parseError: "< without >" }], null, 0],
    ["< >", [{ parseError: "empty call" }], null, 0],
  ])("%s", (text, toolCalls, answer, answers) => {
    expect(parse(text)).toEqual({ text, toolCalls, answer, answers });
  });

  test("opens a problem and shows a response without the marks that mean something", () => {
    expect(renderer.decode(renderer.open({ system: "left out", prompt: "a24x73?" }))).toBe("#a24x73?");
    expect(renderer.decode(renderer.respond({ stopReason: "stop" }, ["{1: '<a>'}"]))).toBe("{1: 'a'}");
    expect(renderer.decode(renderer.respond({ stopReason: "length" }, ["!n"]))).toBe(">{!n}");
    expect(renderer.decode(renderer.respond({ stopReason: "stop" }, ["1".repeat(99)]))).toHaveLength(14);
  });

  test("every token is one character and comes back", () => {
    const known = TINY_VOCABULARY.slice(1);
    assert(
      property(array(constantFrom(...known)), (characters) => {
        expect(renderer.decode(encodeTiny(characters.join("")))).toBe(characters.join(""));
      }),
    );
    expect(new Set(TINY_VOCABULARY).size).toBe(64);
  });
});
