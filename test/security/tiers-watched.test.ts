/** Containers as root whose calls are bounded by looking. */
import { describeTiers } from "./tier-suite.ts";

describeTiers("watched", "docker", "podman");
