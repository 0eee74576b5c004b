/** Copies of a float model with some layers quantized and the rest float: the points that a search compares. */
import { cloneModel } from '../../graph/clone.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { type AppliedQuantization, applyQuantization } from './apply.ts';
import type { LayerOptions } from './layer.ts';
import { type PlacementOptions, placeQuantization } from './placement.ts';
import type { Calibration } from './ranges.ts';

export interface Candidate {
  readonly model: Model;
  readonly applied: AppliedQuantization;
  /** Layers left float by the search. */
  readonly float: ReadonlySet<Node>;
}

/** Why a layer of a candidate stays float. */
export const LEFT_BY_SEARCH = 'the search found that quantizing it costs more than it gains';

/** Quantizes a copy of `model`, all but the `float` nodes; `model` itself stays as it is. */
export function quantizedCopy(
  model: Model,
  float: ReadonlySet<Node>,
  calibration: Calibration,
  placement: PlacementOptions,
  options: LayerOptions,
): Candidate {
  const { model: copy, values, nodes } = cloneModel(model);
  const excludeNodes = new Map<Node, string>();
  for (const [node, reason] of placement.excludeNodes ?? []) excludeNodes.set(nodes.get(node) ?? node, reason);
  for (const node of float) excludeNodes.set(nodes.get(node) ?? node, LEFT_BY_SEARCH);
  const plan = placeQuantization(copy.graph, { ...placement, excludeNodes });
  const moved = <Content>(map: ReadonlyMap<Value, Content>): Map<Value, Content> =>
    new Map([...map].map(([value, content]) => [values.get(value) ?? value, content]));
  const own: Calibration = {
    type: calibration.type,
    observations: moved(calibration.observations),
    parameters: moved(calibration.parameters),
    methods: moved(calibration.methods),
    weights: new Map([...calibration.weights].map(([node, weight]) => [nodes.get(node) ?? node, weight])),
  };
  return { model: copy, applied: applyQuantization(copy, plan, own, placement.target, options), float };
}
