import { describe, expect, it } from "vitest";
import type { LayerItem } from "../src/core/layer-glyph";
import { scaleOf, sizeOf } from "../src/core/layer-glyph";
import { blocks, isBranched, stages } from "../src/layer-selector/blocks";

function layer(name: string, inputs: string[] = [], rest: Partial<LayerItem> = {}): LayerItem {
  const none = { kernel: null, stride: null, padding: null, receptive_field: null, jump: null };
  const size = { channels: 8, height: 10, width: 10 };
  return { name, kind: "conv", inputs, ...size, ...none, ...rest };
}

const chain = [layer("a"), layer("b", ["a"]), layer("c", ["b"])];
const residual = [
  layer("stem"),
  layer("u.1", ["stem"]),
  layer("u.2", ["u.1"]),
  layer("u.add", ["u.2", "stem"], { kind: "add" }),
  layer("head", ["u.add"]),
];
const module = [
  layer("stem"),
  layer("m.one", ["stem"]),
  layer("m.two.a", ["stem"]),
  layer("m.two.b", ["m.two.a"]),
  layer("m.pool", ["stem"]),
  layer("m.cat", ["m.one", "m.two.b", "m.pool"], { kind: "concat" }),
];

const names = (layers: LayerItem[]) =>
  blocks(layers).map((block) => block.cells.map((cell) => cell.layer.name));

describe("blocks end where everything passes through one layer", () => {
  it("a chain is a block per layer", () => {
    expect(names(chain)).toEqual([["a"], ["b"], ["c"]]);
    expect(isBranched(chain)).toBe(false);
  });

  it("a residual unit is one block, its shortcut on a way of its own", () => {
    expect(names(residual)).toEqual([["stem"], ["u.1", "u.2", "u.add"], ["head"]]);
    const unit = blocks(residual)[1];
    expect(unit?.cells.map(({ column, lane }) => [column, lane])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
    expect(unit?.edges).toEqual([
      { from: -1, to: 0, lane: 0 },
      { from: 0, to: 1, lane: 0 },
      { from: 1, to: 2, lane: 0 },
      { from: -1, to: 2, lane: 1 },
    ]);
    expect(unit?.lanes).toBe(2);
    expect(isBranched(residual)).toBe(true);
  });

  it("an Inception module has a lane for every branch", () => {
    const found = blocks(module)[1];
    expect(found?.columns).toBe(3);
    const places = found?.cells.map(({ layer, column, lane }) => [layer.name, column, lane]);
    expect(places).toEqual([
      ["m.one", 0, 0],
      ["m.two.a", 0, 1],
      ["m.two.b", 1, 1],
      ["m.pool", 0, 2],
      ["m.cat", 2, 0],
    ]);
    expect(found?.edges.filter((edge) => edge.from === -1).map((edge) => edge.to)).toEqual([
      0, 1, 3,
    ]);
    expect(found?.edges.filter((edge) => edge.to === 4).map((edge) => edge.lane)).toEqual([
      0, 1, 2,
    ]);
  });

  it("of layers that know nothing of each other each is its own block", () => {
    expect(names([layer("a"), layer("b")])).toEqual([["a"], ["b"]]);
  });

  it("a block too long to draw becomes a row of layers", () => {
    const dense = Array.from({ length: 20 }, (_, i) =>
      layer(`d.${i}`, i ? [`d.${i - 1}`, "d.0"].slice(0, i) : []),
    );
    expect(names(dense)).toHaveLength(20);
  });
});

it("stages are runs of blocks whose names begin alike", () => {
  expect(stages(residual).map((stage) => [stage.title, stage.blocks.length])).toEqual([
    ["", 1],
    ["u", 1],
    ["", 1],
  ]);
});

it("drawings are to scale: sides with the maps, depth with the channels", () => {
  const small = layer("a", [], { height: 20, width: 20, channels: 10 });
  const large = layer("b", [], { height: 40, width: 40, channels: 10 });
  const deep = layer("c", [], { height: 20, width: 20, channels: 40 });
  const scale = scaleOf([small, large, deep], [80, 80], 100, 60);
  expect(scale.pixel).toBeCloseTo(100 / 80);
  const depth = (item: LayerItem, side: number) => sizeOf(item, scale)[0] - side * scale.pixel;
  expect(depth(deep, 20)).toBeCloseTo(4 * depth(small, 20));
  expect(depth(large, 40)).toBeCloseTo(depth(small, 20));
});
