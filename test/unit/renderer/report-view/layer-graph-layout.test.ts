import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layoutGraph, NODE } from '../../../../renderer/report-view/layer-graph-layout.ts';

/** Layers that read from any earlier ones. */
const graphs = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 40 })
  .map((lists) => lists.map((list, place) => [...new Set(list.map((from) => (place === 0 ? 0 : from % place)))]))
  .map((lists) => lists.map((list, place) => list.filter((from) => from < place)));

describe('layoutGraph', () => {
  it('sets every layer below all that it reads, and no two of a rank upon each other', () => {
    fc.assert(
      fc.property(graphs, (after) => {
        const { nodes, ranks } = layoutGraph(after);
        expect(nodes.map(({ place }) => place)).toEqual(after.map((_, place) => place));
        after.forEach((from, to) => {
          for (const place of from) expect(nodes[place]?.y).toBeLessThan(nodes[to]?.y ?? 0);
        });
        for (const rank of ranks) {
          rank.forEach((node, index) => {
            const before = rank[index - 1];
            if (before !== undefined) expect(node.x - before.x).toBeGreaterThanOrEqual(NODE.width);
          });
        }
      }),
    );
  });

  it('leads each link from its layer to the reader, without a gap', () => {
    fc.assert(
      fc.property(graphs, (after) => {
        const { nodes, segments, far } = layoutGraph(after);
        const all = [...segments.flat(), ...far];
        after.forEach((from, to) => {
          for (const place of from) {
            const way = all.filter((part) => part.from === place && part.to === to);
            way.forEach((part, index) => {
              const next = way[index + 1];
              if (next !== undefined) expect([next.x1, next.y1]).toEqual([part.x2, part.end]);
            });
            expect(way.at(0)?.y1).toBeGreaterThanOrEqual(nodes[place]?.y ?? Number.NaN);
            expect(way.at(-1)?.end).toBeLessThanOrEqual(nodes[to]?.y ?? Number.NaN);
          }
        });
      }),
    );
  });

  it('keeps everything within its size', () => {
    fc.assert(
      fc.property(graphs, (after) => {
        const { nodes, width, height } = layoutGraph(after);
        for (const { x, y } of nodes) {
          expect(x - NODE.width / 2).toBeGreaterThanOrEqual(0);
          expect(x + NODE.width / 2).toBeLessThanOrEqual(width);
          expect(y + NODE.height / 2).toBeLessThanOrEqual(height);
        }
      }),
    );
  });

  it('draws a chain as a straight line, with a skip beside it', () => {
    const { nodes } = layoutGraph([[], [0], [1], [2, 0], [3]]);
    const [first = 0] = nodes.map(({ x }) => x);
    for (const { x } of nodes) expect(Math.abs(x - first)).toBeLessThan(NODE.width / 8);
  });

  it('has nothing to draw without layers, and ignores links to itself or forward', () => {
    expect(layoutGraph([])).toMatchObject({ nodes: [], width: 0, height: 0 });
    expect(layoutGraph([[0, 1], [1]]).segments.flat()).toEqual([]);
  });

  it('draws links over many ranks as arcs, so that a value which all layers read does not widen the drawing', () => {
    const after = Array.from({ length: 400 }, (_, place) => (place === 0 ? [] : [...new Set([place - 1, 0])]));
    const { width, far } = layoutGraph(after);
    expect(far.length).toBeGreaterThan(300);
    expect(width).toBeLessThan(8 * NODE.width);
  });

  it('takes ten thousand layers', () => {
    const after = Array.from({ length: 10_000 }, (_, place) => [place - 1, place - 7].filter((from) => from >= 0));
    expect(layoutGraph(after).nodes).toHaveLength(10_000);
  });
});
