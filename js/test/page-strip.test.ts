// @vitest-environment jsdom
/** The strip's scan in a page: how far it is, and that it ends with the strip's fold. */
import { expect, it, vi } from "vitest";
import { StripSide } from "../src/page/strip";

function scanning(photos: number) {
  const traits: Record<string, unknown> = {
    ...{ layer: "conv5", rule: "deconvnet", channel: 0, in_sight: true, opened: true },
    ...{ _shown: {}, progress: {} },
  };
  const apply = (some: object) => Object.assign(traits, some);
  const host = {
    model: () => ({ get: (name: string) => traits[name], apply }),
    show: (_: string, some: object) => apply(some),
  };
  const recording = { strongest: async () => [{ value: 1, row: 0, col: 0 }] };
  /** Photos that the network is about to see. */
  const waiting: (() => void)[] = [];
  const record = () => new Promise((resolve) => waiting.push(() => resolve(recording)));
  const engine = { graph: { layers: [{ name: "conv5" }] }, record };
  const shots = Array.from({ length: photos }, (_, n) => ({ key: `photo ${n}` }));
  const album = { shots: () => shots, inputsOf: async () => new Float32Array(1) };
  const side = new StripSide(
    host as never,
    { layers: {}, filters: {} } as never,
    Promise.resolve(engine as never),
    album as never,
  );
  return { traits, side, waiting };
}

it("folded while it scans, the strip scans no further and says nothing of a scan", async () => {
  const { traits, side, waiting } = scanning(3);
  const first = new AbortController();
  const scan = side.show(null, first.signal);
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  expect(traits["progress"]).toEqual({ state: "running", scanned: 0, total: 3 });
  traits["opened"] = false;
  first.abort();
  await side.show(null, new AbortController().signal);
  expect(traits["progress"]).toEqual({});
  waiting[0]?.();
  await expect(scan).rejects.toThrow("abort");
  expect([waiting.length, traits["progress"]]).toEqual([1, {}]);
});
