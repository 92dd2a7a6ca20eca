/** Containers with cgroups, made in other ways than by default. */
import { describeTiers } from "./tier-suite.ts";

describeTiers("runc", "runsc", "delegated");
