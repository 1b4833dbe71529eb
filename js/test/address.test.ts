// @vitest-environment jsdom
/** A neuron's address as text; that pages open with it is tested in a browser. */
import { describe, expect, it } from "vitest";
import { read, write } from "../src/page/address";

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
