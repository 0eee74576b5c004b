import { describe, expect, it } from 'vitest';
import { CutGraph } from '../../../../native-workers/formats/tflite/min-cut.ts';
import { Random } from '../../../../native-workers/lib/random.ts';

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly cost: number;
}

function costOf(edges: readonly Edge[], side: readonly boolean[]): number {
  return edges.reduce((sum, { from, to, cost }) => sum + (side[from] && !side[to] ? cost : 0), 0);
}

/** The cheapest of all ways to part the nodes, tried one by one. */
function cheapest(nodes: number, edges: readonly Edge[]): number {
  let best = Number.POSITIVE_INFINITY;
  for (let mask = 0; mask < 1 << (nodes - 2); mask++) {
    const side = Array.from(
      { length: nodes },
      (_, node) => node === 0 || (node > 1 && ((mask >> (node - 2)) & 1) === 1),
    );
    best = Math.min(best, costOf(edges, side));
  }
  return best;
}

describe('a minimum cut', () => {
  it('costs as little as the best of all cuts, on random graphs', () => {
    const random = new Random(5);
    for (let round = 0; round < 100; round++) {
      const nodes = 3 + random.below(7);
      const edges = Array.from({ length: 3 * nodes }, () => ({
        from: random.below(nodes),
        to: random.below(nodes),
        cost: random.below(20),
      }));
      const graph = new CutGraph();
      for (let node = 0; node < nodes; node++) graph.addNode();
      for (const { from, to, cost } of edges) graph.addEdge(from, to, cost);
      const side = graph.cut(0, 1);
      expect(side[0]).toBe(true);
      expect(side[1]).toBe(false);
      expect(costOf(edges, side)).toBe(cheapest(nodes, edges));
    }
  });

  it('of a chain of 100000 nodes needs no deep stack', () => {
    const graph = new CutGraph();
    const [source, sink] = [graph.addNode(), graph.addNode()];
    let last = source;
    for (let index = 0; index < 100_000; index++) {
      const node = graph.addNode();
      graph.addEdge(last, node, index === 5000 ? 1 : 3);
      last = node;
    }
    graph.addEdge(last, sink, 3);
    const side = graph.cut(source, sink);
    expect(side.filter((each) => each)).toHaveLength(5001);
  });
});
