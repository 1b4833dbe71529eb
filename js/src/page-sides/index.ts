/**
 * What answers for widgets that have a page of their own, beside those of the Inspector: the steps, the dragged
 * square, the camera, the gallery's exemplars, the quiz. A bundle by itself, for such pages alone; js/src/page/ is in every page.
 */
import { ExemplarsSide } from "../page/exemplars";
import { LiveSide } from "../page/live-side";
import { OcclusionSide } from "../page/occlusion";
import { Quiz } from "../page/quiz";
import type { Sides } from "../page/side";
import { StepsSide } from "../page/steps";

const sides: Sides = (host, payload, opening, album) => ({
  live: new LiveSide(host, payload.layers, opening),
  ...(payload.scan && { exemplars: new ExemplarsSide(host, payload, payload.scan, opening) }),
  ...(album && { occlusion: new OcclusionSide(host), steps: new StepsSide(host, payload) }),
});

export default {
  sides,
  quiz: (...given: ConstructorParameters<typeof Quiz>) => new Quiz(...given),
};
