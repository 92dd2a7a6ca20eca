/** What is said of the tiers, and the one that makes no containers. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { EVERY } from "./programs/every.ts";
import { TIERS } from "./tier.ts";
import { describeTiers, SELECTED, selected } from "./tier-suite.ts";

it("every selected program is in the suite", () => {
  expect(new Set(selected.map(({ name }) => name))).toEqual(SELECTED);
});

it("every tier is described in some file, but those that are run by name only", () => {
  const described = readdirSync(import.meta.dirname)
    .filter((name) => name.startsWith("tiers") && name.endsWith(".test.ts"))
    .flatMap(
      (name) => readFileSync(`${import.meta.dirname}/${name}`, "utf8").match(/describeTiers\(.*\)/g) ?? [],
    )
    .flatMap((line) => line.match(/(?<=")[\w-]+(?=")/g) ?? []);
  // The default tier runs the whole suite, in the other files.
  const due = TIERS.filter(({ name, byNameOnly }) => name !== "container" && byNameOnly !== true);
  expect(described.toSorted()).toEqual(due.map(({ name }) => name).toSorted());
});

it("what a tier does not hold is named in docs/isolation.md, and nothing else is", () => {
  const page = readFileSync(new URL("../../docs/isolation.md", import.meta.url), "utf8");
  const named = new Set(page.match(/(?<=^\| `)[a-z]+_\w+(?=`.*\| +`(?:watched|one-user|process)`)/gm));
  const notHeld = EVERY.filter((program) => program.notHeld !== undefined).map(({ name }) => name);
  expect(named).toEqual(new Set(notHeld));
});

describeTiers("process");
