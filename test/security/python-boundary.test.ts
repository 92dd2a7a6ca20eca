import { describeGroup, withService } from "./gauntlet.ts";
import { CONTAMINATION } from "./programs/contamination.ts";
import { FILES } from "./programs/files.ts";
import { HOST_VIEW } from "./programs/host-view.ts";
import { KERNEL } from "./programs/kernel.ts";
import { NETWORK } from "./programs/network.ts";
import { OUTPUT } from "./programs/output.ts";
import { PROTOCOL } from "./programs/protocol.ts";

withService({ python: { slots: 1 }, runtimes: { javascript: false } }, (subject) => {
  describeGroup("files", subject, FILES);
  describeGroup("output", subject, OUTPUT);
  describeGroup("network", subject, NETWORK);
  describeGroup("kernel surface", subject, KERNEL);
  describeGroup("the machine seen from inside", subject, HOST_VIEW);
  describeGroup("contamination", subject, CONTAMINATION);
  describeGroup("what comes back", subject, PROTOCOL);
});
