/** Parts that only a page without Python has the engine answer: the dragged square, the camera, exemplars. */
import { LiveSide } from "./live-side";
import { OcclusionSide } from "./occlusion";
import type { Sides } from "./side";
import { StripSide } from "./strip";

export const sides: Sides = (host, payload, opening, album) => ({
  live: new LiveSide(host, payload.layers, opening),
  ...(album && {
    occlusion: new OcclusionSide(host),
    strip: new StripSide(host, payload, opening, album),
  }),
});
