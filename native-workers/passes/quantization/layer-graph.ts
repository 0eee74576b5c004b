/** Which layer feeds which, for the report's view by layer: what runs between two layers is left out. */
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import { ruleOf } from './placement.ts';
import type { QuantizationTarget } from './targets.ts';

/** An element of `details.layers`, which is an array of these in the order of the graph. */
export interface LayerLink {
  readonly node: string;
  readonly operator: string;
  /** The layers whose results it reads, by their place in the list; none for a layer at the model's inputs. */
  readonly after: readonly number[];
}

/** All layers that the target could run on integers, those that stay float among them. Call it before the graph is changed. */
export function layerGraph(graph: Graph, target: QuantizationTarget): LayerLink[] {
  const layers = topologicalOrder(graph).filter((node) => ruleOf(node, target)?.role === 'compute');
  const places = new Map(layers.map((node, place) => [node, place]));
  return layers.map((node) => ({
    node: node.label,
    operator: node.opType,
    after: [...layersBefore(node, places)].sort((a, b) => a - b),
  }));
}

/** Walks up from the inputs of `layer` and stops at the first layer of each way. */
function layersBefore(layer: Node, places: ReadonlyMap<Node, number>): Set<number> {
  const found = new Set<number>();
  const seen = new Set<Node>();
  const open = producersOf(layer);
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    const place = places.get(node);
    if (place !== undefined) {
      found.add(place);
      continue;
    }
    open.push(...producersOf(node));
  }
  return found;
}

function producersOf(node: Node): Node[] {
  return node.inputs.flatMap((input) => input?.producer ?? []);
}
