/** Where the values of a graph's nodes stand: which share the memory of the node before them. */
import type { Graph } from "./graph";

/** Rectifiers that can work in the memory of the convolution before them, and these convolutions. */
export function fusions(graph: Graph): Set<number> {
  const users = new Map<number, number>();
  for (const node of graph.nodes) {
    for (const source of node.inputs) users.set(source, (users.get(source) ?? 0) + 1);
  }
  const shown = new Set(graph.layers.map((layer) => layer.node));
  const fused = new Set<number>();
  graph.nodes.forEach((node, index) => {
    const source = node.inputs[0];
    if (node.op !== "relu" || source === undefined) return;
    const before = graph.nodes[source]?.op;
    if (before !== "conv" && before !== "linear") return;
    if (users.get(source) === 1 && !shown.has(source)) fused.add(index).add(source);
  });
  return fused;
}

/** A piece of memory for every node's value; made: a new one for so many numbers. */
export function valuesOf<M>(
  graph: Graph,
  fused: ReadonlySet<number>,
  made: (shape: readonly number[]) => M,
): M[] {
  const values: M[] = [];
  for (const [index, node] of graph.nodes.entries()) {
    const source = node.inputs[0];
    // The same numbers in the same order, or each in the place of the one that it was made of.
    const shares = node.op === "flatten" || (node.op === "relu" && fused.has(index));
    values.push(shares && source !== undefined ? (values[source] as M) : made(node.shape));
  }
  return values;
}
