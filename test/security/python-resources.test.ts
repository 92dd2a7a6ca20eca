import { describeGroup, withService } from "./gauntlet.ts";
import { CPU } from "./programs/cpu.ts";
import { MEMORY } from "./programs/memory.ts";
import { PROCESSES } from "./programs/processes.ts";

withService({ python: { slots: 1 }, runtimes: { javascript: false } }, (subject) => {
  describeGroup("processor", subject, CPU);
  describeGroup("memory", subject, MEMORY);
  describeGroup("processes", subject, PROCESSES);
});
