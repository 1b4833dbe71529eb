// @vitest-environment jsdom
/** The camera of the live view: when it is opened and when it is let go of. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import texts from "../../zfwidgets/widgets/live_view/strings.json";
import widget from "../src/live-view/index";
import { furnish, open } from "./whole-widget";

const camera = { opened: 0, lent: false };

/** A camera that is lent; a browser that asks a person each time. */
beforeEach(() => {
  furnish();
  Object.assign(camera, { opened: 0, lent: false });
  const getUserMedia = async () => {
    camera.opened += 1;
    camera.lent = true;
    const stop = () => {
      camera.lent = false;
    };
    return { getTracks: () => [{ stop }] };
  };
  const query = async () => ({ state: "prompt" });
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia }, permissions: { query } });
  vi.spyOn(HTMLMediaElement.prototype, "play").mockResolvedValue();
  Object.assign(HTMLVideoElement.prototype, {
    requestVideoFrameCallback: () => 1,
    cancelVideoFrameCallback: () => undefined,
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function seen(state: DocumentVisibilityState) {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  document.dispatchEvent(new Event("visibilitychange"));
}

it("a frozen view that was out of sight opens the camera again when it is to go on", async () => {
  const { model, el, one } = open(widget, texts, {
    ...{ layer: "conv5", channel: null, mirrored: true, frozen: false, _side: 8 },
    ...{ _layers: [{ name: "conv5", channels: 2 }], _palette: new DataView(new ArrayBuffer(768)) },
  });
  const mode = () => one(".zf-root").dataset["mode"];
  const [power, freeze] = el.querySelectorAll<HTMLButtonElement>(".zf-live-bar > button");
  power?.click();
  await vi.waitFor(() => expect(mode()).toBe("on"));
  model.set("frozen", true);
  seen("hidden");
  expect([mode(), camera.lent]).toEqual(["paused", false]);
  seen("visible");
  freeze?.click();
  await vi.waitFor(() => expect(camera.opened).toBe(2));
  await vi.waitFor(() => expect(mode()).toBe("on"));
  expect([model.get("frozen"), camera.lent]).toEqual([false, true]);
});
