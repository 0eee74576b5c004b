/** Which layer feeds which, for the report's view by layer: what runs between two layers is left out. */
import type { Node } from '../../graph/node.ts';
import type { ComputePlan } from './placement.ts';

/** An element of `details.layers`, which is an array of these in the order of the graph. */
export interface LayerLink {
  readonly node: string;
  readonly operator: string;
  /** The layers whose results it reads, by their place in the list; none for a layer at the model's inputs. */
  readonly after: readonly number[];
}

/** Call it before the graph is changed. */
export function layerGraph(layers: readonly ComputePlan[]): LayerLink[] {
  const places = new Map(layers.map(({ node }, place) => [node, place]));
  return layers.map(({ node, data }) => ({
    node: node.label,
    operator: node.opType,
    after: [...layersBefore(data.producer, places)].sort((a, b) => a - b),
  }));
}

/** Walks up from `start` and stops at the first layer of each way. */
function layersBefore(start: Node | null, places: ReadonlyMap<Node, number>): Set<number> {
  const found = new Set<number>();
  const seen = new Set<Node>();
  const open = start === null ? [] : [start];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    const place = places.get(node);
    if (place !== undefined) {
      found.add(place);
      continue;
    }
    for (const input of node.inputs) if (input?.producer != null) open.push(input.producer);
  }
  return found;
}
