// @vitest-environment jsdom
/** A neuron's address as text; that pages open with it is tested in a browser. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Address, read, write } from "../src/page/address";
import type { StaticKernel } from "../src/page/kernel";

describe("an address", () => {
  it("is read as it was written", () => {
    const place = { net: "zfnet", photo: "my cat & dog=1#2.png", layer: "conv5", channel: "70" };
    const text = write({ mode: "feature map", at: "4,3", ...place });
    expect(text).toBe(
      "net=zfnet&photo=my%20cat%20%26%20dog%3D1%232.png&layer=conv5&channel=70&at=4,3&mode=feature%20map",
    );
    expect(read(`#${text}`)).toEqual({ ...place, at: "4,3", mode: "feature map" });
  });

  it("may be empty", () => {
    expect(read("")).toEqual({});
    expect(read("#")).toEqual({});
  });
});

describe("a page's address", () => {
  afterEach(() => vi.useRealTimers());

  /** The address of a page whose traits are `state`; a trait that is set is told of. */
  function page() {
    const state: Record<string, unknown> = {
      ...{ "picker.items": [{ id: "cat" }], "picker.value": "cat", "layers.value": "conv5" },
      "layers.layers": [{ name: "conv5", channels: 256, height: 13, width: 13 }],
      ...{ "browser.active": 1, "browser.rule": "deconvnet", "browser.mode": "projection" },
      "view.place": null,
    };
    const heard: Record<string, () => void> = {};
    const model = (part: string) => ({
      get: (trait: string) => state[`${part}.${trait}`],
      on: (event: string, callback: () => void) => {
        heard[`${part}.${event.replace("change:", "")}`] = callback;
      },
    });
    const set = (part: string, traits: Record<string, unknown>) => {
      for (const [trait, value] of Object.entries(traits)) {
        state[`${part}.${trait}`] = value;
        heard[`${part}.${trait}`]?.();
      }
    };
    new Address({ model, set } as unknown as StaticKernel, { net: "zfnet", texts: {} } as never);
    return { state, set };
  }

  const channel = () => read(location.hash)["channel"];

  it("follows what is shown once that rests", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { set } = page();
    set("browser", { active: 7 });
    vi.advanceTimersByTime(199);
    expect(channel()).not.toBe("7");
    vi.advanceTimersByTime(1);
    expect(channel()).toBe("7");
  });

  it("is not written over before the page is told of it", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { state, set } = page();
    set("browser", { active: 8 });
    // As a browser goes back: the address changes, and the page is told of it a little later.
    history.pushState(null, "", "#channel=9");
    vi.advanceTimersByTime(200);
    expect(channel()).toBe("9");
    window.dispatchEvent(new Event("hashchange"));
    expect(state["browser.active"]).toBe(9);
    vi.advanceTimersByTime(200);
    expect(location.hash).toContain("photo=cat&layer=conv5&channel=9&rule=deconvnet");
  });
});
